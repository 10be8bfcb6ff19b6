package main

import (
	"io"
	"strings"
	"testing"
)

func TestWordsThatAreAlmostRightAreRecognized(t *testing.T) {
	for line, want := range map[string]string{
		"sim --sede 3":     "unknown flag: --sede\nHint: did you mean --seed",
		"smi":              "unknown command \"smi\" for \"detcdlab\"\n\nDid you mean this?\n\tsim\n",
		"sim --frobnicate": "unknown flag: --frobnicate",
	} {
		root := command()
		root.SetArgs(strings.Fields(line))
		root.SetOut(io.Discard)
		if err := root.Execute(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %q", line, err, want)
		}
	}
}
