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
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"detcd/sim"
)

// A guard is a piece of the program that keeps a promise.
type guard struct {
	name    string
	edits   []edit
	more    string // declarations that the edits need, beside the first of them
	promise string // what is broken without it

	profile string // of seeds; empty: only a scenario names it
	seeds   int    // from 1 on; one of them is red
	want    string // in what the judge says; empty: anything
}

// An edit takes a guard out of one file.
type edit struct {
	module  string // of the file; empty: this one
	file    string
	find    string // what stands in the file, once
	replace string // the same without the guard where OFF holds
}

// untold are the scenarios that stay green without every guard that is known: each still has to be
// rewritten until it shows the rule that it tells of.
var untold = []string{"disk_full", "figure_8", "flipped_bit", "joint_change", "leader_disk_hangs",
	"only_voter_replaced", "removed_leader", "split_vote"}

var (
	onlyGuard = flag.String("guard", "", "only the guard of this name")
	keep      = flag.String("keep", "", "build the runner in this folder, and leave it there")
)

func TestWithoutItsGuardTheSimulatorIsRed(t *testing.T) {
	guards := slices.Concat(consensusGuards, storeGuards)
	program := buildWithout(t, guards)
	for _, g := range guards {
		if *onlyGuard != "" && *onlyGuard != g.name || g.profile == "" {
			continue
		}
		t.Run("seeds/"+g.name, func(t *testing.T) {
			without := runWithout(t, program, g.name, "-profile", g.profile,
				"-count", fmt.Sprint(g.seeds), "-duration", "20s")
			wantRed(t, g, without)
		})
	}
	told := map[string]bool{}
	files, err := filepath.Glob("../testdata/*.txt")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d scenarios: %v", len(files), err)
	}
	for _, file := range files {
		name := guardOf(t, file)
		story := strings.TrimSuffix(filepath.Base(file), ".txt")
		if known := !slices.Contains(untold, story); known != (name != "") {
			t.Errorf("%s names the guard %q, which untold says otherwise", story, name)
		}
		told[name] = true
		if name == "" || *onlyGuard != "" && *onlyGuard != name {
			continue
		}
		t.Run("scenarios/"+story, func(t *testing.T) {
			at := slices.IndexFunc(guards, func(g guard) bool { return g.name == name })
			if at < 0 {
				t.Fatalf("its guard is %q, and there is none of that name", name)
			}
			wantRed(t, guards[at], runWithout(t, program, name, "-scenario", file))
			if with := runWithout(t, program, "", "-scenario", file); !strings.Contains(with,
				": green,") {
				t.Errorf("with its guard: %s", with)
			}
		})
	}
	for _, g := range guards {
		if g.profile == "" && !told[g.name] {
			t.Errorf("nothing shows the loss of %s", g.name)
		}
	}
}

// guardOf returns the guard that a scenario names.
func guardOf(t *testing.T, file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	scenario, err := sim.ParseScenario(string(text))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return scenario.Guard
}

// wantRed judges what a run without a guard came to.
func wantRed(t *testing.T, g guard, without string) {
	t.Helper()
	t.Logf("%s\n%s", g.promise, without)
	red := slices.ContainsFunc([]string{"safety", "liveness", "crash", "lost"},
		func(verdict string) bool { return strings.Contains(without, ": "+verdict+",") })
	if !red || !strings.Contains(without, g.want) {
		t.Errorf("without its guard nothing is red; want %q", g.want)
	}
}

// runWithout runs the simulator without one guard until it is red, and returns its last lines.
func runWithout(t *testing.T, program, guard string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, append(args, "-until-red")...)
	cmd.Env = append(os.Environ(), variable+"="+guard)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return strings.Join(lines[max(0, len(lines)-2):], "\n")
}
