package sim

import (
	"slices"
	"testing"
	"time"

	"detcd/faults"
)

// plantedSeeds bounds how many seeds a planted bug may take to be found.
const plantedSeeds = 200

// A judge that has never seen a bug proves nothing: each of these is found by the swarm within a
// bounded number of seeds, and shrunk: to ten events in the median, and never to more than twenty.
func TestPlantedBugsAreFoundAndShrunk(t *testing.T) {
	var sizes []int
	for _, bug := range Bugs() {
		start := time.Now()
		o, found := find(bug)
		if !found {
			t.Errorf("%s: not found in %d seeds", bug, plantedSeeds)
			continue
		}
		after := time.Since(start)
		small, last := Shrink(o, 1000, nil)
		events := len(small.Plan) + len(small.Only)
		t.Logf("%s: seed %d, after %v, shrunk in %v to %d events: %s\n%s", bug, o.Seed, after,
			time.Since(start)-after, events, last.Reason, Scenario{Options: small})
		if sizes = append(sizes, events); events > 20 {
			t.Errorf("%s: shrunk to %d events", bug, events)
		}
	}
	slices.Sort(sizes)
	if len(sizes) > 0 && sizes[len(sizes)/2] > 10 {
		t.Errorf("shrunk to %v events", sizes)
	}
}

func find(bug Bug) (Options, bool) {
	for seed := uint64(1); seed <= plantedSeeds; seed++ {
		o := Options{Seed: seed, Duration: time.Minute, Bug: bug}
		o.Plan = faults.Draw(faults.Everything, seed, o.Duration)
		if Run(o).Verdict != Green {
			return o, true
		}
	}
	return Options{}, false
}
