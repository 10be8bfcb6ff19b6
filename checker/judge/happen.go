package judge

import (
	"fmt"
	"slices"

	"detcd/checker/etcd"
)

// second is how many nanoseconds a TTL counts in.
const second = 1_000_000_000

// enter begins with the slot of the present revision: all that names it and shows keys is compared
// at once, for they do not change any more.
func (s *search) enter() *conflict {
	s.openSlot()
	s.next = s.slotFrom
	for _, i := range s.members[s.from[s.rev]:s.slotMid] {
		if c := s.verify(i); c != nil {
			return c
		}
	}
	return nil
}

// openSlot finds the parts of the slot of the present revision.
func (s *search) openSlot() {
	k, end := int(s.from[s.rev]), int(s.from[s.rev+1])
	for k < end && s.roles[s.members[k]] == past {
		k++
	}
	s.slotFrom = k
	for k < end && s.roles[s.members[k]] == reading {
		k++
	}
	s.slotMid, s.slotEnd = k, end
}

// verify compares an answer that changed nothing with the present state.
func (s *search) verify(i int32) *conflict {
	s.steps++
	o := &s.history[i]
	before := len(s.state.Changes())
	s.scratch.Clear()
	failure := s.state.Apply(o.Request.Ask, &s.scratch)
	if len(s.state.Changes()) != before {
		s.state.Undo(before)
		return s.contentConflict(i, func() string {
			return fmt.Sprintf("at revision %d it changes keys, but its answer says it did not", s.rev)
		})
	}
	if failure != "" {
		return s.failureConflict(i, failure)
	}
	if !etcd.Same(o.Response, &s.scratch) {
		return s.differs(i)
	}
	return nil
}

// contentConflict is a conflict about what keys contain.
func (s *search) contentConflict(i int32, say func() string) *conflict {
	return &conflict{op: i, revision: s.rev, sure: s.rev <= s.lit, say: say}
}

// failureConflict is the conflict of an answer with a failure.
func (s *search) failureConflict(i int32, failure string) *conflict {
	r := s.rev
	c := s.contentConflict(i, func() string {
		return fmt.Sprintf("at revision %d it fails: %s", r, failure)
	})
	c.help = failure == etcd.ErrLeaseNotFound || failure == etcd.ErrLeaseExists
	c.sure = c.sure && !c.help && failure != etcd.ErrCompacted
	return c
}

// differs is the conflict of an answer with the one that the specification gave.
func (s *search) differs(i int32) *conflict {
	reason, owner := difference(s.history[i].Request.Ask, s.history[i].Response, &s.scratch)
	c := s.contentConflict(i, func() string { return reason })
	if owner > 1 && owner <= s.last {
		if w := s.owner[owner]; w != nobody && w != i {
			c.core = []int32{i, w}
		}
	}
	return c
}

// placeFree lets everything happen that changes nothing and can happen now: never is it better to
// wait with it. What it leaves in stuck can be called, but does not fit.
func (s *search) placeFree() *conflict {
	for {
		bound := s.bound()
		for s.next < s.slotMid {
			i := s.members[s.next]
			if s.history[i].Call > bound {
				break
			}
			if oldestAsked(s.history[i].Request.Ask) > 0 && s.state.Compacted() > 0 {
				if c := s.verify(i); c != nil { // compacted since this slot began?
					return c
				}
			}
			s.push(step{kind: atRead, op: i})
			s.next++
			bound = s.bound()
		}
		for s.floatLow < len(s.floats) && s.floated[s.floatLow] {
			s.floatLow++
		}
		progress := false
		s.stuck = s.stuck[:0]
		for k := s.floatLow; k < len(s.floats) && s.floats[k].call <= bound; k++ {
			switch {
			case s.floated[k]:
			case s.fits(&s.floats[k]) && !s.mayWait(&s.floats[k]):
				s.place(int32(k))
				progress = true
				bound = s.bound()
			default:
				s.stuck = append(s.stuck, int32(k))
			}
		}
		if !progress {
			return nil
		}
	}
}

