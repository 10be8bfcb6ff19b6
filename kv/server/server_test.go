package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/types"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"detcd/consensus/node"
	"detcd/consensus/replica"
	"detcd/storage/checkpoint"
	"detcd/storage/vfs"
)

// ports counts those that were given out. The system and nemesis give out others, so nobody takes
// one between its choice and its use, or while a member is down, but another process of this test,
// which begins elsewhere.
var ports atomic.Int32

// freeURL is an address on which nothing listens.
func freeURL(t *testing.T) types.URLs {
	t.Helper()
	const first, count = 2_400, 9_500
	for range count {
		port := first + (os.Getpid()*199+int(ports.Add(1)))%count
		address := fmt.Sprintf("127.0.0.1:%d", port)
		listener, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		listener.Close()
		return types.MustNewURLs([]string{"http://" + address})
	}
	t.Fatal("no port is free")
	return nil
}

// testConfigs are those of the members of a new cluster, with quick elections.
func testConfigs(t *testing.T, n int) []Config {
	t.Helper()
	cluster := make(types.URLsMap)
	var configs []Config
	for i := range n {
		c := testConfig(t, fmt.Sprintf("m%d", i))
		cluster[c.Name] = c.AdvertisePeerURLs
		c.InitialCluster = cluster
		configs = append(configs, c)
	}
	return configs
}

func testConfig(t *testing.T, name string) Config {
	t.Helper()
	c := Default()
	c.Name, c.DataDir = name, filepath.Join(t.TempDir(), "data")
	c.ListenPeerURLs, c.ListenClientURLs = freeURL(t), freeURL(t)
	c.AdvertisePeerURLs, c.AdvertiseClientURLs = c.ListenPeerURLs, c.ListenClientURLs
	c.HeartbeatInterval, c.ElectionTimeout = 20*time.Millisecond, 200*time.Millisecond
	return c
}

// start starts a server, which is stopped when the test ends.
func start(t *testing.T, config Config) *Server {
	t.Helper()
	s, err := Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s
}

func ready(t *testing.T, servers ...*Server) {
	t.Helper()
	for _, s := range servers {
		select {
		case <-s.Ready():
		case <-s.Done():
			t.Fatalf("%s ended: %v", s.config.Name, s.Err())
		case <-time.After(time.Minute):
			t.Fatalf("%s is not ready after a minute: %+v", s.config.Name, s.node.Load().Status())
		}
	}
}

func stop(t *testing.T, s *Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.Stop(ctx); err != nil && !errors.Is(err, node.ErrRemoved) {
		t.Errorf("stop %s: %v", s.config.Name, err)
	}
}

