package nemesis_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"

	"detcd/faults/nemesis"
)

// TestMain lets the test binary play the server as well: nemesis starts any binary that takes
// etcd's flags, and this one takes those that it needs.
func TestMain(m *testing.M) {
	if os.Getenv("NEMESIS_FAKE") != "" {
		os.Exit(serve(os.Args[1:]))
	}
	if os.Getenv("NEMESIS_ENCLOSE") != "" {
		if err := nemesis.Enclose(true); err != nil {
			println(err.Error())
			os.Exit(7)
		}
	}
	os.Exit(m.Run())
}

// fake answers every read, and says that m1 leads in a term that grows with the restarts. For its
// indices it gives the time of day and the time since it was begun.
type fake struct {
	etcdserverpb.UnimplementedKVServer
	etcdserverpb.UnimplementedMaintenanceServer
	id, term uint64
	peers    []string
	begun    time.Time
}

// How long a fake waits for a peer. Where all wires are whole, but slow, there is no reason to
// stop waiting before the test ends: the machine may be busier than the network is slow.
const (
	impatient = 500 * time.Millisecond
	patient   = time.Minute
)

// patiently is added to the number of a peer that is to be waited for.
const patiently = 100

// HashKV is abused: it says with hash 1 that the peer of that number answers.
func (f *fake) HashKV(
	_ context.Context, request *etcdserverpb.HashKVRequest,
) (*etcdserverpb.HashKVResponse, error) {
	patience := impatient
	if request.Revision >= patiently {
		patience = patient
	}
	conn, err := net.DialTimeout("tcp", f.peers[request.Revision%patiently], patience)
	if err != nil {
		return &etcdserverpb.HashKVResponse{}, nil
	}
	defer conn.Close()
	answer := make([]byte, 1)
	_ = conn.SetDeadline(time.Now().Add(patience))
	_, _ = conn.Write([]byte{1})
	_, _ = conn.Read(answer)
	return &etcdserverpb.HashKVResponse{Hash: uint32(answer[0])}, nil
}

// echo gives peers back what they say.
func echo(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() { _, _ = io.Copy(conn, conn) }()
	}
}

func (f *fake) Range(
	context.Context, *etcdserverpb.RangeRequest,
) (*etcdserverpb.RangeResponse, error) {
	return &etcdserverpb.RangeResponse{Header: &etcdserverpb.ResponseHeader{}}, nil
}

func (f *fake) Status(
	context.Context, *etcdserverpb.StatusRequest,
) (*etcdserverpb.StatusResponse, error) {
	header := &etcdserverpb.ResponseHeader{MemberId: f.id}
	return &etcdserverpb.StatusResponse{Header: header, Leader: 1, RaftTerm: f.term,
		RaftIndex: uint64(time.Now().Unix()), RaftAppliedIndex: uint64(time.Since(f.begun))}, nil
}

// serve counts its lives in the data directory, which shows that a restart finds it again.
func serve(args []string) int {
	flag := func(name string) string {
		for _, arg := range args {
			if value, found := strings.CutPrefix(arg, "--"+name+"="); found {
				return value
			}
		}
		return ""
	}
	if flag("die") != "" {
		println("the fake was told to die")
		return 3
	}
	lives := filepath.Join(flag("data-dir"), "lives")
	if err := os.MkdirAll(flag("data-dir"), 0o700); err != nil {
		return 4
	}
	before, _ := os.ReadFile(lives)
	if err := os.WriteFile(lives, append(before, '.'), 0o600); err != nil {
		return 4
	}
	address, err := url.Parse(flag("listen-client-urls"))
	if err != nil {
		return 4
	}
	listener, err := net.Listen("tcp", address.Host)
	if err != nil {
		println(err.Error())
		return 5
	}
	peer, err := url.Parse(flag("listen-peer-urls"))
	if err != nil {
		return 4
	}
	peers, err := net.Listen("tcp", peer.Host)
	if err != nil {
		println(err.Error())
		return 5
	}
	go echo(peers)
	f := &fake{begun: time.Now(), id: uint64(flag("name")[1] - '0'), term: uint64(len(before)) + 1}
	for member := range strings.SplitSeq(flag("initial-cluster"), ",") {
		_, address, _ := strings.Cut(member, "=http://")
		f.peers = append(f.peers, address)
	}
	server := grpc.NewServer()
	etcdserverpb.RegisterKVServer(server, f)
	etcdserverpb.RegisterMaintenanceServer(server, f)
	if server.Serve(listener) != nil {
		return 6
	}
	return 0
}

