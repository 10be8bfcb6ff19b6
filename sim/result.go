package sim

import (
	"fmt"
	"time"

	"detcd/faults"
)

// Verdict is how a run ended.
type Verdict int

// The verdicts.
const (
	Green    Verdict = iota // every promise was kept
	Safety                  // a promise was broken
	Liveness                // after healing, the cluster did not come back in time
	Crash                   // the program failed an assertion
	Lost                    // too much was destroyed; only a plan without a budget may do that
	Refused                 // nothing was run: Check refuses the options
)

// String returns one word.
func (v Verdict) String() string {
	names := [...]string{"green", "safety", "liveness", "crash", "lost", "refused"}
	if v < 0 || int(v) >= len(names) {
		return fmt.Sprintf("Verdict(%d)", int(v))
	}
	return names[v]
}

// Result is what a run came to.
//
// Many fields: each is a figure of the run that somebody reads.
type Result struct {
	Seed            uint64
	Profile         string
	Verdict         Verdict
	Reason          string // one sentence, unless green
	Stack           string // of a crash
	Events          uint64
	Operations      uint64 // of clients, begun
	Answered        uint64 // of these, carried out
	Unknown         uint64 // of these, without an answer
	WatchSeen       uint64 // events that watchers received
	Rights          uint64 // answers that were compared with what their clients might do
	Virtual         time.Duration
	Leader          time.Duration // after healing, until there was one
	ElectionTimeout time.Duration
	Undecided       bool                 // the checker found too many ways to explain what clients saw
	NoOpinion       bool                 // so did porcupine, in its window
	Hash            uint64               // of all events
	Gathered        [gatheredClasses]int // turns of members, by what had gathered for them
	Fields          map[string]int
	Fired           map[faults.Kind]int
	States          map[string]int // how often each state of StateInfos occurred

	begun []Op // operations of clients
}

func (w *world) result() Result {
	j := &w.judge
	return Result{Seed: w.options.Seed, Profile: w.options.Profile, Verdict: j.verdict,
		Reason: j.reason, Events: w.trace.events, Operations: w.operations,
		Answered: j.answeredOps, Unknown: j.unknownOps, WatchSeen: j.watchSeen, Rights: j.judgedRights,
		Virtual: time.Duration(w.now), Leader: j.leaderAfter, Hash: w.trace.hash,
		ElectionTimeout: w.options.World.electionTimeout(), Undecided: j.undecided,
		NoOpinion: j.noOpinion, Gathered: w.gathered, Fields: w.fields, Fired: w.fired,
		States: w.seenStates(), begun: w.begun}
}
