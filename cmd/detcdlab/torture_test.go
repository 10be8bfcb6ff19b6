package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"detcd/checker"
	"detcd/checker/probe"
	"detcd/cmd/detcd/testbed"
)

// gentle are the options of a torture that a test has time for.
func gentle(t *testing.T, binary, workload string, nemeses ...string) *trialOptions {
	return &trialOptions{binary: binary, members: 3, workload: workload, nemeses: nemeses,
		duration: 3 * time.Second, seed: 1, clients: 8, keys: 5, rate: 300,
		timeout: time.Second, dir: t.TempDir(), network: "relay", leases: leaseTimes{effort: 1}}
}

// answered tells how many requests were answered so far.
func (t *trial) answered() int64 {
	t.tally.mu.Lock()
	defer t.tally.mu.Unlock()
	return t.tally.total.answered
}

// answeredMin is how many requests must be answered for a torture to mean something.
const answeredMin = 100

// visitsMin is how often each kind of user must have tried something.
const visitsMin = 5

// tryOut runs a torture, until something has happened, and judges it.
func tryOut(t *testing.T, o *trialOptions) *trial {
	t.Helper()
	if _, err := o.check(tortureCommand().Flags()); err != nil {
		t.Fatal(err)
	}
	torture := &trial{options: o}
	torture.enough = func() bool {
		if torture.answered() < answeredMin || !o.users {
			return torture.answered() >= answeredMin
		}
		v := torture.probe.Visits()
		return min(v.Strange, v.Changes, v.Served, v.Refused) >= visitsMin
	}
	history, err := torture.record(t.Context(), newSpeaker(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	if err := torture.judge(t.Context(), history); err != nil {
		t.Fatal(err)
	}
	if err := writePage(filepath.Join(o.dir, "report.html"), "torture.html",
		torture.page(history)); err != nil {
		t.Error(err)
	}
	var out bytes.Buffer
	torture.tell(&out, history)
	t.Logf("%s", &out)
	return torture
}

// holds refuses a torture that found something, or in which hardly anything happened.
func holds(t *testing.T, torture *trial) {
	t.Helper()
	if torture.report.Verdict != checker.Holds || torture.finding != "" {
		text, _ := os.ReadFile(torture.history)
		kept := filepath.Join(os.TempDir(), "detcdlab-torture-"+torture.options.workload+".jsonl")
		t.Fatalf("%v: %s %s\nthe history is kept in %s: %v", torture.report.Verdict,
			torture.report.Reason, torture.finding, kept, os.WriteFile(kept, text, 0o600))
	}
	if torture.answered() < answeredMin {
		t.Errorf("hardly any load: %v", torture.tally)
	}
}

func TestDetcdUnderTorture(t *testing.T) {
	binary := testbed.Detcd(t)
	for _, workload := range probe.Workloads() {
		t.Run(workload, func(t *testing.T) {
			t.Parallel()
			holds(t, tryOut(t, gentle(t, binary, workload, "kill", "pause", "partition")))
		})
	}
	t.Run("everything", func(t *testing.T) {
		t.Parallel()
		o := gentle(t, binary, "mixed", "all")
		o.duration = 12 * time.Second
		torture := tryOut(t, o)
		holds(t, torture)
		if len(torture.events) < 3 {
			t.Errorf("%d faults", len(torture.events))
		}
	})
	t.Run("a cluster that forgets is found", func(t *testing.T) {
		t.Parallel()
		findAmnesia(t, binary)
	})
}

// findAmnesia takes all disks away when the clients have done something: the judge must notice a
// cluster that really forgets.
func findAmnesia(t *testing.T, binary string) {
	cluster := launch(t, binary)
	o := gentle(t, "", "set")
	o.endpoints = cluster.Endpoints()
	torture, wiped := &trial{options: o, patience: 5 * time.Second}, make(chan error, 1)
	before := int64(0) // answers before the disks were taken away
	torture.enough = func() bool {
		if before > 0 || torture.answered() < answeredMin {
			return before > 0 && torture.answered() >= before+answeredMin
		}
		var all []error
		for _, m := range cluster.Members() {
			all = append(all, m.Kill(), os.RemoveAll(m.DataDir()))
		}
		for _, m := range cluster.Members() {
			all = append(all, m.Start())
		}
		before = torture.answered()
		wiped <- errors.Join(all...)
		return false
	}
	history, err := torture.record(t.Context(), newSpeaker(io.Discard))
	if err := errors.Join(err, <-wiped); err != nil {
		t.Fatal(err)
	}
	if err := torture.judge(t.Context(), history); err != nil {
		t.Fatal(err)
	}
	if torture.report.Verdict != checker.Violated || torture.finding == "" {
		t.Errorf("a cluster that lost everything: %v; %s", torture.report.Verdict, torture.finding)
	}
	t.Log(torture.report.Reason, torture.finding)
}

func TestAnOldPlanIsFollowed(t *testing.T) {
	name := filepath.Join(t.TempDir(), "plan")
	if err := os.WriteFile(name, []byte("1s for 2s pause members=1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := &trialOptions{plan: name, members: 3, duration: time.Minute}
	plan, err := o.schedule()
	if err != nil || plan.String() != "1s for 2s pause members=1\n" {
		t.Errorf("%v %v", plan, err)
	}
}
