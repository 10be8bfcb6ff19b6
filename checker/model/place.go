package model

import (
	"cmp"
	"slices"
	"sort"
)

// roundsMax bounds how often moments are computed again. Each round moves at least one operation
// to an earlier place; a few are enough in all but contrived histories.
const roundsMax = 1000

// A family is what a step that makes no revision can be told apart by. Steps that made a revision
// come in one order, which everybody can tell; two compactions also have an order, and so have two
// changes of a lease; but nobody can tell whether a compaction came before a grant, and no order
// may be demanded of them.
type family struct {
	kind  kind
	lease int64
}

type kind int8

const (
	byRevision kind = iota
	byCompaction
	byLease
)

// placed is an operation that is not a step. Its place is a step that it can tell, because it made
// a revision or is of one of its families: it comes behind that and before the next one.
type placed struct {
	op       int32
	at       int32
	slot     int64 // the revision that it names
	families []family
	loose    bool // it names no revision: it may be in any slot
}

// clock gives every step and every other operation a moment.
//
// The rule: a step happens not before its call, not before the steps before it, and not before the
// call of any operation that is placed before it. That is the earliest moment, and if it is after
// the return of something that has its place there or later, there is none. An operation that may
// be in several places takes the latest that time leaves: it holds back the fewest. When this moves
// a moment up, others may have to move to earlier places, and so on until nothing moves. Every
// solution has moments that are not earlier and places that are not later than these, at any time
// of the computation; so if one place is left for nobody, there is no solution.
type clock struct {
	judge   *judge
	steps   []step
	family  []family
	makers  []int32 // by revision less 1: the step that made it
	chains  map[family][]int32
	items   []placed
	floor   []int64 // by step: it happens not before this, because of items
	why     []int32 // by step: whose call that is
	moment  []int64 // by step
	cause   []int32 // by step: whose call that is
	lives   map[int64][]life
	stepped map[int32]bool // operations without a revision that are steps
}

// life is when a lease was there: behind steps [from, to).
type life struct{ from, to int32 }

// newClock prepares a clock for the steps of a replay.
func newClock(j *judge, steps []step) *clock {
	n := len(steps)
	c := &clock{judge: j, steps: steps, family: make([]family, n), floor: make([]int64, n),
		why: make([]int32, n), moment: make([]int64, n), cause: make([]int32, n),
		makers: make([]int32, 0, j.last), chains: map[family][]int32{},
		lives: map[int64][]life{}, stepped: map[int32]bool{}}
	for p := range steps {
		c.note(int32(p))
	}
	c.items = make([]placed, 0, len(j.members)+len(j.loose))
	for r := int64(1); r <= j.last; r++ {
		for _, i := range j.slot(r) {
			if !c.stepped[i] {
				c.items = append(c.items, j.placed(i, r))
			}
		}
	}
	for _, i := range j.loose {
		item := j.placed(i, int64(len(c.makers)))
		item.loose = true
		c.items = append(c.items, item)
	}
	for k := range c.items {
		c.items[k].at = c.lastPlace(&c.items[k], never)
	}
	return c
}

// note takes from a step which family it is of and what it did to leases.
func (c *clock) note(p int32) {
	s := &c.steps[p]
	if p == 0 || c.steps[p-1].revision < s.revision {
		c.makers = append(c.makers, p)
	} else {
		c.family[p] = c.judge.familyOf(s)
		c.chains[c.family[p]] = append(c.chains[c.family[p]], p)
		if s.op != nobody {
			c.stepped[s.op] = true
		}
	}
	if s.op == nobody {
		if s.lease != 0 {
			c.end(s.lease, p)
		}
		return
	}
	switch ask := c.judge.history[s.op].Request.Ask.(type) {
	case *Grant:
		id := c.judge.granted(s.op)
		c.lives[id] = append(c.lives[id], life{p, int32(len(c.steps))})
	case *Revoke:
		c.stepped[s.op] = true
		c.end(ask.ID, p)
	}
}

