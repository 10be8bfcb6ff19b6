package model

import (
	"cmp"
	"slices"
	"sort"
)

// newQuietClock returns a clock for the replay, with the steps added that left no trace among
// revisions but that some answer needs: leases that ended, without keys or when nobody looked any
// more, and compactions and grants whose answers were lost. hidden says that some of them might
// also have been elsewhere.
func (j *judge) newQuietClock() (c *clock, hidden bool) {
	c = newClock(j, j.steps)
	c.reset()
	if v, _ := c.tick(); v != nil {
		return c, false
	}
	if steps := c.expireEarly(); steps != nil {
		c, hidden = newClock(j, steps), true
	}
	for range j.loose {
		c.reset()
		if v, _ := c.tick(); v != nil {
			return c, hidden
		}
		needed := c.needsSteps()
		if len(needed) == 0 {
			break
		}
		steps := slices.Clone(c.steps)
		for _, n := range slices.Backward(needed) {
			steps = slices.Insert(steps, n.at, n.step)
			// Where a lease ended is no guess if it had keys to the end and nobody else is to blame.
			hidden = hidden || n.step.revision == c.steps[n.at-1].revision || len(j.lost) > 0
		}
		c = newClock(j, steps)
	}
	compacted, guess := c.compactAll()
	return compacted, hidden || guess
}

// expireEarly moves leases that ended without keys from where the replay noticed it to where it can
// have been: failures in between may need it. It returns nothing if there are none.
func (c *clock) expireEarly() []step {
	earlier := map[int][]step{} // by the place before which they are to stand
	var kept []int
	for p := range c.steps {
		s := c.steps[p]
		if p == 0 || s.op != nobody || s.revision != c.steps[p-1].revision {
			kept = append(kept, p)
			continue
		}
		s.call = max(s.call, c.lastAlive(s.lease, p))
		to := max(c.from(s.call), 1)
		for k := p - 1; k >= to; k-- {
			used := c.judge.uses(&c.steps[k-1], &c.steps[k], s.lease)
			if f := c.family[k]; used || f.kind == byLease && f.lease == s.lease {
				to = k + 1
			}
		}
		if to >= p {
			kept = append(kept, p)
			continue
		}
		s.revision, s.compacted = c.steps[to-1].revision, c.steps[to-1].compacted
		s.changes = c.steps[to-1].changes
		earlier[to] = append(earlier[to], s)
	}
	if len(earlier) == 0 {
		return nil
	}
	steps, next := make([]step, 0, len(c.steps)), 0
	for p := range c.steps {
		steps = append(steps, earlier[p]...)
		if next < len(kept) && kept[next] == p {
			steps = append(steps, c.steps[p])
			next++
		}
	}
	return steps
}

// seenAlive returns the answers that say of a lease that it is there, by lease.
func (j *judge) seenAlive() map[int64][]int32 {
	seen := map[int64][]int32{}
	for _, i := range j.loose {
		o := &j.history[i]
		if id := leaseIn(o.Request.Ask); id != 0 && o.Succeeded() && !gone(o) {
			seen[id] = append(seen[id], i)
		}
	}
	return seen
}

// aliveBefore returns the last call of answers that say that a lease is there and that were given
// before an operation began.
func (j *judge) aliveBefore(id int64, o *Operation) int64 {
	last := int64(-never)
	for _, i := range j.alive[id] {
		if alive := &j.history[i]; alive.Return < o.Call {
			last = max(last, alive.Call)
		}
	}
	return last
}

// lastAlive returns the last call of answers that say that a lease is there and that came before
// it was granted again, after a step that ends it.
func (c *clock) lastAlive(id int64, p int) int64 {
	last, again := int64(-never), int64(never)
	for _, l := range c.lives[id] {
		if int(l.from) > p && c.steps[l.from].op != nobody {
			again = min(again, c.judge.history[c.steps[l.from].op].Call)
		}
	}
	for _, i := range c.judge.alive[id] {
		if o := &c.judge.history[i]; o.Return < again {
			last = max(last, o.Call)
		}
	}
	return last
}

// A hiddenStep is to be added before the step that stands at a place now.
type hiddenStep struct {
	at    int
	lease int64
	step  step
}

// needsSteps returns steps that operations without a revision need, in the order of their places:
// one for each lease at most, since the next one depends on it, and one that makes a revision at
// most.
func (c *clock) needsSteps() []hiddenStep {
	var needed []hiddenStep
	last := c.steps[len(c.steps)-1].revision
	taken := map[int64]bool{}
	makes := false
	for k := range c.items {
		item := c.items[k]
		if !item.loose {
			continue
		}
		if v, _, _ := c.settle(&item); v == nil {
			continue
		}
		s, found := c.hidden(&c.judge.history[item.op])
		if !found || taken[s.lease] || makes && s.step.revision > last {
			continue
		}
		needed, taken[s.lease] = append(needed, s), true
		makes = makes || s.step.revision > last
	}
	slices.SortStableFunc(needed, func(a, b hiddenStep) int { return cmp.Compare(a.at, b.at) })
	return needed
}

