// Package guards tests that the simulator can turn red. A guard is a line of the program that keeps
// a promise. Each is taken away in turn, and the scenario that tells of it, or the seeds of a
// profile, must be red then, by a judge that knows nothing of it, and green with the guard in its
// place. So no scenario stays green without the rule that it is about.
package guards

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// A guard is a piece of the program that keeps a promise.
type guard struct {
	name    string
	edits   []edit
	more    string // declarations that the edits need, beside the first of them
	promise string // what is broken without it

	scenario string // that is red without it
	profile  string // else: of seeds
	first    int    // of them; 0: 1
	seeds    int    // among which one is red
	want     string // in what the judge says; empty: anything
}

// An edit takes a guard out of one file.
type edit struct {
	module  string // of the file; empty: this one
	file    string
	find    string // what stands in the file, once
	replace string // the same without the guard where OFF holds
}

var onlyGuard = flag.String("guard", "", "only the guard of this name")

func TestWithoutItsGuardTheSimulatorIsRed(t *testing.T) {
	program := buildWithout(t, guards)
	for _, g := range guards {
		if *onlyGuard != "" && *onlyGuard != g.name {
			continue
		}
		t.Run(g.name, func(t *testing.T) {
			without := runGuard(t, program, g, g.name)
			t.Logf("%s\n%s", g.promise, without)
			if !strings.Contains(without, ": safety,") && !strings.Contains(without, ": liveness,") &&
				!strings.Contains(without, ": crash,") || !strings.Contains(without, g.want) {
				t.Errorf("without its guard nothing is red; want %q", g.want)
			}
			if g.scenario == "" {
				return // that seeds are green is for others to test
			}
			if with := runGuard(t, program, g, ""); !strings.Contains(with, ": green,") {
				t.Errorf("with its guard: %s", with)
			}
		})
	}
}

// runGuard runs what a guard names, without one guard, and returns the last lines.
func runGuard(t *testing.T, program string, g guard, without string) string {
	t.Helper()
	args := []string{"-until-red"}
	if g.scenario != "" {
		args = append(args, "-scenario", "../testdata/"+g.scenario+".txt")
	} else {
		args = append(args, "-profile", g.profile, "-first", fmt.Sprint(max(1, g.first)),
			"-count", fmt.Sprint(g.seeds), "-duration", "20s")
	}
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = append(os.Environ(), variable+"="+without)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return strings.Join(lines[max(0, len(lines)-2):], "\n")
}
