package sim

import (
	"strings"
	"testing"
	"time"

	"detcd/faults"
)

func TestOptionsThatCannotBeRunAreRefusedWithTheReason(t *testing.T) {
	wide := PlainSurroundings()
	wide[LinkDelay] = int64(time.Hour)
	plan := func(f faults.Fault) Options { return Options{Plan: faults.Plan{f}} }
	for want, o := range map[string]Options{
		"members -1: want 1 to 9":       {Members: -1},
		"members 10: want 1 to 9":       {Members: 10},
		"clients -1: want 1 to 99":      {Clients: -1},
		"clients 100: want 1 to 99, fo": {Clients: 100},
		"rate -1: want 1 to":            {Rate: -1},
		"rate 100001: want 1 to":        {Rate: rateMax + 1},
		"duration -1s: want more":       {Duration: -time.Second},
		"duration 1000h0m0.000000001s":  {Duration: durationMax + 1},
		`bug "none": want one of`:       {Bug: "none"},
		"world delay=1h0m0s: want 10µs": {World: wide},
		"only 0.1: clients and their":   {Only: []Op{{0, 1}}},
		"only 1.0: clients and their":   {Only: []Op{{1, 0}}},
		"a plan of 100001 faults":       {Plan: make(faults.Plan, 100_001)},
		"Kind(0) is no kind of fault":   plan(faults.Fault{}),
		"want 1 to 900000 ppm": plan(faults.Fault{Kind: faults.ClockSlow, For: time.Second,
			Amount: 2_000_000}),
		"want 1 to 3600000 ms": plan(faults.Fault{Kind: faults.ClockJump, Amount: -500}),
		"there is no member 4": plan(faults.Fault{Kind: faults.Isolate, Members: []int{4}}),
		"the run is over after 1m0s": plan(faults.Fault{Kind: faults.Transfer,
			At: time.Minute + 1}),
	} {
		r := Run(o)
		if r.Verdict != Refused || !strings.Contains(r.Reason, want) {
			t.Errorf("%v %q, want %q", r.Verdict, r.Reason, want)
		}
	}
}

// A plan names members that join, and every kind at its weakest and strongest is a run that ends.
func TestEveryAmountThatMayBeAskedForIsARun(t *testing.T) {
	for _, kind := range faults.Kinds() {
		low, high := kind.Amounts()
		for _, amount := range []int64{low, high} {
			f := faults.Fault{At: 2 * time.Second, Kind: kind, Amount: amount}
			if kind.Info().Lasts {
				f.For = time.Second
			}
			o := Options{Seed: 7, Members: 3, Duration: 4 * time.Second, Rate: 20, Plan: faults.Plan{f}}
			if r := Run(o); r.Verdict != Green {
				t.Errorf("%v: %v %s", f, r.Verdict, r.Reason)
			}
		}
	}
	joins := faults.Plan{{Kind: faults.AddVoter}, {Kind: faults.Isolate, Members: []int{4}}}
	if err := (Options{Plan: joins}).Check(); err != nil {
		t.Error(err)
	}
}

// Programs may run worlds on several goroutines: they take turns, and are the same.
func TestRunsOfSeveralGoroutinesAreTheSameRuns(t *testing.T) {
	o := Drawn(faults.Everything, 3, 5*time.Second)
	want := Run(o).Hash
	hashes := make(chan uint64)
	for range 2 {
		go func() { hashes <- Run(o).Hash }()
	}
	for range 2 {
		if got := <-hashes; got != want {
			t.Errorf("hash %016x, want %016x", got, want)
		}
	}
}

// A fault of several members befalls all of them, not the first.
func TestAFaultBefallsEveryMemberThatItNames(t *testing.T) {
	for _, kind := range []faults.Kind{faults.CrashClean, faults.Restart} {
		stopped := map[int]bool{}
		Run(Options{Seed: 1, Duration: 4 * time.Second, Listen: func(l Line) {
			if l.Kind == "stop" {
				stopped[l.Member] = true
			}
		}, Plan: faults.Plan{{At: 2 * time.Second, Kind: kind, Members: []int{3, 1}}}})
		if len(stopped) != 2 || !stopped[1] || !stopped[3] {
			t.Errorf("%v members=3,1: %v stopped", kind, stopped)
		}
	}
}
