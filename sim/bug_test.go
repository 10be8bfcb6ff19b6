package sim

import (
	"testing"
	"time"

	"detcd/faults"
)

// A checker that has never seen a bug proves nothing: each of these is found by the swarm, and
// shrunk to a few events.
func TestPlantedBugsAreFoundAndShrunk(t *testing.T) {
	for _, bug := range Bugs() {
		start := time.Now()
		for seed := uint64(1); ; seed++ {
			if time.Since(start) > time.Minute {
				t.Errorf("%s: not found by %d seeds in a minute", bug, seed)
				break
			}
			o := Options{Seed: seed, Duration: time.Minute, Bug: bug}
			o.Plan = faults.Draw(faults.Everything, seed, o.Duration)
			r := Run(o)
			if r.Verdict == Green {
				continue
			}
			found := time.Since(start)
			small, last := Shrink(o, 1000, nil)
			events := len(small.Plan) + len(small.Only)
			t.Logf("%s: found by seed %d after %v: %s\nshrunk in %v to %d events: %s\n%s", bug, seed,
				found, r.Reason, time.Since(start)-found, events, last.Reason, Scenario{Options: small})
			if events > 10 {
				t.Errorf("%s: shrunk to %d events", bug, events)
			}
			break
		}
	}
}
