package nemesis_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"golang.org/x/sync/errgroup"

	"detcd/faults"
	"detcd/faults/nemesis"
)

// relayed launches fakes whose network can be broken.
func relayed(t *testing.T, members int) *nemesis.Cluster {
	t.Helper()
	return connected(t, members, nemesis.Relayed)
}

func connected(t *testing.T, members int, network nemesis.Network) *nemesis.Cluster {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cluster, err := nemesis.Launch(ctx, nemesis.Options{
		Binary: os.Args[0], Members: members, Dir: filepath.Join(t.TempDir(), "cluster"),
		Env: []string{"NEMESIS_FAKE=1"}, Network: network,
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

// links lists who gets an answer from whom, as in "12 13 21". It does not wait long.
func links(t *testing.T, cluster *nemesis.Cluster) string {
	t.Helper()
	return asked(t, cluster, 0)
}

func asked(t *testing.T, cluster *nemesis.Cluster, how int64) string {
	t.Helper()
	members := cluster.Members()
	answers := make([]string, len(members)*len(members))
	var group errgroup.Group
	for at := range answers {
		i, peer := at/len(members), at%len(members)
		group.Go(func() error {
			conn, err := members[i].Conn()
			if err != nil || peer == i {
				return err
			}
			answer, err := etcdserverpb.NewMaintenanceClient(conn).HashKV(t.Context(),
				&etcdserverpb.HashKVRequest{Revision: int64(peer) + how})
			if answer.GetHash() == 1 {
				answers[at] = fmt.Sprintf("%d%d ", i+1, peer+1)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(strings.Join(answers, ""))
}

// become waits until everybody gets an answer who is to get one. On a busy machine an answer may
// take longer than one question is waited for. Whoever is not to get one must never get it.
func become(t *testing.T, cluster *nemesis.Cluster, want string) {
	t.Helper()
	for limit := time.Now().Add(patient); ; {
		got := links(t, cluster)
		if got == want {
			return
		}
		for link := range strings.FieldsSeq(got) {
			if !strings.Contains(want, link) {
				t.Errorf("%q, want %q", got, want)
				return
			}
		}
		if time.Now().After(limit) {
			t.Errorf("%q after %v, want %q", got, patient, want)
			return
		}
	}
}

// conduct begins a plan and returns what ends it early and waits for the end.
func conduct(t *testing.T, cluster *nemesis.Cluster, text string) (end func() error) {
	t.Helper()
	plan, err := faults.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	begun := make(chan nemesis.Event, 100)
	conductor := &nemesis.Conductor{Cluster: cluster,
		Note: func(e nemesis.Event) { begun <- e }}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- conductor.Run(ctx, plan) }()
	for range plan {
		select {
		case e := <-begun:
			if e.Err != nil {
				t.Errorf("%s: %v", e.Text, e.Err)
			}
		case err := <-done:
			t.Fatalf("it is over: %v", err)
		}
	}
	return func() error {
		cancel()
		return <-done
	}
}

func TestPartitionsHaveTheirShapesAndHeal(t *testing.T) {
	t.Run("relay", func(t *testing.T) {
		t.Parallel()
		breakAndHeal(t, relayed(t, 3))
	})
	t.Run("namespaces", func(t *testing.T) {
		t.Parallel()
		if nemesis.Enclosed() {
			breakAndHeal(t, connected(t, 3, nemesis.Spaced))
			return
		}
		_, err := exec.LookPath("ip")
		if err != nil || os.Geteuid() != 0 {
			t.Skip("namespaces need root and iproute2")
		}
		inner := exec.Command(os.Args[0], "-test.run=^TestPartitionsHaveTheirShapesAndHeal$/namespaces")
		inner.Env = append(os.Environ(), "NEMESIS_ENCLOSE=1")
		output, err := inner.CombinedOutput()
		if strings.Contains(string(output), "operation not permitted") {
			t.Skip("root may not make namespaces here")
		} else if err != nil || !strings.Contains(string(output), "PASS") {
			t.Errorf("%v\n%s", err, output)
		}
	})
}

// breakAndHeal breaks the network of a cluster in all shapes and sees who gets through.
func breakAndHeal(t *testing.T, cluster *nemesis.Cluster) {
	const whole = "12 13 21 23 31 32"
	become(t, cluster, whole)
	for plan, want := range map[string]string{
		"0s for 1m isolate members=1":                                      "23 32",
		"0s for 1m isolate-inbound members=1":                              "23 32",
		"0s for 1m split members=1,3 peers=2":                              "13 31",
		"0s for 1m split-one-way members=2 peers=3":                        "12 13 21 31",
		"0s for 1m bridge members=2":                                       "12 21 23 32",
		"0s for 1m isolate members=1\n0s for 1m split members=1,2 peers=3": "",
		"0s for 1m isolate members=3\n0s for 100ms isolate members=3":      "12 21",
		"0s for 1m isolate-outbound members=2":                             "13 31",
	} {
		end := conduct(t, cluster, plan)
		time.Sleep(150 * time.Millisecond)
		become(t, cluster, want)
		if err := end(); err != nil {
			t.Error(err)
		}
		become(t, cluster, whole)
	}
}

func TestADelayIsThatOfTheNetwork(t *testing.T) {
	cluster := relayed(t, 2)
	end := conduct(t, cluster, "0s for 1m delay amount=200")
	begin := time.Now()
	if got := asked(t, cluster, patiently); got != "12 21" {
		t.Fatal(got)
	}
	if took := time.Since(begin); took < 400*time.Millisecond { // there and back
		t.Errorf("a question took %v", took)
	}
	if err := end(); err != nil {
		t.Fatal(err)
	}
}

func TestTheRelayLetsNoStrangerThrough(t *testing.T) {
	cluster := relayed(t, 2)
	conn, err := net.Dial("tcp", strings.TrimPrefix(cluster.Members()[0].PeerURL(), "http://"))
	if errors.Is(err, syscall.ECONNRESET) {
		return // it was let go before it saw that it had been accepted
	}
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	if n, err := conn.Read(make([]byte, 1)); n != 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%d bytes, %v", n, err)
	}
}

func TestAPlanIsCarriedOutAndUndone(t *testing.T) {
	cluster := relayed(t, 3)
	m := cluster.Members()
	end := conduct(t, cluster, "0s for 1m crash-keep members=2\n1ms for 1m pause members=3")
	if m[1].Running() || !m[2].Running() {
		t.Error("the second member runs, or the third does not")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := m[2].Status(ctx); err == nil {
		t.Error("the third member answers")
	}
	if err := end(); err != nil {
		t.Fatal(err)
	}
	if err := cluster.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	if m[1].Starts() != 2 || m[2].Starts() != 1 {
		t.Errorf("%d and %d starts", m[1].Starts(), m[2].Starts())
	}
}

func TestWhatCannotBeDoneIsRefusedBeforeItBegins(t *testing.T) {
	cluster := relayed(t, 2)
	for line, want := range map[string]string{
		"0s flip-log":                   "real processes cannot",
		"0s crash-keep members=3":       "no member 3",
		"0s for 1s clock-fast amount=9": "real processes cannot",
		"0s for 1s misdirect amount=1":  "real processes cannot",
	} {
		fault, err := faults.ParseFault(line)
		if err != nil {
			t.Fatal(err)
		}
		err = (&nemesis.Conductor{Cluster: cluster}).Run(t.Context(), faults.Plan{fault})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", line, err)
		}
	}
}

func TestPlansAreDrawnFromASeed(t *testing.T) {
	for _, members := range []int{3, 5} {
		plan, err := nemesis.Draw(nemesis.Names(), members, 7, 10*time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		again, _ := nemesis.Draw(nemesis.Names(), members, 7, 10*time.Minute)
		if plan.String() != again.String() {
			t.Error("the same seed gives two plans")
		}
		seen := map[faults.Kind]bool{}
		for _, f := range plan {
			seen[f.Kind] = true
			if f.At+f.For > 10*time.Minute {
				t.Errorf("%v ends after the run", f)
			}
		}
		if len(plan) < 50 || len(seen) < 15 || seen[faults.Ring] != (members > 3) {
			t.Errorf("%d faults of %d kinds", len(plan), len(seen))
		}
	}
	if _, err := nemesis.Draw([]string{"rain"}, 3, 1, time.Minute); err == nil {
		t.Error("rain is a nemesis")
	}
}

func TestTheTimeOfDayOfAMemberCanBeSet(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("only amd64 has the code for it")
	}
	begin := time.Now()
	cluster, err := launch(t)
	if err != nil {
		t.Fatal(err)
	}
	m := cluster.Members()[0]
	want := func(seconds int64) {
		t.Helper()
		asked := time.Now().Unix()
		status, err := m.Status(t.Context())
		answered := time.Now().Unix()
		if err != nil {
			t.Fatal(err)
		}
		if since := time.Duration(status.RaftAppliedIndex); since < 0 || since > time.Since(begin) {
			t.Errorf("its monotonic clock says that it runs for %v", since)
		}
		told := int64(status.RaftIndex)
		if told < asked+seconds-2 || told > answered+seconds+2 {
			t.Errorf("it is %d s ahead, want %d", told-answered, seconds)
		}
	}
	for _, seconds := range []int64{3600, -5400, 0, 1} {
		if err := m.SetClock(time.Duration(seconds)*time.Second + time.Millisecond); err != nil {
			t.Fatal(err)
		}
		want(seconds)
	}
	if err := errors.Join(m.SetClock(time.Hour), m.Kill(), m.Start(),
		m.WaitReady(t.Context())); err != nil {
		t.Fatal(err)
	}
	want(3600)
	if err := errors.Join(m.Pause(), m.SetClock(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := m.Status(ctx); err == nil {
		t.Error("a paused member runs since its clock was set")
	}
	if err := m.Resume(); err != nil {
		t.Fatal(err)
	}
	want(-3600)
}

func TestAFullDiskHasNoRoomUntilTheFaultIsOver(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("disks of their own need root")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cluster, err := nemesis.Launch(ctx, nemesis.Options{
		Binary: os.Args[0], Members: 2, Dir: filepath.Join(t.TempDir(), "cluster"),
		Env: []string{"NEMESIS_FAKE=1"}, DiskBytes: 10 << 20,
	})
	if errors.Is(err, syscall.EPERM) {
		t.Skip("root may not mount here")
	} else if err != nil {
		t.Fatal(err)
	}
	m := cluster.Members()[0]
	name := filepath.Join(m.DataDir(), "file")
	end := conduct(t, cluster, "0s for 1m disk-full members=1")
	if err := os.WriteFile(name, make([]byte, 1<<16), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a write to a full disk: %v", err)
	}
	if err := end(); err != nil {
		t.Error(err)
	}
	killsNobodyWithoutRoom(t, cluster)
	if err := os.WriteFile(name, make([]byte, 1<<16), 0o600); err != nil {
		t.Error(err)
	}
	if err := cluster.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(name); err == nil {
		t.Error("the disk is still there")
	}
}

// killsNobodyWithoutRoom: a kill of several members, one of which has a full disk, is passed over
// as a whole. Of those that it had killed before it met that one nobody would start any again.
func killsNobodyWithoutRoom(t *testing.T, cluster *nemesis.Cluster) {
	t.Helper()
	plan, err := faults.Parse(strings.NewReader("0s for 1s disk-full members=2\n1ms crash-all"))
	if err != nil {
		t.Fatal(err)
	}
	passed := 0
	conductor := &nemesis.Conductor{Cluster: cluster, Note: func(e nemesis.Event) {
		if e.Err != nil {
			passed++
		}
	}}
	if err := conductor.Run(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	for _, m := range cluster.Members() {
		if passed != 1 || m.Starts() != 1 || !m.Running() {
			t.Errorf("%d faults passed over, %s was started %d times", passed, m.Name(), m.Starts())
		}
	}
}
