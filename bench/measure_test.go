package bench

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// machineless is a comparison with a curve, an own goal and latencies, as a page shows them.
func machineless() *Comparison {
	c := drifting()
	curve := make([]float64, len(curveFractions()))
	for i := range curve {
		curve[i] = 0.5 + float64(i)
	}
	for _, r := range append(c.Cases[0].Peer, c.Cases[0].Candidate...) {
		r.Curve = curve
		r.Figures = map[Measure]float64{"own": 3}
	}
	c.Cases[0].Case.Claims = append(c.Cases[0].Case.Claims, Claim{"own", 2, false, true})
	c.Cases[0].Ratios = c.Cases[0].ratios()
	for _, x := range []float64{1, 10} {
		point := CaseResult{Name: "clients", What: "x", Axis: "clients", X: x, Members: 1,
			Peer: c.Cases[0].Peer, Candidate: c.Cases[0].Candidate}
		point.Ratios = point.ratios()
		c.Cases = append(c.Cases, point)
	}
	return c
}

func TestAPageShowsGoalsCasesAndCurvesAndNeedsNothingElse(t *testing.T) {
	c := machineless()
	var page bytes.Buffer
	if err := c.HTML(&page); err != nil {
		t.Fatal(err)
	}
	text := page.String()
	for part, count := range map[string]int{
		"<svg":                  1 + 1 + len(scaleMeasures()), // ratios, latencies, one curve a measure
		`<rect class="good"`:    1,
		`<rect class="bad"`:     1,
		">MISSED<":              1, // the own goal
		"put by clients":        1,
		"of 3 goals met":        1,
		"<b>1</b>":              1,
		`class="candidate-line`: 1 + len(scaleMeasures()),
	} {
		if got := strings.Count(text, part); got != count {
			t.Errorf("%d × %s, want %d", got, part, count)
		}
	}
	for _, foreign := range []string{"http:", "https:", "<script", "NaN", "ZgotmplZ"} {
		if strings.Contains(text, foreign) {
			t.Errorf("the page has %s", foreign)
		}
	}
	if table := c.Markdown(); !strings.Contains(table, "| ≤ 2.00 own | MISSED |") {
		t.Errorf("the table lacks the own goal:\n%s", table)
	}
	curves := Scaling{c}
	if text := curves.String(); !strings.Contains(text, "put by clients (etcd | detcd)") {
		t.Errorf("no curve:\n%s", text)
	}
	if table := curves.Markdown(); strings.Count(table, "10000 / 32000 | 3.00 ×") != 2 {
		t.Errorf("no points:\n%s", table)
	}
}

func TestAScaleHasItsNumbersWithin(t *testing.T) {
	s := around([]float64{0.3, 45, 0}, 10, 100, 400)
	if s.low < 0.0999 || s.low > 0.1001 || s.high < 99.9 || s.high > 100.1 {
		t.Fatalf("%+v", s)
	}
	if at := s.at(10); at < 299.9 || at > 300.1 {
		t.Errorf("10 is at %v", at)
	}
	if ticks := s.ticks(); len(ticks) != 4 {
		t.Errorf("ticks %v", ticks)
	}
}

func TestAComparisonKnowsItsTimeAndEndsAtItsLimit(t *testing.T) {
	var order []string
	var running int
	c := Comparing{
		Peer:      fakeSystem(t, "etcd", &order, &running),
		Candidate: fakeSystem(t, "detcd", &order, &running),
		Cases: []Case{
			{Name: "A", What: "a", Members: 1, Load: Options{Workload: Put, Keys: 10}},
			{Name: "B", What: "b", Members: 1, Load: Options{Workload: Put, Keys: 10}, Once: true,
				Phases: 2, Fixed: time.Second},
		},
		Rounds: 3, Duration: 10 * time.Millisecond,
	}
	if takes, want := c.Takes(), 2*(710+1720+2*710)*time.Millisecond; takes != want {
		t.Errorf("estimate %v, want %v", takes, want)
	}
	result, err := Compare(t.Context(), c)
	if err != nil || result.Rounds != 3 || len(result.Cases[1].Peer) != 1 {
		t.Fatalf("%v, %+v", err, result)
	}
	c.Limit = time.Millisecond
	if result, err = Compare(t.Context(), c); err != nil || result.Rounds != 1 {
		t.Errorf("%v, %+v", err, result)
	}
}

func TestAFloorAnswersEmptyCalls(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- ServeFloor(ctx, listener) }()
	both(t, func(t *testing.T, transport Transport) {
		report, err := Run(t.Context(), Options{
			Endpoints: []string{listener.Addr().String()}, Workload: Empty, Total: 20,
			Transport: transport,
		})
		if err != nil || report.Operations != 20 {
			t.Errorf("%v\n%v", err, report)
		}
	})
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestADiskIsProbedAndLeftAsItWas(t *testing.T) {
	dir := t.TempDir()
	report, err := ProbeDisk(t.Context(), dir, 5*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range report.Writes {
		if w.Count == 0 || w.Latency.P50 <= 0 {
			t.Errorf("%+v", w)
		}
	}
	if text := report.String(); !strings.Contains(text, "1000 at once") {
		t.Errorf("no forecast:\n%s", text)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("%v was left, %v", left, err)
	}
}

func TestBytesOfADirectoryAreThoseOfItsFiles(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "a", "b"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"x", "a/y", "a/b/z"} {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, 100_000), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if bytes, err := DirectoryBytes(dir); err != nil || bytes < 300_000 || bytes > 400_000 {
		t.Errorf("%d, %v", bytes, err)
	}
}
