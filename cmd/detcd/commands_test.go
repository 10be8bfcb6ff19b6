package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestWordsThatAreAlmostRightAreRecognized(t *testing.T) {
	for _, c := range []struct {
		line, said string
		status     int
	}{
		{"--nmae m1", "flag provided but not defined: -nmae\nDid you mean --name?\n", exitUsage},
		{"-listen-client-url http://a:1", "Did you mean --listen-client-urls", exitUsage},
		{"--frobnicate", "detcd: flag provided but not defined: -frobnicate\nRun 'detcd", exitUsage},
		{"verfy", "\"verfy\" is not a valid flag\nDid you mean verify?\n", exitError},
		{"snapshto restore x", "Did you mean snapshot?\n", exitError},
		{"serve", "detcd: \"serve\" is not a valid flag\nRun 'detcd", exitError},
		{"verify --datadir x", "not defined: -datadir\nDid you mean --data-dir?\n", exitError},
		{"snapshot restroe x", "Did you mean restore?\n", exitError},
		{"snapshot restore x --nmae y", "Did you mean --name?\n", exitError},
		{"help verfy", "there is no command \"verfy\"\nDid you mean verify?\n", exitError},
	} {
		var stdout, stderr bytes.Buffer
		status, _ := run(strings.Fields(c.line), nil, &stdout, &stderr)
		if status != c.status || stdout.Len() > 0 || !strings.Contains(stderr.String(), c.said) {
			t.Errorf("%s: %d, not %q:\n%s%s", c.line, status, c.said, &stdout, &stderr)
		}
	}
}

func TestHelpAndVersionAreCommands(t *testing.T) {
	said := func(line string) string {
		var stdout, stderr bytes.Buffer
		if status, _ := run(strings.Fields(line), nil, &stdout, &stderr); status != exitClean {
			t.Errorf("%s: %d\n%s", line, status, &stderr)
		}
		return stdout.String()
	}
	for command, flags := range map[string]string{
		"help": "--help", "version": "--version", "help verify": "verify --help",
		"help snapshot": "snapshot --help", "help version": "version",
	} {
		if got, want := said(command), said(flags); got != want || want == "" {
			t.Errorf("%s is not as %s:\n%s", command, flags, got)
		}
	}
	for _, name := range commandNames() {
		if !strings.Contains(said("help"), "detcd "+name) {
			t.Errorf("the help has no %s", name)
		}
	}
}
