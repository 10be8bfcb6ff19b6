package sim

import (
	"flag"
	"testing"
	"time"

	"detcd/faults"
)

var (
	seeds     = flag.Uint64("seeds", 40, "how many seeds of each profile to run")
	firstSeed = flag.Uint64("first-seed", 1, "the first of them")
)

// The sample of seeds that every build runs. `make fleet` runs more. One watch shows everything
// that happened, so no run is left undecided.
func TestEveryProfileIsGreen(t *testing.T) {
	fired := map[faults.Kind]int{}
	fields, states := map[string]int{}, map[string]int{}
	var gathered [gatheredClasses]int
	for _, profile := range faults.Profiles() {
		count := *seeds
		if profile == faults.Everything {
			count *= 5
		}
		for seed := *firstSeed; seed < *firstSeed+count; seed++ {
			r := Run(Drawn(profile, seed, 20*time.Second))
			for kind, n := range r.Fired {
				fired[kind] += n
			}
			for name, n := range r.Fields {
				fields[name] += n
			}
			for class, n := range r.Gathered {
				gathered[class] += n
			}
			for name, n := range r.States {
				states[name] += n
			}
			if r.Verdict != Green && !(r.Verdict == Lost && profile == faults.Unbudgeted) {
				t.Errorf("%v: %s\n%s\ndetcdlab replay %d --profile %s --duration 20s\n"+
					"detcdlab shrink %d --profile %s --duration 20s", r.Verdict, r.Reason, r.Stack,
					seed, profile, seed, profile)
			}
			if r.Undecided || r.NoOpinion {
				t.Errorf("seed %d of %s: undecided by the checker %v, by porcupine %v",
					seed, profile, r.Undecided, r.NoOpinion)
			}
		}
	}
	for _, kind := range faults.Kinds() {
		if uint64(fired[kind]) < max(1, *seeds/20) {
			t.Errorf("%v is cold: it fired %d times", kind, fired[kind])
		}
	}
	for class, n := range gathered {
		if uint64(n) < *seeds/20 {
			t.Errorf("only %d turns had gathered what makes class %d: %v", n, class, gathered)
		}
	}
	if cold := ColdStates(states); len(cold) > 0 {
		t.Errorf("states that never occurred: %v", cold)
	}
	for _, name := range fieldsWanted() {
		if fields[name] == 0 {
			t.Errorf("no client ever set %s", name)
		}
	}
}

// Two runs of a seed are equal, event by event; so are a run that is listened to and one that is
// not.
func TestTheSameSeedIsTheSameRun(t *testing.T) {
	for seed := uint64(1); seed <= 10; seed++ {
		o := Drawn(faults.Everything, seed, 20*time.Second)
		if number, first, second := Diverge(o); number != 0 {
			t.Errorf("seed %d: event %d differs:\n%v\n%v", seed, number, first, second)
		}
		silent := Run(o)
		o.Listen = func(Line) {}
		if heard := Run(o); heard.Hash != silent.Hash {
			t.Errorf("seed %d: listening changes the run", seed)
		}
	}
}

// That two seeds differ shows that the hash sees anything at all.
func TestTwoSeedsAreTwoRuns(t *testing.T) {
	hashes := map[uint64]uint64{}
	for seed := uint64(1); seed <= 20; seed++ {
		r := Run(Drawn(faults.Calm, seed, 3*time.Second))
		if other, ok := hashes[r.Hash]; ok {
			t.Errorf("seeds %d and %d have the same hash", seed, other)
		}
		hashes[r.Hash] = seed
	}
}
