package model

import (
	"testing"

	"detcd/checker"
)

// TestLostAnswersAreDecided judges histories of a real load, of which one answer in twenty was
// lost: who was needed is found without much trying, whether or not a watch saw everything.
func TestLostAnswersAreDecided(t *testing.T) {
	for seed := range uint64(8) {
		history := large(seed, 20_000, 100, 0.05, seed%4 == 0)
		report := Judge(history, Options{StepsMax: 2 * len(history)})
		if report.Verdict != checker.Holds {
			t.Errorf("seed %d: %v: %s", seed, report.Verdict, report.Reason)
		} else if err := Certify(history, report); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
}
