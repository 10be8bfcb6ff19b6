package model

import (
	"slices"

	"detcd/checker"
)

// Spec is the specification for checker.Linearizable and checker.Certify, which need nothing else.
// A serializable range may be older than its call: it is not an operation on the present, and must
// be left out, as must messages of watches.
func Spec() checker.Model[Request, *Response, *State] {
	return checker.Model[Request, *Response, *State]{
		Init: NewState,
		Step: func(s *State, o *Operation) (bool, *State) {
			next := s.clone()
			return next.step(o), next
		},
		Equal: (*State).equal,
		Hash:  (*State).hash,
	}
}

// step lets an operation happen, and tells whether it may have its outcome. The state is of no more
// use if not.
func (s *State) step(o *Operation) bool {
	if o.Error != "" && !explained(o.Error) {
		return true
	}
	switch ask := o.Request.Ask.(type) {
	case *KeepAlive:
		return s.shows(ask.ID, o)
	case *TimeToLive:
		return s.shows(ask.ID, o)
	case *Leases, *Watch, *Watched, *Held:
		return true
	}
	out := &Response{}
	if o.Succeeded() {
		out.Lease = o.Response.Lease
	}
	failure := s.Apply(o.Request.Ask, out)
	switch {
	case o.Unknown:
		return true
	case o.Error != "" || failure != "":
		return o.Error == failure
	}
	if _, ok := o.Request.Ask.(*Compact); ok { // etcd names the revision when it has compacted
		return o.Response.Revision >= out.Revision
	}
	return same(o.Response, out)
}

// shows tells whether an answer about a lease agrees with whether there is that lease.
func (s *State) shows(id int64, o *Operation) bool {
	l := s.leases[id]
	switch {
	case o.Unknown:
		return true
	case o.Error != "":
		return o.Error == errLeaseNotFound && l == nil
	case o.Response.Revision > s.revision: // it may be older: a member fills it in before it asks
		return false
	}
	return gone(o) == (l == nil)
}

// same tells whether two answers about keys are equal.
func same(a, b *Response) bool {
	if a.Revision != b.Revision || a.Count != b.Count || a.More != b.More ||
		a.Succeeded != b.Succeeded || !slices.Equal(a.KVs, b.KVs) ||
		len(a.Responses) != len(b.Responses) {
		return false
	}
	for i := range a.Responses {
		if !same(&a.Responses[i], &b.Responses[i]) {
			return false
		}
	}
	return true
}
