package sim

import (
	"slices"
	"time"

	"detcd/faults"
)

// Shrink makes a failing run small: it takes out faults, operations, clients, members and time as
// long as the run fails in the same way, until nothing can go or the tries are used up. It calls
// report, which may be nil, with what is left after each step that succeeded. A run that is green,
// or refused, comes back as it is.
func Shrink(options Options, tries int, report func(Options, Result)) (Options, Result) {
	s := &shrinker{tries: tries, report: report, best: options}
	s.best.setDefaults()
	s.result = Run(s.best)
	s.want = s.result.Verdict
	if s.want == Green || s.want == Refused {
		return s.best, s.result
	}
	for before := ""; before != (Scenario{Options: s.best}).String() && s.tries > 0; {
		before = (Scenario{Options: s.best}).String()
		s.time()
		s.faults()
		s.simpler()
		s.plainer()
		s.operations()
		s.smaller()
		s.time()
		s.later()
		s.clients()
		s.members()
		s.shorter()
	}
	return s.best, s.result
}

type shrinker struct {
	tries  int
	want   Verdict
	best   Options
	result Result
	all    []Op // that were begun, before any was taken out
	small  bool // the knobs of smaller have been tried, and stay
	report func(Options, Result)
}

// try keeps a change if the run still fails in the same way.
func (s *shrinker) try(change func(o *Options)) bool {
	if s.tries <= 0 {
		return false
	}
	s.tries--
	o := s.best
	o.Plan, o.Only = slices.Clone(o.Plan), slices.Clone(o.Only)
	change(&o)
	r := Run(o)
	if r.Verdict != s.want {
		return false
	}
	s.best, s.result = o, r
	if s.report != nil {
		s.report(o, r)
	}
	return true
}

// time ends the run soon after it failed.
func (s *shrinker) time() {
	if s.want == Liveness {
		for s.try(func(o *Options) { o.end(o.Duration / 2) }) {
		}
		return
	}
	end := s.result.Virtual.Round(time.Millisecond) + time.Millisecond
	if end < s.best.Duration {
		s.try(func(o *Options) { o.end(end) })
	}
}

// end ends a run earlier: what would come later is out of its plan.
func (o *Options) end(at time.Duration) {
	o.Duration = at
	o.Plan = slices.DeleteFunc(o.Plan, func(f faults.Fault) bool { return f.At > at })
}

// faults takes out ever smaller parts of the plan.
func (s *shrinker) faults() {
	for size := len(s.best.Plan); len(s.best.Plan) > 0; size = (size + 1) / 2 {
		for at := 0; at < len(s.best.Plan); {
			if !s.try(func(o *Options) {
				o.Plan = slices.Delete(o.Plan, at, min(at+size, len(o.Plan)))
			}) {
				at += size
			}
		}
		if size <= 1 {
			return
		}
	}
}

// simpler puts a plain crash in the place of a fault that is harder to bring about.
func (s *shrinker) simpler() {
	for i, f := range s.best.Plan {
		class := f.Kind.Info().Class
		if class == faults.ClassFailpoint || class == faults.ClassProcess &&
			f.Kind != faults.CrashClean {
			s.try(func(o *Options) {
				o.Plan[i] = faults.Fault{At: f.At, For: f.For, Kind: faults.CrashClean}
			})
		}
	}
}

// plainer puts the knobs back to their defaults.
func (s *shrinker) plainer() {
	for k, value := range PlainSurroundings() {
		if s.best.World[k] != value && !(s.small && slices.Contains(sizes, Knob(k))) {
			s.try(func(o *Options) { o.World[k] = value })
		}
	}
}

// operations first names those that were begun, then takes out ever smaller parts of them.
func (s *shrinker) operations() {
	if s.best.Only == nil {
		s.all = s.result.begun
		if !s.try(func(o *Options) { o.Only = s.all }) {
			return
		}
	}
	for size := len(s.best.Only); len(s.best.Only) > 0; size = (size + 1) / 2 {
		for at := 0; at < len(s.best.Only); {
			if !s.try(func(o *Options) {
				o.Only = slices.Delete(o.Only, at, min(at+size, len(o.Only)))
			}) {
				at += size
			}
		}
		if size <= 1 {
			return
		}
	}
}

// smaller makes files small where many operations are left: they may be there to fill one.
func (s *shrinker) smaller() {
	if len(s.best.Only) <= laterMax || s.small {
		return
	}
	s.small = true
	for _, k := range sizes {
		s.try(func(o *Options) { o.World[k] = knobInfos[k].Low })
	}
	s.operations()
}

// sizes are the knobs of smaller.
var sizes = []Knob{LogSegment, CheckpointBytes, LogBytes, ArchiveSegment, ArchiveFlush}

// later puts in the place of each operation the latest one that does as well. Where operations are
// needed now and then, as signs that a leader still leads, say, fewer are needed after that.
func (s *shrinker) later() {
	if len(s.best.Only) > laterMax {
		return
	}
	for i := 0; i+1 < len(s.best.Only); i++ {
		from := slices.Index(s.all, s.best.Only[i]) + 1
		for to := slices.Index(s.all, s.best.Only[i+1]); from < to; {
			middle := (from + to) / 2
			if s.try(func(o *Options) { o.Only[i] = s.all[middle] }) {
				from = middle + 1
			} else {
				to = middle
			}
		}
	}
}

// laterMax bounds the operations for which later ones are looked for.
const laterMax = 24

// clients leaves out the last ones that do nothing any more.
func (s *shrinker) clients() {
	for s.best.Clients > 1 && s.try(func(o *Options) { o.Clients-- }) {
	}
}

func (s *shrinker) members() {
	for s.best.Members > 1 && s.try(func(o *Options) { o.Members-- }) {
	}
}

// shorter makes faults that last shorter, and weak.
func (s *shrinker) shorter() {
	for i := range s.best.Plan {
		for s.best.Plan[i].For > 10*time.Millisecond &&
			s.try(func(o *Options) { o.Plan[i].For = (o.Plan[i].For / 2).Round(time.Millisecond) }) {
		}
	}
}
