package model

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"detcd/checker"
)

// large returns a history as a real load makes it: many clients, some answers lost; and, if wanted,
// watches: one of everything, and some of a key or a few.
func large(operations, clients int, lost float64, watched bool) []Operation {
	g := &generator{random: rand.New(rand.NewPCG(1, 1)), operations: operations, clients: clients,
		keys: 1000, span: 2_000_000, pause: 1_000_000, plain: true, lost: lost}
	history := g.run()
	if watched {
		asks := []*Watch{{Watch: 1, Key: "\x00", End: "\x00", Start: 2, PrevKV: true}}
		for n := range int64(20) {
			asks = append(asks, &Watch{Watch: 2 + n, Key: g.key(), Start: 2})
		}
		g.watchAll(asks)
		history = g.history
	}
	return history
}

// BenchmarkJudge judges the goal's history: a million operations. It reports the memory that the
// judge adds to the history and the time for one operation.
func BenchmarkJudge(b *testing.B) {
	for _, c := range []struct {
		operations, clients int
		lost                float64
		watched             bool
	}{{10_000, 100, 0.05, false}, {100_000, 100, 0.05, true}, {1_000_000, 100, 0, false},
		{1_000_000, 100, 0.05, true}} {
		name := fmt.Sprintf("operations=%d/clients=%d/lost=%v/watched=%v", c.operations, c.clients,
			c.lost, c.watched)
		b.Run(name, func(b *testing.B) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			history := large(c.operations, c.clients, c.lost, c.watched)
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
			history := large(c.operations, c.clients, c.lost, false)
			var verdict checker.Verdict
			for b.Loop() {
				verdict = checker.Linearizable(withPast(), history, 60*time.Second)
			}
			b.ReportMetric(float64(verdict), "verdict")
		})
	}
}