func launch(t *testing.T, args ...string) (*nemesis.Cluster, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cluster, err := nemesis.Launch(ctx, nemesis.Options{
		Binary:  os.Args[0],
		Members: 3,
		Dir:     filepath.Join(t.TempDir(), "cluster"),
		Args:    args,
		Env:     []string{"NEMESIS_FAKE=1"},
	})
	if err == nil {
		t.Cleanup(func() {
			if err := cluster.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	return cluster, err
}

func TestAKilledMemberIsGoneAndStartsAgainOverItsDirectoryAndPorts(t *testing.T) {
	cluster, err := launch(t)
	if err != nil {
		t.Fatal(err)
	}
	m := cluster.Members()[1]
	pid := m.PID()
	for range 5 {
		if err := m.Kill(); err != nil {
			t.Fatal(err)
		}
		if m.Running() || m.PID() != 0 {
			t.Fatal("runs after Kill")
		}
		if listener, err := net.Listen("tcp", m.Endpoint()); err != nil {
			t.Fatalf("the port is not free after Kill: %v", err)
		} else if err := listener.Close(); err != nil {
			t.Fatal(err)
		}
		if err := m.Start(); err != nil {
			t.Fatal(err)
		}
		if err := cluster.WaitReady(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if m.PID() == pid || m.Starts() != 6 {
		t.Fatalf("pid %d then %d, %d starts", pid, m.PID(), m.Starts())
	}
	lives, err := os.ReadFile(filepath.Join(m.DataDir(), "lives"))
	if err != nil || len(lives) != 6 {
		t.Fatalf("lives %q, %v: the data directory was not kept", lives, err)
	}
	if err := cluster.Exited(); err != nil {
		t.Fatalf("a kill counts as an exit by itself: %v", err)
	}
}

func TestTheLeaderIsTheOneOfTheHighestTerm(t *testing.T) {
	cluster, err := launch(t)
	if err != nil {
		t.Fatal(err)
	}
	leader, err := cluster.Leader(t.Context())
	if err != nil || leader.Name() != "m1" {
		t.Fatalf("leader %v, %v", leader, err)
	}
	follower := cluster.Members()[2] // its term grows: m1 is the leader of an old one
	if err := errors.Join(follower.Kill(), follower.Start()); err != nil {
		t.Fatal(err)
	}
	if err := follower.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if leader, err := cluster.Leader(ctx); err == nil {
		t.Fatalf("%s passes for the leader of a term that it does not know", leader.Name())
	}
}

func TestAPausedMemberIsSilentUntilItIsResumed(t *testing.T) {
	cluster, err := launch(t)
	if err != nil {
		t.Fatal(err)
	}
	m := cluster.Members()[0]
	if err := m.Pause(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := m.Status(ctx); err == nil {
		t.Fatal("a paused member answers")
	}
	if !m.Running() {
		t.Fatal("a paused member has no process")
	}
	if err := m.Resume(); err != nil {
		t.Fatal(err)
	}
	if err := m.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestAPausedMemberCanBeKilled(t *testing.T) {
	cluster, err := launch(t)
	if err != nil {
		t.Fatal(err)
	}
	m := cluster.Members()[0]
	if err := errors.Join(m.Pause(), m.Kill()); err != nil {
		t.Fatal(err)
	}
	if m.Running() {
		t.Fatal("runs after Kill")
	}
	if m.Pause() == nil || m.Resume() == nil {
		t.Fatal("a member without a process was paused")
	}
}

func TestStopEndsAProcessThatHeedsSIGTERMAndSaysWhenOneDoesNot(t *testing.T) {
	cluster, err := launch(t)
	if err != nil {
		t.Fatal(err)
	}
	m := cluster.Members()[0]
	if err := m.Stop(time.Minute); err != nil || m.Running() {
		t.Fatalf("%v, running %v", err, m.Running())
	}
	deaf := cluster.Members()[1]
	if err := deaf.Pause(); err != nil { // SIGTERM waits for SIGCONT
		t.Fatal(err)
	}
	err = deaf.Stop(100 * time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "still runs") || deaf.Running() {
		t.Fatalf("%v, running %v", err, deaf.Running())
	}
}

func TestAnExitThatNobodyAskedForIsReportedWithTheEndOfTheLog(t *testing.T) {
	_, err := launch(t, "--die=now")
	var exit *nemesis.ExitError
	if !errors.As(err, &exit) {
		t.Fatalf("%v, want an ExitError", err)
	}
	for _, want := range []string{"exit status 3", "the fake was told to die", "by itself"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q: %v", want, err)
		}
	}
}

func TestKillReportsAProcessThatHadEndedByItself(t *testing.T) {
	cluster, err := launch(t)
	if err != nil {
		t.Fatal(err)
	}
	m := cluster.Members()[0]
	process, err := os.FindProcess(m.PID())
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Signal(syscall.SIGABRT); err != nil {
		t.Fatal(err)
	}
	for m.Running() {
		time.Sleep(time.Millisecond)
	}
	var exit *nemesis.ExitError
	if err := m.Kill(); !errors.As(err, &exit) {
		t.Fatalf("%v, want an ExitError", err)
	}
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(m.WaitReady(t.Context()), m.Kill(), cluster.Exited()); err != nil {
		t.Fatal(err)
	}
}

func TestASecondStartIsRefused(t *testing.T) {
	cluster, err := launch(t)
	if err != nil {
		t.Fatal(err)
	}
	if cluster.Members()[0].Start() == nil {
		t.Fatal("a running member was started")
	}
}

func TestABinaryThatCannotRunIsRefusedBeforeAnythingIsStarted(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, binary := range []string{filepath.Join(dir, "missing"), dir, plain} {
		_, err := nemesis.New(nemesis.Options{Binary: binary, Dir: filepath.Join(dir, "cluster")})
		if err == nil {
			t.Errorf("%s was taken for a binary", binary)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "cluster")); err == nil {
		t.Error("a directory was made for a cluster that cannot be")
	}
}

func TestNobodyElseGetsThePortsOfAClusterWhileItIsThere(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has names that go with a process")
	}
	taken := map[string]bool{}
	for range 30 {
		cluster, err := nemesis.New(nemesis.Options{Binary: os.Args[0], Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := errors.Join(cluster.Close(), cluster.Close()); err != nil {
				t.Error(err)
			}
		}()
		port := cluster.Endpoints()[0]
		block := port[:len(port)-2]
		if taken[block] {
			t.Errorf("two clusters have ports in %s00 to 99", block)
		}
		taken[block] = true
	}
}
