package main

import (
	"strings"
	"testing"
)

func TestWordsThatAreAlmostRightAreRecognized(t *testing.T) {
	for line, want := range map[string]string{
		"gte a": "Did you mean this?\n\tget\n",
		"member lsit": "unknown command \"lsit\" for \"detcdctl member\"\n\n" +
			"Did you mean this?\n\tlist\n",
		"endpoint frobnicate": "unknown command \"frobnicate\" for \"detcdctl endpoint\"\n",
		"get a --perfix":      "Error: unknown flag: --perfix\nHint: did you mean --prefix?\n",
		"get a --endpoitns x": "Error: unknown flag: --endpoitns\nHint: did you mean --endpoints?\n",
		"get a --frobnicate":  "Error: unknown flag: --frobnicate\n",
	} {
		r := runHere(t.Context(), strings.Fields(line)...)
		if r.status != exitError || !strings.Contains(r.errors.String(), want) {
			t.Errorf("%s: %d, not %q:\n%s", line, r.status, want, &r.errors)
		}
	}
}