// mayWait tells whether it may be better to wait with an operation that does not find a lease: if
// it was granted before the call, it may have ended after it, and that earlier than if it was
// granted after it.
func (s *search) mayWait(f *float) bool {
	if f.kind != outcome {
		return false
	}
	o := &s.history[f.op]
	if id := LeaseOf(o); id != 0 && etcd.Gone(o) {
		return slices.ContainsFunc(s.index.all[id], func(i int32) bool {
			return !s.placed[i] && s.history[i].Call < f.call
		})
	}
	return false
}

// place lets a float happen that fits.
func (s *search) place(k int32) {
	f := &s.floats[k]
	s.push(step{kind: atFloat, op: k})
	s.floated[k] = true
	if f.kind != outcome {
		return
	}
	o := &s.history[f.op]
	switch ask := o.Request.Ask.(type) {
	case *etcd.KeepAlive:
		if !etcd.Gone(o) {
			s.setEnd(ask.ID, max(s.ends[ask.ID], s.endOf(max(s.latest, o.Call), o.Response.Lease.TTL)))
			return
		}
	case *etcd.TimeToLive:
		if !etcd.Gone(o) {
			return
		}
	default:
		if o.Error != etcd.ErrLeaseNotFound {
			return
		}
	}
	s.missed(o)
}

// missed notes which lease an operation did not find; if it may be one of several, nobody knows.
func (s *search) missed(o *etcd.Operation) {
	ids := attached(o.Request.Ask, nil)
	if id := leaseIn(o.Request.Ask); id != 0 {
		ids = append(ids, id)
	}
	ids = slices.DeleteFunc(ids, func(id int64) bool { return s.state.Lease(id) != nil })
	if slices.Sort(ids); len(slices.Compact(ids)) == 1 {
		s.setGone(ids[0], max(s.latest, o.Call))
	}
}

// endOf returns before when a lease cannot end by itself that is given its time to live at a
// moment.
func (s *search) endOf(moment, ttl int64) int64 {
	if ttl > (never-max(0, moment))/second {
		return never
	}
	return moment + ttl*second - s.options.LeaseTolerance
}

// setEnd notes when a lease can end.
func (s *search) setEnd(id, end int64) { s.setTime(s.ends, endNote{lease: id}, end) }

// setGone notes that a lease is not there at a moment.
func (s *search) setGone(id, moment int64) {
	s.setTime(s.gone, endNote{lease: id, gone: true}, moment)
}

// setTime changes ends or gone.
func (s *search) setTime(times map[int64]int64, e endNote, time int64) {
	e.was, e.known = times[e.lease]
	s.endLog = append(s.endLog, e)
	times[e.lease] = time
	effect := mix(uint64(e.lease), uint64(time))
	s.trail[len(s.trail)-1].effect ^= effect
	s.hash ^= effect
}

// fits tells whether a float fits the present state, which it does not change.
func (s *search) fits(f *float) bool {
	s.steps++
	switch {
	case f.kind == compactedOver:
		return s.state.Compacted() > f.compacted
	case f.kind == compactedAt:
		return s.compacted[f.compacted] > 0
	case f.isCompaction || f.notBefore > s.rev:
		return false
	}
	o := &s.history[f.op]
	switch ask := o.Request.Ask.(type) {
	case *etcd.KeepAlive:
		return s.state.Step(o)
	case *etcd.TimeToLive:
		return s.state.Step(o) && s.fitsTime(ask.ID, o)
	}
	return s.state.Failure(o.Request.Ask) == o.Error
}

// fitsTime tells whether a lease may have so much time left as an answer says.
func (s *search) fitsTime(id int64, o *etcd.Operation) bool {
	l := s.state.Lease(id)
	if l == nil {
		return true
	}
	left, end := o.Response.Lease.TTL, s.ends[id]
	if !l.AtLeast && left > l.TTL+s.extension() {
		return false
	}
	return end <= o.Return || end-o.Return < (left+1)*second // less than a second was cut off
}

// push notes that something happens.
func (s *search) push(t step) {
	t.changes, t.ends, t.owed = int32(len(s.state.Changes())), int32(len(s.endLog)), int32(len(s.owed))
	t.latest = s.latest
	s.trail = append(s.trail, t)
	s.hash ^= t.identity()
	s.steps++
}