func client(t *testing.T, s *Server) *clientv3.Client {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: s.ClientAddresses(), Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func put(t *testing.T, s *Server, key, value string) {
	t.Helper()
	if _, err := client(t, s).Put(within(t), key, value); err != nil {
		t.Fatalf("put %s by way of %s: %v", key, s.config.Name, err)
	}
}

func expect(t *testing.T, s *Server, key, want string) {
	t.Helper()
	got, err := client(t, s).Get(within(t), key)
	if err != nil || len(got.Kvs) != 1 || string(got.Kvs[0].Value) != want {
		t.Errorf("get %s by way of %s: %v, %v; want %s", key, s.config.Name, got, err, want)
	}
}

// leavesNothing checks that the goroutines of the test end with it. It must be called first.
func leavesNothing(t *testing.T) {
	t.Helper()
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		eventually(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= before })
	})
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<16)
			t.Fatalf("after a minute still not: %s\n%s", what, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

func TestARestartKeepsEverything(t *testing.T) {
	leavesNothing(t)
	config := testConfigs(t, 1)[0]
	for run := range 3 {
		s := start(t, config)
		ready(t, s)
		for earlier := range run {
			expect(t, s, fmt.Sprint("key ", earlier), "value")
		}
		put(t, s, fmt.Sprint("key ", run), "value")
		stop(t, s)
	}
}

// A process that is replaced may take its time to end.
func TestADirectoryInUseIsWaitedFor(t *testing.T) {
	leavesNothing(t)
	config := testConfigs(t, 1)[0]
	first := start(t, config)
	ready(t, first)
	put(t, first, "k", "v")
	if err := Verify(config.DataDir, "", new(bytes.Buffer)); !errors.Is(err, vfs.ErrLocked) {
		t.Errorf("a directory in use was audited: %v", err)
	}
	log := new(lockedBuffer)
	second := config
	second.ListenClientURLs, second.ListenPeerURLs = freeURL(t), freeURL(t)
	second.Log = slog.New(slog.NewTextHandler(log, nil))
	type result struct {
		server *Server
		err    error
	}
	started := make(chan result, 1)
	begin := func(ctx context.Context) {
		s, err := Start(ctx, second)
		started <- result{s, err}
	}
	given, giveUp := context.WithCancel(t.Context())
	go begin(given)
	eventually(t, "the second waits", func() bool {
		return strings.Contains(log.String(), "in use by another process; waiting")
	})
	giveUp()
	if r := <-started; !errors.Is(r.err, vfs.ErrLocked) {
		t.Errorf("one that gave up: %v", r.err)
	}
	go begin(t.Context())
	stop(t, first)
	r := <-started
	if r.err != nil {
		t.Fatal(r.err)
	}
	t.Cleanup(func() { stop(t, r.server) })
	ready(t, r.server)
	expect(t, r.server, "k", "v")
}

func TestAFailedStartLeavesNothing(t *testing.T) {
	leavesNothing(t)
	config := testConfigs(t, 1)[0]
	taken, err := net.Listen("tcp", config.ListenClientURLs[0].Host)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := Start(t.Context(), config); err == nil {
		stop(t, s)
		t.Fatal("two listen on one port")
	}
	taken.Close()
	ready(t, start(t, config))
}

// What the flags of a new cluster say counts for a new directory only, as in etcd. What was given
// and differs is told of, and what was not given is not.
func TestAUsedDirectoryCountsWhateverTheFlagsSay(t *testing.T) {
	config := testConfigs(t, 1)[0]
	s := start(t, config)
	ready(t, s)
	put(t, s, "k", "v")
	stop(t, s)
	const warning = "a flag for new ones says something else and is ignored"
	moved := testConfigs(t, 1)[0]
	for _, c := range []struct {
		name   string
		change func(*Config)
		flags  []string // that are told of
	}{
		{"the same", func(c *Config) { c.InitialClusterGiven = true }, nil},
		{"nothing given", func(c *Config) {
			c.AdvertisePeerURLs, c.InitialCluster = Default().AdvertisePeerURLs, Default().InitialCluster
		}, nil},
		{"another token", func(c *Config) { c.InitialClusterToken = "another" }, nil},
		{"a cluster that runs", func(c *Config) { c.Existing = true }, nil},
		{"another name", func(c *Config) { c.Name = "other" }, nil},
		{"a cluster without it", func(c *Config) {
			c.InitialCluster, c.InitialClusterGiven = types.URLsMap{"x": freeURL(t)}, true
		}, []string{"--initial-cluster"}},
		{"another address", func(c *Config) {
			c.ListenPeerURLs, c.AdvertisePeerURLs = moved.ListenPeerURLs, moved.AdvertisePeerURLs
			c.InitialCluster, c.InitialClusterGiven = moved.InitialCluster, true
		}, []string{"--initial-cluster", "--initial-advertise-peer-urls"}},
	} {
		log := new(lockedBuffer)
		used := config
		c.change(&used)
		used.Log = slog.New(slog.NewTextHandler(log, nil))
		s := start(t, used)
		ready(t, s)
		expect(t, s, "k", "v")
		stop(t, s)
		if got := strings.Count(log.String(), warning); got != len(c.flags) {
			t.Errorf("%s: %d warnings, want %d:\n%s", c.name, got, len(c.flags), log)
		}
		for _, flag := range c.flags {
			if !strings.Contains(log.String(), "flag="+flag) {
				t.Errorf("%s: nothing about %s in\n%s", c.name, flag, log)
			}
		}
	}
}

// The machine of a single member got another address: it serves, and is told of the address.
func TestAMemberThatMovedIsUpdated(t *testing.T) {
	config := testConfigs(t, 1)[0]
	s := start(t, config)
	ready(t, s)
	stop(t, s)
	moved := testConfigs(t, 1)[0]
	moved.DataDir = config.DataDir
	s = start(t, moved)
	ready(t, s)
	c := client(t, s)
	members, err := c.MemberList(within(t))
	if err != nil || len(members.Members) != 1 {
		t.Fatalf("%v, %v", members, err)
	}
	urls := moved.AdvertisePeerURLs.StringSlice()
	if _, err := c.MemberUpdate(within(t), members.Members[0].ID, urls); err != nil {
		t.Fatal(err)
	}
	stop(t, s)
	s = start(t, moved)
	ready(t, s)
	members, err = client(t, s).MemberList(within(t))
	if err != nil || !slices.Equal(members.Members[0].PeerURLs, urls) {
		t.Errorf("%v, %v", members, err)
	}
}

func TestADirectoryOfANewerVersionIsRefused(t *testing.T) {
	config := testConfigs(t, 1)[0]
	s := start(t, config)
	ready(t, s)
	stop(t, s)
	dir := vfs.OS(filepath.Join(config.DataDir, "member"))
	if err := checkpoint.Save(dir, "checkpoint", 1000, []byte{99}); err != nil {
		t.Fatal(err)
	}
	if s, err := Start(t.Context(), config); err == nil {
		stop(t, s)
		t.Error("a checkpoint of version 99 was read")
	} else if !errors.Is(err, replica.ErrVersion) {
		t.Error(err)
	}
}

func TestThreeMembersServeTogether(t *testing.T) {
	leavesNothing(t)
	configs := testConfigs(t, 3)
	var servers []*Server
	for _, c := range configs {
		servers = append(servers, start(t, c))
	}
	ready(t, servers...)
	for i, s := range servers {
		put(t, s, fmt.Sprint("by ", i), "v")
	}
	for i := range servers {
		expect(t, servers[(i+1)%3], fmt.Sprint("by ", i), "v")
	}
	first := leader(t, servers)
	stop(t, servers[first])
	put(t, servers[(first+1)%3], "without", "one")
	servers[first] = start(t, configs[first])
	ready(t, servers[first])
	expect(t, servers[first], "without", "one")
	sameHash(t, servers)
}

func leader(t *testing.T, servers []*Server) int {
	t.Helper()
	found := 0
	eventually(t, "one leads", func() bool {
		for i, s := range servers {
			if s.node.Load().Status().Leading {
				found = i
				return true
			}
		}
		return false
	})
	return found
}

func sameHash(t *testing.T, servers []*Server) {
	t.Helper()
	got, err := client(t, servers[0]).Get(within(t), "x")
	if err != nil {
		t.Fatal(err)
	}
	hashes := make(map[uint32]bool)
	for _, s := range servers {
		expect(t, s, "without", "one")
		h, err := client(t, s).HashKV(within(t), s.ClientAddresses()[0], got.Header.Revision)
		if err != nil {
			t.Fatal(err)
		}
		hashes[h.Hash] = true
	}
	if len(hashes) != 1 {
		t.Errorf("members have different hashes: %v", hashes)
	}
}

func TestAStreamDoesNotHoldUpTheEnd(t *testing.T) {
	leavesNothing(t)
	s := start(t, testConfigs(t, 1)[0])
	ready(t, s)
	events := client(t, s).Watch(context.Background(), "k")
	put(t, s, "k", "v")
	select {
	case got := <-events:
		if len(got.Events) != 1 {
			t.Errorf("%+v", got)
		}
	case <-time.After(time.Minute):
		t.Fatal("no event")
	}
	begun := time.Now()
	stop(t, s)
	if took := time.Since(begun); took > 30*time.Second {
		t.Errorf("it took %s to stop", took)
	}
}

func TestAnUnsafeMemberSaysSo(t *testing.T) {
	config := testConfigs(t, 1)[0]
	log := new(lockedBuffer)
	config.UnsafeNoFsync, config.Log = true, slog.New(slog.NewTextHandler(log, nil))
	s := start(t, config)
	ready(t, s)
	put(t, s, "k", "v")
	stop(t, s)
	if !strings.Contains(log.String(), "fsync is DISABLED") {
		t.Errorf("no warning in\n%s", log)
	}
	if !strings.Contains(log.String(), "ready to serve client requests") {
		t.Errorf("not said to be ready in\n%s", log)
	}
}

// A compaction goes on after it was answered, and the log says when it is done: once, also by a
// member that was started again meanwhile.
func TestTheEndOfACompactionIsTold(t *testing.T) {
	config := testConfigs(t, 1)[0]
	const line = `msg="finished scheduled compaction" compact-revision=3`
	for run := range 2 {
		log := new(lockedBuffer)
		config.Log = slog.New(slog.NewTextHandler(log, nil))
		s := start(t, config)
		ready(t, s)
		if run == 0 {
			for range 4 {
				put(t, s, "k", "v")
			}
			if _, err := client(t, s).Compact(within(t), 3); err != nil {
				t.Fatal(err)
			}
		}
		eventually(t, "the end is told", func() bool { return strings.Contains(log.String(), line) })
		stop(t, s)
		if n := strings.Count(log.String(), line); n != 1 {
			t.Errorf("it is told %d times:\n%s", n, log)
		}
	}
}

func TestTheLogMayHaveADirectoryOfItsOwn(t *testing.T) {
	config := testConfigs(t, 1)[0]
	config.WALDir = filepath.Join(t.TempDir(), "log")
	for range 2 {
		s := start(t, config)
		ready(t, s)
		put(t, s, "k", "v")
		stop(t, s)
	}
	names, err := filepath.Glob(filepath.Join(config.WALDir, "*.wal"))
	if err != nil || len(names) == 0 {
		t.Errorf("%v, %v", names, err)
	}
	if _, err := os.Stat(filepath.Join(config.DataDir, "member", "wal")); err == nil {
		t.Error("there is a log in the data directory, too")
	}
	if err := Verify(config.DataDir, config.WALDir, new(bytes.Buffer)); err != nil {
		t.Error(err)
	}
}

// A lockedBuffer is a bytes.Buffer for several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func shortly(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}