// hidden returns a step that explains an operation.
func (c *clock) hidden(o *Operation) (hiddenStep, bool) {
	switch ask := o.Request.Ask.(type) {
	case *KeepAlive, *TimeToLive, *Revoke, *Grant:
		id := leaseIn(ask)
		if gone(o) {
			return c.hiddenEnd(id, o)
		}
		return c.hiddenGrant(id, o)
	}
	for _, id := range leasesOf(o.Request.Ask, nil) {
		hidden := c.hiddenGrant
		if o.Error == errLeaseNotFound {
			hidden = c.hiddenEnd
		}
		if s, found := hidden(id, o); found {
			return s, true
		}
	}
	return hiddenStep{}, false
}

// leaseIn returns the lease that a request about a lease is about.
func leaseIn(ask any) int64 {
	switch ask := ask.(type) {
	case *KeepAlive:
		return ask.ID
	case *TimeToLive:
		return ask.ID
	case *Revoke:
		return ask.ID
	case *Grant:
		return ask.ID
	}
	return 0
}

// gone tells whether an answer says that there is no lease. One that lives for less than a second
// has a time to live of 0, rounded down, but still what it was granted.
func gone(o *Operation) bool {
	if o.Error != "" {
		return o.Error == errLeaseNotFound
	}
	return o.Response == nil || o.Response.Lease == nil ||
		o.Response.Lease.TTL <= 0 && o.Response.Lease.Granted == 0
}

// hiddenEnd ends a lease: by itself when its time is over, or by a request
// whose answer was lost.
func (c *clock) hiddenEnd(id int64, o *Operation) (hiddenStep, bool) {
	lives := c.lives[id]
	l := c.judge.state.leases[id]
	if len(lives) == 0 || int(lives[len(lives)-1].to) != len(c.steps) || l == nil {
		return hiddenStep{}, false
	}
	s := step{op: nobody, lease: id, call: max(c.judge.expiry(id), c.judge.aliveBefore(id, o))}
	for _, i := range c.judge.lost {
		revoke, ok := c.judge.history[i].Request.Ask.(*Revoke)
		if ok && revoke.ID == id && c.judge.history[i].Call < s.call && !c.judge.used[i] {
			s = step{op: i, call: c.judge.history[i].Call, lostOp: true}
		}
	}
	if s.call > o.Return {
		return hiddenStep{}, false
	}
	p := c.from(s.call)
	for k := len(c.steps) - 1; k >= p; k-- { // not while it has keys
		if c.judge.uses(&c.steps[k-1], &c.steps[k], id) {
			p = k + 1
			break
		}
	}
	p = max(p, int(lives[len(lives)-1].from)+1)
	made := int64(0)
	if len(l.keys) > 0 { // it makes a revision that nobody saw: the last
		p, made = len(c.steps), 1
	}
	s.revision, s.compacted = c.steps[p-1].revision+made, c.steps[p-1].compacted
	s.changes = c.steps[p-1].changes
	return hiddenStep{p, id, s}, true
}

// uses tells whether a step attached a key to a lease or detached one.
func (j *judge) uses(before, s *step, id int64) bool {
	for _, change := range j.state.changes[min(before.changes, s.changes):s.changes] {
		if change.key == nil {
			continue
		}
		kv, before := change.versions()
		if kv.Lease == id || before != nil && before.Lease == id {
			return true
		}
	}
	return false
}

// from returns the first step that makes a revision not before a time.
func (c *clock) from(time int64) int {
	r := sort.Search(len(c.makers), func(r int) bool { return c.moment[c.makers[r]] >= time })
	switch {
	case r == len(c.makers):
		return len(c.steps)
	case r == 0:
		return 1
	}
	return int(c.makers[r])
}

// hiddenGrant makes a lease by a request whose answer was lost.
func (c *clock) hiddenGrant(id int64, o *Operation) (hiddenStep, bool) {
	for _, i := range c.judge.lost {
		grant, ok := c.judge.history[i].Request.Ask.(*Grant)
		call := c.judge.history[i].Call
		if !ok || grant.ID != id || c.judge.used[i] || c.has(i) || call > o.Return {
			continue
		}
		p := c.from(call)
		before := &c.steps[p-1]
		return hiddenStep{p, id, step{op: i, call: call, lostOp: true, revision: before.revision,
			compacted: before.compacted, changes: before.changes}}, true
	}
	return hiddenStep{}, false
}

// has tells whether an operation is a step already.
func (c *clock) has(i int32) bool {
	return slices.ContainsFunc(c.steps, func(s step) bool { return s.op == i })
}

// failsAfter tells whether an operation fails because of a compaction.
func (j *judge) failsAfter(o *Operation, compacted int64) bool {
	s := &step{revision: j.last, compacted: compacted}
	return j.failsAt(o, s, func(id int64) bool { return j.state.leases[id] != nil })
}