// identity is what a step adds to the hash of a state.
func (t *step) identity() uint64 {
	if t.kind == atRead {
		return 0
	}
	return mix(uint64(t.kind)<<32|uint64(uint32(t.op)), uint64(t.lease)^uint64(t.call)) ^ t.effect
}

// mix makes one number of two, with all their bits in it.
func mix(a, b uint64) uint64 {
	a = (a ^ 0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9
	a ^= a>>31 ^ b*0x94d049bb133111eb
	a = (a ^ a>>27) * 0x94d049bb133111eb
	return a ^ a>>32
}

// undo takes back what happened last, until only so much is left.
func (s *search) undo(left int) {
	for len(s.trail) > left {
		n := len(s.trail) - 1
		t := &s.trail[n]
		s.hash ^= t.identity()
		switch t.kind {
		case atRead:
			s.next--
		case atFloat:
			s.floated[t.op] = false
			s.floatLow, s.backLow = min(s.floatLow, int(t.op)), min(s.backLow, int(s.rank[t.op]))
			if f := &s.floats[t.op]; f.isCompaction && f.kind == outcome {
				s.compacted[s.history[f.op].Request.Ask.(*etcd.Compact).Revision]--
			}
		case atLost:
			if compact, ok := s.history[t.op].Request.Ask.(*etcd.Compact); ok {
				s.compacted[compact.Revision]--
			}
			delete(s.swaps, int32(n))
			delete(s.at, t.op)
			s.placed[t.op] = false
		case atQuiet, atMaker:
			s.placed[t.op] = false
		}
		for len(s.endLog) > int(t.ends) {
			e := s.endLog[len(s.endLog)-1]
			s.endLog = s.endLog[:len(s.endLog)-1]
			times := s.ends
			if e.gone {
				times = s.gone
			}
			if times[e.lease] = e.was; !e.known {
				delete(times, e.lease)
			}
		}
		s.owed, s.owedLow = s.owed[:t.owed], min(s.owedLow, int(t.owed))
		if len(s.state.Changes()) > int(t.changes) {
			s.state.Undo(int(t.changes))
			s.owedLow = 0
		}
		s.latest = t.latest
		s.trail = s.trail[:n]
		if t.made { // then all had happened that names the revision before
			s.rev = s.state.Revision()
			s.openSlot()
			s.next = s.slotMid
		}
	}
}

// happen lets something happen that changes the state, if it can. A conflict leaves everything as
// it was.
func (s *search) happen(o option) *conflict {
	call, ask, out := s.request(o)
	if bound := s.bound(); call > bound {
		return s.tooLate(o)
	}
	if o.kind == atFloat && !s.floats[o.op].isCompaction {
		s.place(o.op)
		return nil
	}
	n := len(s.trail)
	s.scratch.Clear()
	s.scratch.Lease = out
	s.push(step{kind: o.kind, op: o.op, lease: o.lease, call: call})
	s.mark(o)
	failure := s.state.Apply(ask, &s.scratch)
	var c *conflict
	switch {
	case failure != "":
		c = s.failureConflict(s.opOf(o), failure)
		c.sure = c.sure && o.kind == atMaker
	case s.state.Revision() > s.rev:
		c = s.made(o, ask)
	case o.kind == atMaker:
		c = s.differs(o.op)
	case len(s.state.Changes()) == int(s.trail[n].changes):
		c = &conflict{op: s.opOf(o), say: func() string { return "it changes nothing" }}
	default:
		c = s.quietly(o, ask)
	}
	if c != nil {
		s.undo(n)
	}
	return c
}

// opOf returns the operation of an option; nobody if a lease ends by itself.
func (s *search) opOf(o option) int32 {
	if o.kind == atFloat {
		return s.floats[o.op].op
	}
	return o.op
}

// request returns what an option asks for, before when it cannot be, and the lease that a grant was
// answered with.
func (s *search) request(o option) (call int64, ask any, out *etcd.LeaseReply) {
	i := s.opOf(o)
	if i == nobody {
		return s.ends[o.lease], &etcd.Revoke{ID: o.lease}, nil
	}
	op := &s.history[i]
	if op.Succeeded() && op.Response != nil {
		out = op.Response.Lease
	}
	return op.Call, op.Request.Ask, out
}

// mark notes who happened.
func (s *search) mark(o option) {
	i := s.opOf(o)
	switch o.kind {
	case atFloat:
		s.floated[o.op] = true
	case atExpiry:
		return
	default:
		s.placed[i] = true
	}
	if compact, ok := s.history[i].Request.Ask.(*etcd.Compact); ok {
		s.compacted[compact.Revision]++
	}
}

// made judges a revision that the last step has made, and goes on to its slot.
func (s *search) made(o option, ask any) *conflict {
	t, r := &s.trail[len(s.trail)-1], s.rev+1
	i := s.opOf(o)
	switch {
	case !s.slotDone() || s.rev == s.end || s.owner[r] != nobody && o.kind != atMaker,
		o.kind == atQuiet && s.history[i].Response.Revision != r:
		return &conflict{op: i, say: func() string {
			return fmt.Sprintf("it makes revision %d, which it cannot have made", r)
		}}
	case o.kind == atMaker && !etcd.Same(s.history[i].Response, &s.scratch):
		return s.differs(i)
	}
	changes := s.state.Changes()[t.changes:]
	s.debts = s.debts[:0]
	if c := s.shows(r, changes); c != nil {
		c.sure = o.kind == atMaker && s.rev <= s.lit
		return c
	}
	if o.kind != atMaker {
		if c := s.believable(r, i, changes); c != nil {
			return c
		}
		effect := effectOf(changes)
		t.effect ^= effect
		s.hash ^= effect
	}
	s.owed = append(s.owed, s.debts...)
	t.made, s.rev = true, r
	if s.latest = max(s.latest, s.since[r]); o.kind != atLost {
		// Who else may have made a revision must not matter for times.
		s.latest = max(s.latest, t.call)
	}
	if revoke, ok := ask.(*etcd.Revoke); ok {
		s.setGone(revoke.ID, max(s.latest, t.call))
	}
	return s.enter()
}

// effectOf returns a number for what some changes made of keys.
func effectOf(changes []etcd.Change) (effect uint64) {
	for k := range changes {
		if !changes[k].OfKey() {
			continue
		}
		kv, _ := changes[k].Versions()
		sum := mix(uint64(kv.Mod), uint64(kv.Version))
		sum = mix(sum, uint64(kv.Create)^uint64(kv.Lease)<<1)
		for _, text := range [...]etcd.Bytes{kv.Key, kv.Value} {
			sum = mix(sum, uint64(len(text)))
			for n := range len(text) {
				sum = (sum ^ uint64(text[n])) * 1099511628211
			}
		}
		effect ^= mix(sum, 1)
	}
	return effect
}

// quietly judges a change that made no revision: a lease began or ended, or there was a compaction.
func (s *search) quietly(o option, ask any) *conflict {
	i := s.opOf(o)
	named := int64(0)
	if i != nobody && s.history[i].Succeeded() {
		named = s.history[i].Response.Revision
	}
	if o.kind == atQuiet && named != s.rev || o.kind == atFloat && named < s.rev {
		return &conflict{op: i, say: func() string {
			return fmt.Sprintf("it names revision %d, and cannot have happened there", named)
		}}
	}
	if grant, ok := ask.(*etcd.Grant); ok {
		id, ttl := grant.ID, grant.TTL
		if s.scratch.Lease != nil {
			id, ttl = s.scratch.Lease.ID, s.scratch.Lease.TTL
		}
		moment := s.history[i].Call
		if o.kind != atLost { // else it may have been long before somebody needed it
			moment = max(moment, s.latest)
		}
		if gone, ok := s.gone[id]; ok {
			moment = max(moment, gone)
		}
		s.setEnd(id, s.endOf(moment, ttl))
	}
	if revoke, ok := ask.(*etcd.Revoke); ok {
		s.setGone(revoke.ID, s.trail[len(s.trail)-1].call)
	}
	return nil
}
