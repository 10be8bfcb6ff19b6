package judge

import (
	"cmp"
	"slices"

	"detcd/checker/etcd"
)

// A search finds an order: it lets one operation happen after the other, and goes back when nothing
// can happen any more. See doc.go for why that ends soon.
//
// Many fields: it is the whole state of a computation that can be taken back.
type search struct {
	*judge
	state   *etcd.State
	rev     int64 // of state
	trail   []step
	latest  int64 // before this the present revision cannot have been made
	scratch etcd.Response

	placed   []bool // by operation: what is quiet or lost
	slotFrom int    // the slot of rev in members: what is reading begins here,
	slotMid  int    // and what is quiet here
	slotEnd  int
	next     int     // the first in members that is reading and not placed
	back     []int64 // by member: the first return of those that are reading from it on, in its slot

	floated   []bool  // by float
	floatLow  int     // all floats before it are placed
	byBack    []int32 // floats by their returns
	rank      []int32 // by float: its place in byBack
	backLow   int     // all floats before it, by their returns, are placed
	stuck     []int32
	owed      []debt // conditions on compactions that the order itself brought up
	owedLow   int    // all before it are met
	compacted map[int64]int

	ends   map[int64]int64 // by lease: before then it cannot end by itself
	gone   map[int64]int64 // by lease: at that moment it was last seen not to be there
	endLog []endNote       // changes of both

	choices []choice
	swaps   map[int32][]int32 // by place in the trail: who could have made that revision as well
	at      map[int32]int32   // by lost operation that can be swapped: its place in the trail
	chosen  int32             // who is to make the next revision,
	equals  []int32           // and who can make it as well
	index   lostIndex
	hash    uint64
	failed  map[failure]bool // states in which all was tried

	steps    int
	best     *conflict // of those that ended a try, the one that came farthest
	bestAt   [2]int
	cutShort bool // not all was tried
}

// A step is one thing that happened.
type step struct {
	kind    kind
	op      int32 // the operation; a place in floats of what floats; nobody: a lease ended by itself
	changes int32 // of the state, before
	ends    int32 // in endLog, before
	owed    int32 // debts, before
	made    bool  // it made a revision
	lease   int64 // that ended by itself
	call    int64 // before which that cannot have been
	latest  int64 // before
	effect  uint64
}

// A kind says what happened.
type kind uint8

const (
	atRead   kind = iota // an operation that changed nothing, in the slot of its revision
	atFloat              // a float
	atQuiet              // a lease was granted, or ended without keys, as an answer says
	atMaker              // a revision was made by who says so
	atLost               // an operation happened whose answer was lost
	atExpiry             // a lease ended by itself
)

// A debt is a condition on compactions that is due at a time: a message did not show what a key was
// before, as if that had been compacted.
type debt struct {
	over, due int64
	op        int32
}

// An endNote is what is needed to take back a change of ends, or of gone.
type endNote struct {
	lease, was  int64
	known, gone bool
}

// A choice is a state with what is left to try in it.
type choice struct {
	trail   int
	options []option
	chosen  int32   // one of them can be swapped
	equals  []int32 // for these
}

// An option is one thing that could happen.
type option struct {
	kind  kind
	op    int32
	lease int64
}

// A conflict is why a try ended.
type conflict struct {
	op       int32
	revision int64
	sure     bool // it depends on no choice
	help     bool // it may be that something is missing which nobody saw
	say      func() string
	core     []int32
}

// failure is a state, as far as what can still happen depends on it.
type failure struct {
	hash uint64
	rev  int64
	n    int
}

// failedMax bounds how many failed states are remembered; beyond it more may be tried again.
const failedMax = 1 << 20

// stepsMax is the bound on what is tried.
func (j *judge) stepsMax() int {
	most := j.options.StepsMax
	if most <= 0 {
		most = 10*len(j.history) + 1_000_000
	}
	return most * max(1, j.options.Effort)
}

