package etcd

import (
	"slices"

	"detcd/checker"
)

// Spec is the specification for checker.Linearizable and checker.Certify, which need nothing else.
// Only what is OfThePresent can be given to it.
func Spec() checker.Model[Request, *Response, *State] {
	return checker.Model[Request, *Response, *State]{
		Init: NewState,
		Step: func(s *State, o *Operation) (bool, *State) {
			next := s.clone()
			return next.Step(o), next
		},
		Equal: (*State).equal,
		Hash:  (*State).hash,
	}
}

// OfThePresent tells whether an operation sees or changes the store as it is at some moment between
// its call and its return. What may be older does not: serializable reads, messages of watches, the
// list of leases; nor does an error that says that nothing was tried.
func OfThePresent(o *Operation) bool {
	if o.Error != "" && !Explained(o.Error) {
		return false
	}
	switch ask := o.Request.Ask.(type) {
	case *Leases, *Watch, *Watched, *Held:
		return false
	case *Range:
		return !ask.Serializable
	case *Txn:
		return !ask.MayBeOld()
	}
	return true
}

// MayBeOld tells whether a transaction has no operation but ranges that may be old. etcd counts one
// without operations among them.
func (t *Txn) MayBeOld() bool {
	for _, branch := range [...][]Request{t.Success, t.Failure} {
		for _, part := range branch {
			if r, ok := part.Ask.(*Range); !ok || !r.Serializable {
				return false
			}
		}
	}
	return true
}

// Step lets an operation happen, and tells whether it may have its outcome. If not, or if it has
// failed, the state is of no more use but to Undo.
func (s *State) Step(o *Operation) bool {
	if o.Error != "" && !Explained(o.Error) {
		return true
	}
	switch ask := o.Request.Ask.(type) {
	case *KeepAlive:
		return s.shows(ask.ID, false, o)
	case *TimeToLive:
		return s.shows(ask.ID, ask.Keys, o)
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
	return Same(o.Response, out)
}

// shows tells whether an answer about a lease agrees with the store: whether there is that lease,
// what it was granted, and which keys it has.
func (s *State) shows(id int64, keys bool, o *Operation) bool {
	l := s.leases[id]
	switch {
	case o.Unknown:
		return true
	case o.Error != "":
		return o.Error == ErrLeaseNotFound && l == nil
	case o.Response.Revision > s.revision: // it may be older: a member fills it in before it asks
		return false
	case Gone(o):
		return l == nil
	case l == nil || o.Response.Lease.ID != id:
		return false
	}
	answer := o.Response.Lease
	granted := answer.Granted
	if _, ok := o.Request.Ask.(*KeepAlive); ok {
		granted = answer.TTL // a renewal gives a lease its whole time
	}
	if granted < l.TTL || granted > l.TTL && !l.AtLeast {
		return false
	}
	if !keys {
		return len(answer.Keys) == 0
	}
	return slices.Equal(slices.Sorted(slices.Values(answer.Keys)), l.Keys())
}

// Gone tells whether an answer says that there is no lease. One that lives for less than a second
// has a time to live of 0, rounded down, but still what it was granted.
func Gone(o *Operation) bool {
	if o.Error != "" {
		return o.Error == ErrLeaseNotFound
	}
	if o.Response == nil || o.Response.Lease == nil {
		return true
	}
	_, renewal := o.Request.Ask.(*KeepAlive)
	return o.Response.Lease.TTL <= 0 && (renewal || o.Response.Lease.Granted == 0)
}

// Same tells whether two answers about keys are equal.
func Same(a, b *Response) bool {
	if a.Revision != b.Revision || a.Count != b.Count || a.More != b.More ||
		a.Succeeded != b.Succeeded || !slices.Equal(a.KVs, b.KVs) ||
		len(a.Responses) != len(b.Responses) {
		return false
	}
	for i := range a.Responses {
		if !Same(&a.Responses[i], &b.Responses[i]) {
			return false
		}
	}
	return true
}