// granted returns the lease that an operation granted.
func (j *judge) granted(i int32) int64 {
	o := &j.history[i]
	if o.Succeeded() && o.Response != nil && o.Response.Lease != nil {
		return o.Response.Lease.ID
	}
	return leaseIn(o.Request.Ask)
}

// familyOf returns the family of a step that made no revision.
func (j *judge) familyOf(s *step) family {
	if s.op == nobody {
		return family{byLease, s.lease}
	}
	switch ask := j.history[s.op].Request.Ask.(type) {
	case *Grant:
		return family{byLease, j.granted(s.op)}
	case *Revoke:
		return family{byLease, ask.ID}
	}
	return family{kind: byCompaction}
}

// placed returns an operation that is not a step, with the families that it can tell.
func (j *judge) placed(i int32, slot int64) placed {
	o := &j.history[i]
	item := placed{op: i, slot: slot}
	if o.Error == "" && leaseIn(o.Request.Ask) == 0 {
		if o.Response != nil && oldestIn(o.Request.Ask, o.Response) > 0 {
			item.families = []family{{kind: byCompaction}}
		}
		return item
	}
	ids := leasesOf(o.Request.Ask, nil)
	if id := leaseIn(o.Request.Ask); id != 0 {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		item.families = append(item.families, family{byLease, id})
	}
	if o.Error == errCompacted {
		item.families = append(item.families, family{kind: byCompaction})
	}
	return item
}

// end notes that a lease ended at a step.
func (c *clock) end(id int64, p int32) {
	if n := len(c.lives[id]); n > 0 {
		c.lives[id][n-1].to = p
	}
}

// before returns the last step before p that made a revision or is of a family; p is not the first.
func (c *clock) before(p int32, families []family) int32 {
	r := c.steps[p].revision
	last := c.makers[r-1]
	if last == p {
		last = c.makers[r-2]
	}
	for _, f := range families {
		chain := c.chains[f]
		if k := sort.Search(len(chain), func(k int) bool { return chain[k] >= p }); k > 0 {
			last = max(last, chain[k-1])
		}
	}
	return last
}

// after returns the first step after p that made a revision or is of a family; -1: there is none.
func (c *clock) after(p int32, families []family) int32 {
	next := int32(-1)
	if r := c.steps[p].revision; r < int64(len(c.makers)) {
		next = c.makers[r]
	}
	for _, f := range families {
		chain := c.chains[f]
		k := sort.Search(len(chain), func(k int) bool { return chain[k] > p })
		if k < len(chain) && (next < 0 || chain[k] < next) {
			next = chain[k]
		}
	}
	return next
}

// lastPlace returns the latest place of an operation whose moment is not after a time; -1: none.
func (c *clock) lastPlace(item *placed, time int64) int32 {
	r := item.slot
	if c.moment[c.makers[r-1]] > time {
		if !item.loose {
			return -1
		}
		r = int64(sort.Search(int(r), func(r int) bool { return c.moment[c.makers[r]] > time }))
		if r == 0 {
			return -1
		}
	}
	at := c.makers[r-1]
	for len(item.families) > 0 {
		next := c.after(at, item.families)
		if next < 0 || c.steps[next].revision > r || c.moment[next] > time {
			break
		}
		at = next
	}
	return at
}

// reset forgets what items asked for.
func (c *clock) reset() {
	for p := range c.floor {
		c.floor[p], c.why[p] = -never, nobody
	}
}

// run computes moments until nothing moves. If there is none for somebody, the verdict says why,
// and whether it depends on no choice.
func (c *clock) run() (*verdict, bool) {
	c.reset()
	for range roundsMax {
		if v, sure := c.tick(); v != nil {
			return v, sure
		}
		moved := false
		for k := range c.items {
			v, sure, m := c.settle(&c.items[k])
			if v != nil {
				return v, sure
			}
			moved = moved || m
		}
		if !moved {
			return nil, false
		}
	}
	return undecided(nobody, "no moments were found in %d rounds", roundsMax), true
}

