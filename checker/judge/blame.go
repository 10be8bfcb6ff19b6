package judge

import (
	"fmt"

	"detcd/checker/etcd"
)

// tooLate is the conflict of something that was called after what has not happened had returned.
func (s *search) tooLate(o option) *conflict {
	c := s.blocked()
	if c == nil {
		c = &conflict{op: s.opOf(o), say: func() string { return "it was called too late" }}
	}
	if i := s.opOf(o); i != nobody && i != c.op {
		c.core = append(c.core, i)
	}
	c.help = true
	return c
}

// blocked says what nothing can go on without: what returned first of all that has not happened,
// and cannot happen; nil: there is nothing.
func (s *search) blocked() *conflict {
	bound := s.bound()
	first := int32(-1)
	for _, k := range s.stuck {
		if !s.floated[k] && (first < 0 || s.floats[k].back < s.floats[first].back) {
			first = k
		}
	}
	if first >= 0 && (s.floats[first].back <= bound || !s.canGoOn()) {
		f := &s.floats[first]
		reason := s.whyNot(f)
		return &conflict{op: f.op, say: func() string { return reason }, help: true}
	}
	for _, i := range s.members[s.slotMid:s.slotEnd] {
		if !s.placed[i] && s.history[i].Return <= bound {
			reason := fmt.Sprintf("at revision %d it fails: %s", s.rev,
				s.state.Failure(s.history[i].Request.Ask))
			return &conflict{op: i, say: func() string { return reason }, help: true}
		}
	}
	for _, d := range s.owed[s.owedLow:] {
		if d.due <= bound && d.over >= s.state.Compacted() {
			return &conflict{op: d.op, say: func() string {
				return fmt.Sprintf("it does not show what a key was before, at revision %d, and nobody "+
					"can have compacted that by then", d.over)
			}}
		}
	}
	if s.slotDone() && s.rev < s.last && s.owner[s.rev+1] == nobody {
		return s.unmade(s.rev + 1)
	}
	return nil
}

// canGoOn tells whether the next revision has an owner who can make it as far as time says.
func (s *search) canGoOn() bool {
	if !s.slotDone() || s.rev >= s.last {
		return false
	}
	i := s.owner[s.rev+1]
	return i != nobody && s.history[i].Call <= s.bound()
}

// unmade says that nobody can have made a revision.
func (s *search) unmade(r int64) *conflict {
	op := s.teller[r]
	reason := fmt.Sprintf("nobody can have made revision %d", r)
	if facts := s.facts[r]; len(facts) > 0 {
		reason = fmt.Sprintf("nobody can have written what was seen of key %s at revision %d",
			quote(facts[0].kv.Key), r)
	}
	return &conflict{op: op, say: func() string { return reason }}
}

// whyNot says why a float does not fit the present state.
func (s *search) whyNot(f *float) string {
	switch f.kind {
	case compactedAt:
		return fmt.Sprintf("it ended by a compaction at revision %d, which nobody can have made by "+
			"then", f.compacted)
	case compactedOver:
		return fmt.Sprintf("nobody can have compacted revision %d by then", f.compacted)
	}
	o := &s.history[f.op]
	switch ask := o.Request.Ask.(type) {
	case *etcd.KeepAlive:
		return s.whyNotLease(ask.ID, o)
	case *etcd.TimeToLive:
		return s.whyNotLease(ask.ID, o)
	}
	failure := s.state.Failure(o.Request.Ask)
	switch {
	case f.isCompaction && o.Error == "" && failure == "":
		return fmt.Sprintf("it names revision %d, and was not done by then", o.Response.Revision)
	case o.Error == "" || failure != "" && failure != o.Error:
		return fmt.Sprintf("at revision %d it fails: %s", s.rev, failure)
	}
	return fmt.Sprintf("it failed with %q, which it does not at revision %d, nor at another one at "+
		"that time", o.Error, s.rev)
}

// whyNotLease says why an answer about a lease does not fit.
func (s *search) whyNotLease(id int64, o *etcd.Operation) string {
	l, gone := s.state.Lease(id), etcd.Gone(o)
	switch {
	case gone && l != nil:
		return fmt.Sprintf("it finds lease %x gone, which is there at revision %d: nobody can have "+
			"ended it, and its time to live was not over", id, s.rev)
	case gone:
		return fmt.Sprintf("it names revision %d, which was not made by then", o.Response.Revision)
	case l == nil:
		return fmt.Sprintf("it finds lease %x, which is not there at revision %d", id, s.rev)
	}
	answer := o.Response.Lease
	if _, renewal := o.Request.Ask.(*etcd.KeepAlive); renewal && answer.TTL != l.TTL {
		return fmt.Sprintf("it renews lease %x for %d seconds, and %d were granted", id, answer.TTL,
			l.TTL)
	}
	if answer.Granted != l.TTL && answer.Granted != 0 {
		return fmt.Sprintf("it says that lease %x was granted %d seconds, and it was %d", id,
			answer.Granted, l.TTL)
	}
	if s.state.Step(o) {
		return fmt.Sprintf("lease %x has %d seconds left, of %d, at %d", id, answer.TTL, l.TTL,
			o.Return)
	}
	return fmt.Sprintf("it says of lease %x what is not so at revision %d", id, s.rev)
}
