package sim_test

import (
	"testing"
	"time"

	"detcd/faults"
	"detcd/sim"
)

// BenchmarkMinute measures a minute of three members under everything, checker on: V2 of the goals.
func BenchmarkMinute(b *testing.B) {
	b.ReportAllocs()
	virtual, operations, events := time.Duration(0), 0, 0
	for i := range b.N {
		seed := uint64(i%200 + 1)
		result := sim.Run(sim.Options{Seed: seed, Members: 3, Duration: time.Minute,
			Plan: faults.Draw(faults.Everything, seed, time.Minute)})
		if result.Verdict != sim.Green {
			b.Fatal(result)
		}
		virtual += result.Virtual
		operations += int(result.Operations)
		events += int(result.Events)
	}
	b.ReportMetric(virtual.Seconds()/b.Elapsed().Seconds(), "virtual-s/s")
	b.ReportMetric(float64(operations)/float64(b.N), "ops/run")
	b.ReportMetric(float64(events)/float64(b.N), "events/run")
}
