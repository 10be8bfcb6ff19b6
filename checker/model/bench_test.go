package model

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"detcd/checker"
)

// large returns a history as a real load makes it: 100 clients, one answer in twenty lost.
func large(operations, clients int, lost float64) []Operation {
	g := &generator{random: rand.New(rand.NewPCG(1, 1)), operations: operations, clients: clients,
		keys: 1000, span: 2_000_000, pause: 1_000_000, plain: true, lost: lost}
	return g.run()
}

// BenchmarkJudge judges the goal's history: a million operations. It reports the memory that the
// judge adds to the history and the time for one operation.
func BenchmarkJudge(b *testing.B) {
	for _, c := range []struct {
		operations, clients int
		lost                float64
	}{{10_000, 100, 0.05}, {100_000, 100, 0.05}, {1_000_000, 100, 0}, {1_000_000, 100, 0.05}} {
		name := fmt.Sprintf("operations=%d/clients=%d/lost=%v", c.operations, c.clients, c.lost)
		b.Run(name, func(b *testing.B) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			history := large(c.operations, c.clients, c.lost)
			runtime.GC()
			runtime.ReadMemStats(&after)
			held := after.HeapAlloc - before.HeapAlloc
			var report *Report
			b.ReportAllocs()
			for b.Loop() {
				report = Judge(history, Options{})
				if report.Verdict != checker.Holds {
					b.Fatalf("%v: %s", report.Verdict, report.Reason)
				}
			}
			b.ReportMetric(float64(held)/1e6, "MB-history")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*c.operations), "ns/operation")
		})
	}
}

// BenchmarkPorcupine is the same question to a search.
func BenchmarkPorcupine(b *testing.B) {
	for _, c := range []struct {
		operations, clients int
		lost                float64
	}{{100, 10, 0}, {300, 10, 0}, {300, 10, 0.05}} {
		name := fmt.Sprintf("operations=%d/clients=%d/lost=%v", c.operations, c.clients, c.lost)
		b.Run(name, func(b *testing.B) {
			history := large(c.operations, c.clients, c.lost)
			var verdict checker.Verdict
			for b.Loop() {
				verdict = checker.Linearizable(withPast(), history, 60*time.Second)
			}
			b.ReportMetric(float64(verdict), "verdict")
		})
	}
}
