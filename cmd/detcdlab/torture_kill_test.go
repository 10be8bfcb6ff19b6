package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"detcd/cmd/detcd/testbed"
	"detcd/faults/nemesis"
)

// quick are the options of a torture that a test has time for.
func quick(t *testing.T, binary string, kills int64) tortureOptions {
	return tortureOptions{
		binary: binary, members: 3, kills: kills, every: 500 * time.Millisecond,
		workers: 8, rate: 1000, size: 64, seed: 1, compact: 2 * time.Second,
		dir: t.TempDir(),
	}
}

func TestDetcdUnderKills(t *testing.T) {
	binary := testbed.Detcd(t)
	t.Run("thirty kills lose nothing", func(t *testing.T) { loseNothing(t, binary) })
	t.Run("a cluster that forgets is found", func(t *testing.T) { wipe(t, binary) })
	t.Run("a member that ends by itself is found", func(t *testing.T) { endOne(t, binary) })
	t.Run("the demo ends with its verdict", func(t *testing.T) { showDemo(t, binary) })
}

func loseNothing(t *testing.T, binary string) {
	report, err := torture(t.Context(), quick(t, binary, 30), newSpeaker(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%v", report)
	checkWorked(t, report, 30)
}

// The judge must not ask for more than etcd gives.
func TestFiveKillsOfEtcdLoseNothing(t *testing.T) {
	report, err := torture(t.Context(), quick(t, testbed.Tool(t, "etcd"), 5), newSpeaker(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	checkWorked(t, report, 5)
}

// leaseTime is how long a run must last for leases of seconds to end in it for certain, when a
// change of leader may give each one its whole time again.
const leaseTime = 10 * time.Second

// checkWorked refuses a torture in which nothing happened that could have been lost.
func checkWorked(t *testing.T, r *tortureReport, kills int64) {
	t.Helper()
	switch {
	case r.Kills < kills:
		t.Errorf("%d kills", r.Kills)
	case r.Acknowledged < 10*kills || r.Reads < kills || r.Delivered < 3*r.Acknowledged:
		t.Errorf("hardly any load: %+v", r)
	case r.Resumed == 0:
		t.Errorf("no watch was resumed: %+v", r)
	case r.LeasesEnded == 0 && r.Elapsed > leaseTime:
		t.Errorf("no lease ended: %+v", r)
	}
}

// wipe takes all disks away: the judge must notice a cluster that really forgets.
func wipe(t *testing.T, binary string) {
	cluster := launch(t, binary)
	d := newDrill(cluster, drillOptions{workers: 4, rate: 500, size: 64, log: t.Logf})
	err := d.run(t.Context(), func(ctx context.Context) error {
		pause(ctx, time.Second)
		for _, m := range cluster.Members() {
			if err := m.Kill(); err != nil {
				return err
			}
			if err := os.RemoveAll(m.DataDir()); err != nil {
				return err
			}
		}
		for _, m := range cluster.Members() {
			if err := m.Start(); err != nil {
				return err
			}
		}
		pause(ctx, 30*time.Second)
		return ctx.Err()
	})
	if err == nil || !strings.Contains(err.Error(), "VIOLATION") {
		t.Fatalf("a cluster that lost everything passes: %v", err)
	}
	t.Logf("%.400s", err.Error())
}

// endOne ends a member behind the back of nemesis: a finding, also when nothing is lost.
func endOne(t *testing.T, binary string) {
	cluster := launch(t, binary)
	d := newDrill(cluster, drillOptions{workers: 4, rate: 500, size: 64, log: t.Logf})
	err := d.run(t.Context(), func(ctx context.Context) error {
		process, err := os.FindProcess(cluster.Members()[0].PID())
		if err != nil {
			return err
		}
		if err := process.Kill(); err != nil {
			return err
		}
		for cluster.Members()[0].Running() {
			pause(ctx, time.Millisecond)
		}
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "m1 ended by itself") {
		t.Fatalf("%v", err)
	}
}

// showDemo runs the demo as a pipe sees it.
func showDemo(t *testing.T, binary string) {
	var out bytes.Buffer
	err := demo(t.Context(), demoOptions{
		binary: binary, members: 3, kills: 1, duration: 4 * time.Second, rate: 1000,
		dir: t.TempDir(), memberArgs: fastElections(),
	}, &out)
	if err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	for _, want := range []string{
		"leads in term", "kill -9 of m", "writes go on after", "is back and serves",
		"✓ acknowledged writes lost           0 of",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the demo does not say %q", want)
		}
	}
	t.Logf("\n%s", &out)
}

func launch(t *testing.T, binary string) *nemesis.Cluster {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cluster, err := nemesis.Launch(ctx, nemesis.Options{
		Binary: binary, Members: 3, Dir: t.TempDir(), Args: fastElections(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Close(); err != nil {
			t.Error(err)
		}
	})
	return cluster
}
