package sim_test

import (
	"runtime"
	"runtime/debug"
	"slices"
	"syscall"
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

// BenchmarkSpeed measures runs of a minute as detcdlab sim makes them, with the drawn world and
// with the plain one: how much virtual time passes while the processor works a second. On a busy
// machine the clock would say less.
func BenchmarkSpeed(b *testing.B) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	defer debug.SetGCPercent(debug.SetGCPercent(800))
	for _, world := range []string{"drawn", "plain"} {
		b.Run(world, func(b *testing.B) {
			var speeds []float64
			virtual, spent := 0.0, 0.0
			for i := range b.N {
				o := sim.Drawn(faults.Everything, uint64(i+1), time.Minute)
				if world == "plain" {
					o.World = sim.PlainSurroundings()
				}
				begin := processorTime(b)
				result := sim.Run(o)
				took := (processorTime(b) - begin).Seconds()
				speeds = append(speeds, result.Virtual.Seconds()/took)
				virtual, spent = virtual+result.Virtual.Seconds(), spent+took
			}
			slices.Sort(speeds)
			b.ReportMetric(speeds[len(speeds)/2], "median")
			b.ReportMetric(virtual/spent, "virtual-s/processor-s")
		})
	}
}

// processorTime returns for how long this process has had a processor.
func processorTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Skip(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