// findOrder searches for an order and reports it.
func (j *judge) findOrder(report *Report) *verdict {
	j.dateCompactions()
	slices.SortStableFunc(j.floats, func(a, b float) int { return cmp.Compare(a.call, b.call) })
	j.collectEvidence()
	s := newSearch(j)
	v := s.run()
	report.Steps = s.steps
	if v != nil {
		return v
	}
	for k := range s.trail {
		t := &s.trail[k]
		op := t.op
		switch {
		case t.kind == atFloat && j.floats[op].kind != outcome:
			continue
		case t.kind == atFloat:
			op = j.floats[op].op
		case t.kind == atExpiry:
			op = ^int32(len(report.Expiries))
			report.Expiries = append(report.Expiries, t.lease)
			report.expired = append(report.expired, t.call)
		}
		if op >= 0 && !etcd.OfThePresent(&j.history[op]) {
			continue
		}
		report.Order = append(report.Order, op)
	}
	return nil
}

func newSearch(j *judge) *search {
	s := &search{judge: j, state: etcd.NewState(), rev: 1, latest: -never,
		trail:   make([]step, 0, len(j.history)),
		choices: make([]choice, 0, len(j.lost)),
		placed:  make([]bool, len(j.history)), floated: make([]bool, len(j.floats)),
		back: make([]int64, len(j.members)), byBack: make([]int32, len(j.floats)),
		compacted: map[int64]int{}, ends: map[int64]int64{}, gone: map[int64]int64{},
		swaps: map[int32][]int32{},
		at:    map[int32]int32{}, failed: map[failure]bool{}}
	s.state.Expect(int(j.last))
	s.rank = make([]int32, len(j.floats))
	for k := range s.byBack {
		s.byBack[k] = int32(k)
	}
	slices.SortStableFunc(s.byBack, func(a, b int32) int {
		return cmp.Compare(j.floats[a].back, j.floats[b].back)
	})
	for n, k := range s.byBack {
		s.rank[k] = int32(n)
	}
	for r := int64(1); r <= j.last; r++ {
		first := int64(never)
		for k := int(j.from[r+1]) - 1; k >= int(j.from[r]); k-- {
			if i := j.members[k]; j.roles[i] == reading {
				first = min(first, j.history[i].Return)
			}
			s.back[k] = first
		}
	}
	s.index = j.indexLost()
	return s
}

// run searches until an order is found, all was tried, or the bound is reached.
func (s *search) run() *verdict {
	found := s.enter()
	for {
		if found == nil {
			if found = s.forward(); found == nil {
				return nil
			}
		}
		if found.sure {
			return s.verdictOf(found)
		}
		s.remember(found)
		if s.steps > s.stepsMax() {
			return s.giveUp()
		}
		var left bool
		if left, found = s.goBack(); !left {
			if s.cutShort {
				return s.giveUp()
			}
			return s.verdictOf(s.best)
		}
	}
}

// verdictOf turns a conflict into a verdict.
func (s *search) verdictOf(c *conflict) *verdict {
	core := c.core
	if c.op != nobody && !slices.Contains(core, c.op) {
		core = append([]int32{c.op}, core...)
	}
	return violated(c.op, core, "%s", c.say())
}

// giveUp is the verdict when not all could be tried.
func (s *search) giveUp() *verdict {
	advice := "; --effort tries more, a watch from revision 1 on would decide it"
	if s.lit == s.last {
		advice = "; --effort tries more"
	}
	return undecided(s.best.op, "not all orders could be tried in %d steps%s; the try that came "+
		"farthest ended because %s", s.steps, advice, s.best.say())
}

// remember keeps the conflict that came farthest.
func (s *search) remember(c *conflict) {
	at := [2]int{int(s.rev), len(s.trail)}
	if s.best == nil || at[0] > s.bestAt[0] || at[0] == s.bestAt[0] && at[1] > s.bestAt[1] {
		text := c.say()
		c.say = func() string { return text }
		s.best, s.bestAt = c, at
	}
}

