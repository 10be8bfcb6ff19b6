package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestATestSaysWhatBecameOfIt(t *testing.T) {
	const partly = `=== RUN   TestA
    --- FAIL: TestA/x (0.1s)
        --- FAIL: TestA/x/deep (0.1s)
        --- PASS: TestA/x/other (0.1s)
--- FAIL: TestA (0.2s)
FAIL
`
	for _, c := range []struct {
		out, outcome, note string
		parts              []string
	}{
		{out: "=== RUN   TestA\n--- PASS: TestA (0.0s)\nPASS\n", outcome: outcomePass},
		{out: "=== RUN   TestA\n--- PASS: TestA (0.0s)\nPASS\nUnexpected goroutines",
			outcome: outcomePass},
		{out: "=== RUN   TestA\n    a_test.go:7: no lazyfs\n--- SKIP: TestA (0.0s)\nPASS\n",
			outcome: outcomeSkip, note: "no lazyfs"},
		{out: "=== RUN   TestA\n    a_test.go:7: no \"/a/b/old\" here\n--- SKIP: TestA (0.0s)\nPASS\n",
			outcome: outcomeSkip, note: `no "old" here`},
		{out: partly, outcome: outcomeFail, parts: []string{"x/deep"}},
		{out: "=== RUN   TestA\npanic: test timed out", outcome: outcomeFail},
		{out: "=== RUN   TestAB\n--- PASS: TestAB (0.0s)\nPASS\n", outcome: outcomeFail},
		{out: "", outcome: outcomeFail},
	} {
		got := judge("TestA", c.out)
		if got.Outcome != c.outcome || got.Note != c.note || !slices.Equal(got.Parts, c.parts) {
			t.Errorf("%q:\n%+v", c.out, got)
		}
	}
}

// What does not pass needs a reason, what passes must have none, and what was never run counts.
func TestTheScoreAsksForReasons(t *testing.T) {
	s := suite{name: "e2e", results: t.TempDir(), tests: []string{"TestGood", "TestBad", "TestNew"}}
	for name, outcome := range map[string]string{"TestGood": outcomePass, "TestBad": outcomeFail} {
		text := []byte(`{"Outcome":"` + outcome + `"}`)
		if err := os.WriteFile(filepath.Join(s.results, name+".json"), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	j := &job{run: regexp.MustCompile("."), reasons: map[string]string{"e2e/TestGood": "old"}}
	got, err := collect([]suite{s}, j)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"e2e/TestBad", "e2e/TestNew"}; !slices.Equal(got.unexplained, want) {
		t.Errorf("without a reason: %v, want %v", got.unexplained, want)
	}
	if !slices.Equal(got.stale, []string{"e2e/TestGood"}) {
		t.Errorf("with a reason too many: %v", got.stale)
	}
	if text := got.table(); !strings.Contains(text, "| e2e | 3 | 1 | 2 | 0 |") ||
		!strings.Contains(text, "| `e2e/TestNew` | not run | ? |") {
		t.Errorf("the table:\n%s", text)
	}
}
