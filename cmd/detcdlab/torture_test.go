package main

import (
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

func TestThirtyKillsOfDetcdLoseNothing(t *testing.T) {
	report, err := torture(t.Context(), quick(t, testbed.Detcd(t), 30), newSpeaker(io.Discard))
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

// checkWorked refuses a torture in which nothing happened that could have been lost.
func checkWorked(t *testing.T, r *tortureReport, kills int64) {
	t.Helper()
	switch {
	case r.Kills < kills:
		t.Errorf("%d kills", r.Kills)
	case r.Acknowledged < 10*kills || r.Reads < kills || r.Delivered < 3*r.Acknowledged:
		t.Errorf("hardly any load: %+v", r)
	case r.Resumed == 0 || r.LeasesEnded == 0:
		t.Errorf("no watch was resumed, or no lease ended: %+v", r)
	}
}

// The judge must notice a cluster that really forgets.
func TestAClusterWhoseDisksAreWipedIsFound(t *testing.T) {
	cluster := launchDetcd(t)
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

// A member that ends by itself is a finding, also when nothing is lost.
func TestAMemberThatEndsByItselfIsFound(t *testing.T) {
	cluster := launchDetcd(t)
	d := newDrill(cluster, drillOptions{workers: 4, rate: 500, size: 64, log: t.Logf})
	err := d.run(t.Context(), func(ctx context.Context) error {
		process, err := os.FindProcess(cluster.Members()[0].PID())
		if err != nil {
			return err
		}
		if err := process.Kill(); err != nil { // behind the back of nemesis
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

func launchDetcd(t *testing.T) *nemesis.Cluster {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cluster, err := nemesis.Launch(ctx, nemesis.Options{
		Binary: testbed.Detcd(t), Members: 3, Dir: t.TempDir(), Args: fastElections(),
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