// tick gives every step its earliest moment.
func (c *clock) tick() (*verdict, bool) {
	latest, last := int64(-never), nobody
	for p := range c.steps {
		s := &c.steps[p]
		at, cause := latest, last
		if c.family[p].kind != byRevision {
			before := c.before(int32(p), c.family[p:p+1])
			at, cause = c.moment[before], c.cause[before]
		}
		if c.floor[p] > at {
			at, cause = c.floor[p], c.why[p]
		}
		if s.call > at {
			at, cause = s.call, s.op
		}
		c.moment[p], c.cause[p] = at, cause
		if at > latest {
			latest, last = at, cause
		}
		if s.op != nobody && !s.lostOp && c.judge.history[s.op].Return < at {
			return c.late(s.op, cause, false)
		}
	}
	return nil, false
}

// settle places an operation: at the latest place that explains it and that time leaves.
func (c *clock) settle(item *placed) (v *verdict, sure, moved bool) {
	o := &c.judge.history[item.op]
	at := item.at
	if c.moment[at] > o.Return {
		if at = c.lastPlace(item, o.Return); at < 0 {
			v, sure = c.late(item.op, c.cause[c.makers[item.slot-1]], item.loose)
			return v, sure, false
		}
	}
	present := isPresent(o)
	for !c.fits(item, at) {
		r := c.steps[at].revision
		if at == 0 || !item.loose && at == c.makers[r-1] || present && c.returned(at) < o.Call ||
			present && r < c.judge.last && c.judge.latest[r+1] < o.Call {
			return c.unfit(item), false, false
		}
		at = c.before(at, item.families)
	}
	item.at = at
	if next := c.after(at, item.families); present && next >= 0 && c.floor[next] < o.Call {
		c.floor[next], c.why[next] = o.Call, item.op
		moved = c.moment[next] < o.Call
	}
	return nil, false, moved
}

// returned returns when a step had surely happened: its operation had returned, or somebody had
// found the lease that it granted.
func (c *clock) returned(p int32) int64 {
	s := &c.steps[p]
	if s.op == nobody {
		return never
	}
	if !s.lostOp {
		return c.judge.history[s.op].Return
	}
	if grant, ok := c.judge.history[s.op].Request.Ask.(*Grant); ok {
		if t := c.judge.single(grant.ID); t != nil {
			return t.begun
		}
	}
	return never
}

// order lists everything that happened, by moments and then by places, and the leases that expired
// with the earliest moments of that.
func (c *clock) order() (order []int32, expiries, moments []int64) {
	type entry struct {
		moment int64
		place  int32
		item   bool
		op     int32
	}
	entries := make([]entry, 0, len(c.items)+len(c.steps))
	for p := 1; p < len(c.steps); p++ {
		op := c.steps[p].op
		if op == nobody {
			op = ^int32(len(expiries))
			expiries, moments = append(expiries, c.steps[p].lease), append(moments, c.steps[p].call)
		}
		entries = append(entries, entry{moment: c.moment[p], place: int32(p), op: op})
	}
	for k := range c.items {
		item := &c.items[k]
		if o := &c.judge.history[item.op]; isPresent(o) {
			entries = append(entries, entry{max(o.Call, c.moment[item.at]), item.at, true, item.op})
		}
	}
	slices.SortFunc(entries, func(a, b entry) int {
		if a.moment == b.moment && a.place == b.place && a.item != b.item {
			if a.item {
				return 1
			}
			return -1
		}
		return cmp.Or(cmp.Compare(a.moment, b.moment), cmp.Compare(a.place, b.place))
	})
	order = make([]int32, len(entries))
	for k := range entries {
		order[k] = entries[k].op
	}
	return order, expiries, moments
}
