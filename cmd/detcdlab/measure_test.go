package main

import (
	"context"
	"os"
	"testing"
	"time"

	"detcd/bench"
	"detcd/cmd/detcd/testbed"
)

// TestMain lets the test's program be the server of empty calls, which is started as a process of
// this program. It must never run the tests instead.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "bench" {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestTheFloorIsAProcessThatEndsWithItsInput(t *testing.T) {
	endpoint, pid, stop, err := launchFloor()
	if err != nil {
		t.Fatal(err)
	}
	report, err := bench.Run(t.Context(), bench.Options{
		Endpoints: []string{endpoint}, Workload: bench.Empty, Total: 100, PIDs: []int{pid},
	})
	stop()
	if err != nil || report.Operations != 100 {
		t.Errorf("%v\n%v", err, report)
	}
	if _, err := bench.ReadProcess(pid); err == nil {
		t.Error("it is still there")
	}
}

// Every measurement of a goal can be made of a real member: nothing fails, and the figures that the
// goal is about are there.
func TestMeasurementsOfARealMemberHaveTheirFigures(t *testing.T) {
	binary := testbed.Detcd(t)
	const short = 500 * time.Millisecond
	for _, one := range []struct {
		name    string
		members int
		measure bench.Measurement
		load    bench.Options
		figures []bench.Measure
	}{
		{"population", 1, bench.Population(10 * time.Millisecond), bench.Options{Keys: 2000},
			[]bench.Measure{bench.Resident, bench.DiskUse, bench.FirstRead, bench.ResidentAgain}},
		{"disturbed", 1, bench.Disturbed, bench.Options{Keys: 1000, Rate: 500, Clients: 5},
			[]bench.Measure{bench.QuietP99, bench.CompactingRatio, bench.DefragmentRatio, bench.Syncs}},
		{"beside", 1, bench.Beside(bench.Options{Workload: bench.Range, Keys: 100, Span: 100}),
			bench.Options{Clients: 4}, []bench.Measure{bench.Ranges, bench.P99}},
		{"catch-up", 3, bench.CatchUp, bench.Options{Total: 500, Clients: 20},
			[]bench.Measure{bench.CatchUpSeconds}},
		{"behind", 3, bench.Behind(bench.Absence{Rate: 50, Link: 1 << 30, Quiet: short, Slice: short}),
			bench.Options{Total: 500, Keys: 500, Clients: 20},
			[]bench.Measure{bench.CatchUpSeconds, bench.LevelOverLink, bench.BesideOverQuiet}},
		{"expire", 1, bench.Expire, bench.Options{Keys: 50, Clients: 10},
			[]bench.Measure{bench.P99, bench.Throughput}},
		{"company", 1, bench.Company(1, 20), bench.Options{},
			[]bench.Measure{bench.PutsPerSync(1), bench.PutsPerSync(20), bench.LeastGrowth}},
		{"stm", 1, justRun, bench.Options{Workload: bench.STM, Keys: 10, Clients: 4},
			[]bench.Measure{bench.Throughput}},
	} {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			here := system("detcd", binary, t.TempDir(), nil)
			running, err := here.Start(t.Context(), one.members, bench.Distance{})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := running.Stop(); err != nil {
					t.Error(err)
				}
			}()
			load := one.load
			load.Endpoints, load.PIDs, load.ValueSize = running.Endpoints, running.PIDs, 64
			if load.Workload == "" {
				load.Workload = bench.Put
			}
			if load.Total == 0 {
				load.Duration = 200 * time.Millisecond
			}
			report, err := one.measure(t.Context(), running, load)
			if err != nil {
				t.Fatal(err)
			}
			if failed := report.Failed(); failed > 0 {
				t.Errorf("%d operations failed:\n%v", failed, report)
			}
			for _, figure := range one.figures {
				if figure.Of(report) <= 0 {
					t.Errorf("%s is %v\n%v", figure, figure.Of(report), report)
				}
			}
		})
	}
}

func justRun(ctx context.Context, _ bench.Running, o bench.Options) (*bench.Report, error) {
	return bench.Run(ctx, o)
}