// forward lets things happen until all has, or nothing can.
func (s *search) forward() *conflict {
	for {
		if c := s.placeFree(); c != nil {
			return c
		}
		if s.done() {
			return nil
		}
		if s.steps > s.stepsMax() {
			return &conflict{op: nobody, say: func() string { return "it took too long" }}
		}
		if len(s.stuck) == 0 && s.slotDone() && s.rev < s.last {
			if i := s.owner[s.rev+1]; i != nobody {
				c := s.happen(option{kind: atMaker, op: i})
				if c == nil {
					continue
				}
				if !c.help {
					return c
				}
			}
		}
		if s.hasFailed() {
			return &conflict{op: nobody, say: func() string { return "it was tried before" }}
		}
		options := s.possible()
		s.choices = append(s.choices, choice{len(s.trail), options, s.chosen, s.equals})
		left, found := s.tryNext()
		if left {
			continue
		}
		return found
	}
}

// tryNext lets the next option of the last choice happen that can. If there is none the choice
// ends.
func (s *search) tryNext() (left bool, found *conflict) {
	var why *conflict
	for {
		c := &s.choices[len(s.choices)-1]
		if len(c.options) == 0 || s.steps > s.stepsMax() {
			break
		}
		o := c.options[0]
		c.options = c.options[1:]
		if found := s.happen(o); found == nil {
			if o.kind == atLost && o.op == c.chosen {
				s.swaps[int32(c.trail)], s.at[o.op] = c.equals, int32(c.trail)
			}
			return true, nil
		} else if found.sure {
			return false, found
		} else {
			why = found
		}
		s.undo(c.trail)
	}
	if s.steps <= s.stepsMax() {
		s.fail()
	}
	s.choices = s.choices[:len(s.choices)-1]
	if blocked := s.blocked(); why == nil || blocked != nil {
		why = blocked
	}
	if why == nil {
		why = &conflict{op: nobody, say: func() string { return "nothing can happen any more" }}
	}
	return false, why
}

// goBack returns to the last choice that has something left to try, and tries that.
func (s *search) goBack() (left bool, found *conflict) {
	for len(s.choices) > 0 {
		c := &s.choices[len(s.choices)-1]
		s.undo(c.trail)
		if left, found = s.tryNext(); left {
			return true, nil
		}
		if found.sure {
			return true, found
		}
		s.remember(found)
		if s.steps > s.stepsMax() {
			s.cutShort = true
			return false, nil
		}
	}
	return false, nil
}

// hasFailed tells whether all was tried in this state before.
func (s *search) hasFailed() bool {
	return len(s.failed) > 0 && s.failed[failure{s.hash, s.rev, len(s.trail)}]
}

// fail remembers that all was tried in this state.
func (s *search) fail() {
	if len(s.failed) < failedMax {
		s.failed[failure{s.hash, s.rev, len(s.trail)}] = true
	}
}

// done tells whether everything happened that has to.
func (s *search) done() bool {
	return s.rev >= s.last && s.slotDone() && s.floatLow == len(s.floats) && !s.owes()
}

// owes tells whether a condition is left that the order brought up.
func (s *search) owes() bool {
	return slices.ContainsFunc(s.owed[s.owedLow:], func(d debt) bool {
		return d.over >= s.state.Compacted()
	})
}

// slotDone tells whether everything happened that names the present revision.
func (s *search) slotDone() bool {
	if s.next < s.slotMid {
		return false
	}
	for _, i := range s.members[s.slotMid:s.slotEnd] {
		if !s.placed[i] {
			return false
		}
	}
	return true
}

// bound returns the first return of what has not happened: nothing can happen before it that was
// called later.
func (s *search) bound() int64 {
	first := s.by[s.rev+1]
	if s.next < s.slotMid {
		first = min(first, s.back[s.next])
	}
	for _, i := range s.members[s.slotMid:s.slotEnd] {
		if !s.placed[i] {
			first = min(first, s.history[i].Return)
		}
	}
	for s.backLow < len(s.byBack) && s.floated[s.byBack[s.backLow]] {
		s.backLow++
	}
	if s.backLow < len(s.byBack) {
		first = min(first, s.floats[s.byBack[s.backLow]].back)
	}
	for s.owedLow < len(s.owed) && s.owed[s.owedLow].over < s.state.Compacted() {
		s.owedLow++
	}
	for _, d := range s.owed[s.owedLow:] {
		if d.over >= s.state.Compacted() {
			first = min(first, d.due)
		}
	}
	return first
}
