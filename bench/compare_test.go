package bench

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// fakeSystem is the test's server under a name, counting what runs.
func fakeSystem(t *testing.T, name string, order *[]string, running *int) System {
	start := func(_ context.Context, members int, _ Distance) (Running, error) {
		*order = append(*order, fmt.Sprintf("%s/%d", name, members))
		*running++
		_, o := serve(t)
		return Running{Endpoints: o.Endpoints, Stop: func() error {
			*running--
			return nil
		}}, nil
	}
	return System{Name: name, Start: start}
}

func TestAComparisonTakesTheSystemsInTurnAndStopsEachCluster(t *testing.T) {
	var order []string
	var running int
	put := Case{Name: "A", What: "put", Members: 1, Load: Options{Workload: Put, Clients: 4}}
	get := Case{Name: "B", What: "get", Members: 3, Load: Options{Workload: Range, Keys: 20}}
	result, err := Compare(t.Context(), Comparing{
		Peer:      fakeSystem(t, "etcd", &order, &running),
		Candidate: fakeSystem(t, "detcd", &order, &running),
		Cases:     []Case{put, get}, Rounds: 2, Duration: 20 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := "etcd/1 detcd/1 etcd/3 detcd/3 detcd/1 etcd/1 detcd/3 etcd/3"
	if got := strings.Join(order, " "); got != want {
		t.Errorf("order %s, want %s", got, want)
	}
	if running != 0 {
		t.Errorf("%d clusters were left running", running)
	}
	for _, one := range result.Cases {
		if len(one.Peer) != 2 || len(one.Candidate) != 2 {
			t.Errorf("%s: %d and %d reports", one.Name, len(one.Peer), len(one.Candidate))
		}
	}
}

func TestAComparisonEndsWhenAClusterDoesNotStart(t *testing.T) {
	var order []string
	var running int
	bad := errors.New("no such binary")
	_, err := Compare(t.Context(), Comparing{
		Peer: fakeSystem(t, "etcd", &order, &running),
		Candidate: System{Name: "detcd", Start: func(context.Context, int, Distance) (Running, error) {
			return Running{}, bad
		}},
		Cases:    []Case{{Name: "A", What: "put", Members: 3, Load: Options{Workload: Put}}},
		Duration: time.Millisecond,
	})
	if !errors.Is(err, bad) || !strings.Contains(err.Error(), "detcd, A put, 3 members") {
		t.Errorf("%v", err)
	}
	if running != 0 {
		t.Errorf("%d clusters were left running", running)
	}
}

func TestAMeasurementThatFailsIsSaidAndItsPairDoesNotCount(t *testing.T) {
	var order []string
	var running, count int
	flaky := func(ctx context.Context, _ Running, o Options) (*Report, error) {
		if count++; count == 3 { // of the second round, whose first is the candidate's
			return nil, errors.New("out of luck")
		}
		return Run(ctx, o)
	}
	result, err := Compare(t.Context(), Comparing{
		Peer:      fakeSystem(t, "etcd", &order, &running),
		Candidate: fakeSystem(t, "detcd", &order, &running),
		Cases: []Case{{Name: "A", What: "put", Members: 1, Measure: flaky,
			Load: Options{Workload: Put}}},
		Rounds: 3, Duration: 10 * time.Millisecond,
	})
	if err != nil || running != 0 {
		t.Fatalf("%v; %d clusters were left running", err, running)
	}
	if one := result.Cases[0]; len(one.Peer) != 2 || len(one.Candidate) != 2 {
		t.Errorf("%d and %d reports", len(one.Peer), len(one.Candidate))
	}
	want := "FAILED round 2: detcd, A put: out of luck"
	if !strings.Contains(result.String(), want) {
		t.Errorf("it is not said:\n%v", result)
	}
}

// drifting is a machine whose second half is twice as slow for both, and a candidate that is three
// times as fast as the peer all the time.
func drifting() *Comparison {
	report := func(perSecond, cpu float64) *Report {
		return &Report{PerSecond: perSecond, ServerCPUMicros: cpu, Latency: Latency{P50: 1, P99: 2},
			Servers: []ProcessUse{{ResidentBytes: 5e7}}}
	}
	c := &Comparison{Peer: "etcd", Candidate: "detcd", Rounds: 3, Seconds: 61}
	c.Machine = Machine{Time: "a day", Commit: "c0ffee", Go: "go1", System: "linux", Processors: 2,
		Model: "Abacus", Load: "0.10 0.20 0.30"}
	c.Cases = []CaseResult{{
		Name: "P1", What: "put, 100 clients", Members: 1,
		Case: Case{Claims: []Claim{{Throughput, 2.5, true, false}, {ServerCPU, 0.35, false, false}}},
		Peer: []*Report{report(20000, 40), report(10000, 80), report(10000, 80)},
		Candidate: []*Report{
			report(60000, 20), report(30000, 40), report(32000, 40),
		},
	}}
	c.Cases[0].Ratios = c.Cases[0].ratios()
	return c
}

func TestARatioIsThatOfNeighboursAndClaimsAreJudged(t *testing.T) {
	comparison := drifting()
	ratios := comparison.Cases[0].Ratios
	if r := ratios[0]; r.Median != 3 || r.Low != 3 || r.High != 3.2 || !r.Met() {
		t.Errorf("throughput %+v", r)
	}
	if r := ratios[1]; r.Median != 0.5 || r.Met() {
		t.Errorf("a processor use of half of it passes for 0.35: %+v", r)
	}
	if kept, all := comparison.Claims(); kept != 1 || all != 2 {
		t.Errorf("%d claims of %d kept, want 1 of 2", kept, all)
	}
}

func TestTheGoalsCanBeRun(t *testing.T) {
	for _, one := range Goals("h:2") {
		o := one.Load
		o.Endpoints = []string{"h:1"}
		if o.Total == 0 {
			o.Duration = time.Second
		}
		if err := o.normalize(); err != nil {
			t.Errorf("%s %s: %v", one.Name, one.What, err)
		}
		if (len(one.Claims) == 0) != (one.Name == "+") {
			t.Errorf("%s %s claims nothing", one.Name, one.What)
		}
	}
}

func ExampleComparison_String() {
	fmt.Print(drifting())
	// Output:
	// P1  put, 100 clients
	//                                etcd      detcd     ratio  rounds               goal
	//   operations/s                10000      32000    3.00 ×  3.00 to 3.20     ≥ 2.50 ×  met
	//   server µs/op                 80.0       40.0    0.50 ×  0.50 to 0.50     ≤ 0.35 ×  MISSED
	//   p50 ms                      1.000      1.000    1.00 ×  1.00 to 1.00
	//   p99 ms                      2.000      2.000    1.00 ×  1.00 to 1.00
	//   resident MB                  50.0       50.0    1.00 ×  1.00 to 1.00
	//
	// 1 of 2 goals met; 3 rounds in 1m1s
	// a day · commit c0ffee · go1 · linux · 2 × Abacus · load 0.10 0.20 0.30
}
