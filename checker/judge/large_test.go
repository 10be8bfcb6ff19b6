package judge

import (
	"math/rand/v2"
	"testing"

	"detcd/checker"
)

// With a watch of everything there is nearly nothing to choose, however many answers are lost.

// TestLostAnswersAreDecided judges histories of a real load, of which one answer in twenty was
// lost.
func TestLostAnswersAreDecided(t *testing.T) {
	for seed := range uint64(4) {
		history := large(seed, 20_000, 100, 0.05, true)
		decided(t, seed, history, Options{StepsMax: 4 * len(history)})
	}
}

// TestManyLostAnswersAreDecided judges histories of every kind of request, of which three answers
// in ten were lost.
func TestManyLostAnswersAreDecided(t *testing.T) {
	for seed := range uint64(60) {
		g := &generator{random: rand.New(rand.NewPCG(seed, 11)), operations: 80, clients: 5, keys: 3,
			span: 3 * second, pause: second, leases: seed%2 == 0, lost: 0.3}
		if seed%20 == 1 {
			g.operations = 1000
		}
		g.run()
		g.watchAll([]*Watch{{Watch: 1, Key: "\x00", End: "\x00", Start: 1, PrevKV: true}})
		decided(t, seed, g.history, Options{StepsMax: 100_000})
	}
}

// decided checks that a history is found to hold.
func decided(t *testing.T, seed uint64, history []Operation, options Options) {
	t.Helper()
	report := Judge(history, options)
	if report.Verdict != checker.Holds {
		t.Errorf("seed %d: %v after %d steps: %s", seed, report.Verdict, report.Steps, report.Reason)
	} else if err := Certify(history, report); err != nil {
		t.Errorf("seed %d: %v", seed, err)
	}
}
