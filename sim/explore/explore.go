package explore

import (
	"errors"
	"fmt"

	"detcd/storage/vfs"
)

// Options bound an exploration. The zero value of a bound allows nothing, but where it says else.
//
// Many fields: each way in which a world is small is one.
type Options struct {
	Members    int  // 3
	Depth      int  // choices in a run
	Terms      int  // nobody campaigns in this one or later; they begin with 1
	Crashes    int  // with a start right behind them
	Duplicates int  // messages that arrive twice
	SlowWrites int  // writes that do not end in the step that began them
	Proposals  int  // commands of clients
	Reads      int  // linearizable reads of clients
	Beats      int  // ticks of leaders: heartbeats, and a look at who answers
	InFlight   int  // messages on one link; the oldest is lost if there are more. 2
	Ordered    bool // links keep the order, and may lose; else messages arrive in any order
	PreVote    bool // members ask whether they could win before they campaign
	Asymmetric bool // states that differ only in who is who are different
	States     int  // at most so many; 0: no bound

	disk func(vfs.FS) vfs.FS // what is between a member and its disk, in tests; nil: nothing

	From string       // choices that come before everything else
	Stop func() bool  `json:"-"` // asked at times: true ends the search; nil: never
	Tell func(Result) `json:"-"` // is told at the end of each depth; nil: nobody is
}

func (o *Options) limit(b budget) int {
	return [budgets]int{o.Crashes, o.Duplicates, o.SlowWrites, o.Proposals, o.Reads, o.Beats}[b]
}

// errBounds says that the bounds of an exploration make no sense.
var errBounds = errors.New("explore: bounds")

func (o *Options) check() error {
	if o.Members == 0 {
		o.Members = 3
	}
	if o.InFlight == 0 {
		o.InFlight = 2
	}
	switch {
	case o.Members < 1 || o.Members > membersMax:
		return fmt.Errorf("%w: %d members, of 1 to %d", errBounds, o.Members, membersMax)
	case o.Depth < 0 || o.InFlight < 0 || o.States < 0:
		return fmt.Errorf("%w: less than nothing", errBounds)
	case o.Proposals+o.Reads > operationsMax:
		return fmt.Errorf("%w: %d operations of clients, of at most %d", errBounds,
			o.Proposals+o.Reads, operationsMax)
	case o.Terms < 1 || o.Terms > 200:
		return fmt.Errorf("%w: %d terms, of 1 to 200", errBounds, o.Terms)
	}
	for b := range budgets {
		if n := o.limit(b); n < 0 || n > operationsMax {
			return fmt.Errorf("%w: %d of something, of 0 to %d", errBounds, n, operationsMax)
		}
	}
	return nil
}

// operationsMax bounds what clients ask for, and each other thing that may happen so often.
const operationsMax = 200

// Result is what an exploration came to.
type Result struct {
	Depth    int  // all that is reachable in so many choices was looked at
	Complete bool // nothing more is reachable at all, within the other bounds
	States   int  // of the cluster, different ones
	Edges    int  // choices that were followed
	Locals   int  // states of members
	Steps    int  // of members that were executed

	Broken string // what does not hold; empty: everything holds
	Path   string // the choices that lead there
	Why    string // the search ended early; empty: it did not
}

// visit is how a state was reached.
type visit struct {
	from   int32 // the number of the state before; -1: none
	choice uint16
}

// Run explores. The same options give the same result, but where Stop ends it.
func Run(o Options) (Result, error) {
	if err := o.check(); err != nil {
		return Result{}, err
	}
	defer fixTimeouts()()
	s, err := newSearch(o)
	if err != nil {
		return Result{}, err
	}
	for s.result.Depth < o.Depth && s.result.Why == "" && s.result.Broken == "" {
		if s.layer(); len(s.frontier) == 0 {
			s.result.Complete = true
			break
		}
		if o.Tell != nil {
			o.Tell(s.result)
		}
	}
	return s.result, nil
}

// search is a breadth-first search: what it finds first has the shortest trace there is.
type search struct {
	*explorer
	seen     *table
	visits   []visit
	first    int // the number of the first state of the frontier
	frontier []*cluster
	result   Result
}

func newSearch(o Options) (*search, error) {
	x := &explorer{options: o, space: newSpace(&o)}
	begin, err := x.begin()
	if err != nil {
		return nil, err
	}
	s := &search{explorer: x, seen: newTable(), frontier: []*cluster{begin}}
	s.seen.add(x.digest(begin))
	s.visits = append(s.visits, visit{from: -1})
	return s, nil
}

// layer follows every choice in every state of the frontier.
func (s *search) layer() {
	var next []*cluster
	first := len(s.visits)
	for i, c := range s.frontier {
		if i%1024 == 0 && s.options.Stop != nil && s.options.Stop() {
			s.result.Why = "it was stopped"
			return
		}
		for number, by := range s.next(c) {
			s.result.Edges++
			after, broken := s.after(c, by)
			if broken != "" {
				s.result.Broken = broken
				s.result.Path = s.path(s.first+i, number)
				return
			}
			if s.seen.add(s.digest(after)) {
				next = append(next, after)
				s.visits = append(s.visits, visit{int32(s.first + i), uint16(number)})
			}
		}
		s.count()
		if s.options.States > 0 && len(s.visits) >= s.options.States {
			s.result.Why = "there are too many states"
			return
		}
	}
	s.result.Depth++
	s.first, s.frontier = first, next
}

func (s *search) count() {
	s.result.States, s.result.Locals = len(s.visits), len(s.space.locals)-1
	s.result.Steps = s.space.steps
}
