package judge

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"
	"syscall"
	"testing"
	"time"

	"detcd/checker"
)

// large returns a history of so many lines as a real load makes it: many clients, some answers
// lost; puts, gets, ranges, transactions, deletions, leases; and a part of it what watches hear: a
// hundred of a key each, and maybe one of everything.
func large(seed uint64, lines, clients int, lost float64, all bool) []Operation {
	calls := lines * 97 / 100
	if all {
		calls = lines * 3 / 4
	}
	g := &generator{random: rand.New(rand.NewPCG(seed, 1)), operations: calls, clients: clients,
		keys: 1000, span: 2_000_000, pause: 1_000_000, plain: true, lost: lost}
	g.history = make([]Operation, 0, 2*lines)
	g.run()
	var asks []*Watch
	for n := range int64(100) {
		asks = append(asks, &Watch{Watch: 1 + n, Key: g.key(), Start: 2})
	}
	if all {
		asks = append(asks, &Watch{Watch: 101, Key: "\x00", End: "\x00", Start: 2, PrevKV: true})
	}
	g.watchAll(asks)
	if len(g.history) < lines {
		panic(fmt.Sprintf("%d lines are not %d", len(g.history), lines))
	}
	if all { // what it does not show is not known
		return g.history
	}
	return slices.Clone(g.history[:lines]) // a watch that was not heard to its end is none the worse
}

// BenchmarkJudge judges the goal's history: a million operations of 100 clients, one answer in
// twenty lost. It reports the memory that the history takes, the most that judging adds to
// it, and the time of the processor: on a busy machine the clock says less.
func BenchmarkJudge(b *testing.B) {
	for _, c := range []struct {
		lines int
		lost  float64
		all   bool
	}{{10_000, 0.05, false}, {100_000, 0.05, false}, {100_000, 0.05, true}, {1_000_000, 0, false},
		{1_000_000, 0.05, false}, {1_000_000, 0.05, true}} {
		b.Run(fmt.Sprintf("operations=%d/lost=%v/all=%v", c.lines, c.lost, c.all),
			func(b *testing.B) {
				runtime.GC()
				before := held()
				history := large(1, c.lines, 100, c.lost, c.all)
				runtime.GC()
				size := held() - before
				judgeAgain(b, history)
				b.ReportMetric(float64(size)/1e6, "MB-history")
				b.ReportMetric(float64(peak(history))/1e6, "MB-judge")
			})
	}
}

// held returns how many bytes are in use.
func held() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// peak returns how many bytes more than before are in use at most while a history is judged, as
// samples show. The collector runs often meanwhile: else garbage would count too.
func peak(history []Operation) uint64 {
	defer debug.SetGCPercent(debug.SetGCPercent(5))
	runtime.GC()
	before, most := held(), uint64(0)
	stop, stopped := make(chan bool), make(chan bool)
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				most = max(most, held())
			}
		}
	}()
	report := Judge(history, Options{StepsMax: 2 * len(history)})
	close(stop)
	<-stopped
	most = max(most, held())
	runtime.KeepAlive(report)
	return most - min(before, most)
}

// judgeAgain is the body of a benchmark.
func judgeAgain(b *testing.B, history []Operation) {
	b.ReportAllocs()
	begin := processorTime()
	decided := 0.0
	for b.Loop() {
		switch report := Judge(history, Options{StepsMax: 2 * len(history)}); report.Verdict {
		case checker.Violated:
			b.Fatalf("%v: %s", report.Verdict, report.Reason)
		case checker.Holds:
			decided = 1
		}
	}
	b.ReportMetric(decided, "decided")
	spent := processorTime() - begin
	b.ReportMetric(float64(spent.Milliseconds())/float64(b.N), "ms-processor/op")
}

// processorTime returns for how long this process has had a processor.
func processorTime() time.Duration {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkPorcupine is the same question to a search.
func BenchmarkPorcupine(b *testing.B) {
	for _, c := range []struct {
		operations int
		lost       float64
	}{{300, 0}, {1000, 0}, {3000, 0}, {100, 0.05}, {300, 0.05}} {
		b.Run(fmt.Sprintf("operations=%d/lost=%v", c.operations, c.lost), func(b *testing.B) {
			g := &generator{random: rand.New(rand.NewPCG(1, 1)), operations: c.operations,
				clients: 10, keys: 1000, span: 2_000_000, pause: 1_000_000, plain: true, lost: c.lost}
			history := g.run()
			var verdict checker.Verdict
			for b.Loop() {
				verdict = opinion(history)
			}
			b.ReportMetric(float64(verdict), "verdict")
		})
	}
}
