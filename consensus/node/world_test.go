package node

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"detcd/consensus/replica"
	"detcd/storage/archive"
	"detcd/storage/vfs"
	"detcd/storage/wal"
)

// notes is a machine that remembers every command. "panic" ends it, "pause" takes it five ticks.
type notes struct {
	lines         []string
	defragmenting archive.Progress
}

func (n *notes) Apply(index uint64, command []byte, local bool) any {
	if string(command) == "panic" {
		panic("the machine cannot go on")
	}
	if string(command) == "pause" {
		time.Sleep(5 * testTick)
	}
	n.lines = append(n.lines, string(command))
	return len(n.lines)
}

func (n *notes) Due(int64) [][]byte { return nil }
func (n *notes) Lead(int64, bool)   {}
func (n *notes) Query(since int64, question []byte) []byte {
	return fmt.Appendf(nil, "%s: %d lines", question, len(n.lines))
}
func (n *notes) View() any                     { return n.lines[:len(n.lines):len(n.lines)] }
func (n *notes) StorageStep() *archive.Step    { return nil }
func (n *notes) StorageStepDone(*archive.Step) {}
func (n *notes) Saved([]archive.Segment)       {}
func (n *notes) Defragment()                   { n.defragmenting = archive.Rewriting }

func (n *notes) Defragmenting() archive.Progress { return n.defragmenting }

func (n *notes) Checkpoint() ([]byte, []archive.Segment, *archive.Step) {
	return []byte(strings.Join(n.lines, "\n")), nil, nil
}

func (n *notes) Restore(_ vfs.FS, _ string, state []byte, _ []archive.Segment) error {
	n.lines = nil
	if len(state) > 0 {
		n.lines = strings.Split(string(state), "\n")
	}
	return nil
}

// A cluster is some members on loopback ports, in one process.
type cluster struct {
	t        *testing.T
	members  map[replica.MemberID]*testNode
	first    []replica.Member
	tick     time.Duration
	patience time.Duration // of members that are started from now on
	slow     time.Duration // and what a slow write is to them
	log      lockedBuffer
}

// A lockedBuffer is a log.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// has says whether some line has all of the words.
func (l *lockedBuffer) has(words ...string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.text.String()) {
		if !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(line, word) }) {
			return true
		}
	}
	return false
}

type testNode struct {
	*Node
	dir    string
	events chan replica.Event
	judge  atomic.Pointer[func(vfs.Op) vfs.Verdict] // what becomes of its disk
}

const (
	testTick  = 10 * time.Millisecond
	testTicks = 10
)

// newCluster starts n members. They are stopped when the test ends, and must leave no goroutine.
func newCluster(t *testing.T, n int) *cluster {
	t.Helper()
	return newClusterTicking(t, n, testTick)
}

// newClusterTicking is newCluster for tests in which the leadership must not be lost by itself,
// however busy the machine is.
func newClusterTicking(t *testing.T, n int, tick time.Duration) *cluster {
	t.Helper()
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		eventually(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= before })
	})
	c := &cluster{t: t, members: make(map[replica.MemberID]*testNode), tick: tick}
	var listeners []net.Listener
	for id := range n {
		listener := listenOn(t, "127.0.0.1:0")
		listeners = append(listeners, listener)
		c.first = append(c.first, replica.Member{
			ID: replica.MemberID(id + 1), PeerURLs: []string{"http://" + listener.Addr().String()},
		})
	}
	for i, listener := range listeners {
		c.start(replica.MemberID(i+1), t.TempDir(), listener)
	}
	t.Cleanup(c.stop)
	return c
}

func listenOn(t *testing.T, address string) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

func (c *cluster) options(
	id replica.MemberID, dir string, listener net.Listener,
) (Options, *testNode) {
	m := &testNode{dir: dir, events: make(chan replica.Event, 1000)}
	fs := vfs.Wrap(vfs.OS(dir), func(op vfs.Op) vfs.Verdict {
		if judge := m.judge.Load(); judge != nil {
			return (*judge)(op)
		}
		return vfs.Verdict{}
	})
	return Options{
		Replica: replica.Options{
			ID: id, Cluster: 99, Incarnation: uint64(id) * 1000, Members: c.first,
			Self:    replica.Member{Name: fmt.Sprint("member ", id)},
			Machine: &notes{}, FS: fs, Tick: c.tick, ElectionTicks: testTicks,
			WALOptions: wal.Options{SegmentSize: 1 << 20}, RequestTimeout: c.patience,
		},
		Listeners: []net.Listener{listener},
		SlowWrite: c.slow,
		Log:       slog.New(slog.NewTextHandler(&c.log, nil)),
		Event: func(e replica.Event) {
			select {
			case m.events <- e:
			default:
			}
		},
	}, m
}

func (c *cluster) start(id replica.MemberID, dir string, listener net.Listener) *testNode {
	c.t.Helper()
	options, m := c.options(id, dir, listener)
	var err error
	if m.Node, err = Start(options); err != nil {
		c.t.Fatal(err)
	}
	c.members[id] = m
	return m
}

// restart starts a member again that has ended, on the address it had.
func (c *cluster) restart(id replica.MemberID) *testNode {
	c.t.Helper()
	address := strings.TrimPrefix(c.first[id-1].PeerURLs[0], "http://")
	return c.start(id, c.members[id].dir, listenOn(c.t, address))
}

func (c *cluster) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, m := range c.members {
		m.judge.Store(nil)
	}
	for id, m := range c.members {
		m.Stop(ctx)
		select {
		case <-m.Done():
		case <-ctx.Done():
			c.t.Errorf("member %d does not stop", id)
		}
	}
}

// leader waits until all members that run agree who leads.
func (c *cluster) leader() *testNode {
	c.t.Helper()
	var leader *testNode
	eventually(c.t, "all agree on a leader", func() bool {
		seen := make(map[replica.MemberID]int)
		running := 0
		for _, m := range c.members {
			if m.Err() == nil && !isDone(m.Done()) {
				running++
				seen[m.Status().Leader]++
			}
		}
		for id, count := range seen {
			if leader = c.members[id]; leader != nil && count == running &&
				leader.Status().Leading && !isDone(leader.Done()) {
				return true
			}
		}
		return false
	})
	return leader
}

func isDone(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<16)
			t.Fatalf("after a minute still not: %s\n%s", what, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

func within(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

// submit has a command executed by some member.
func (m *testNode) submit(t *testing.T, command string) {
	t.Helper()
	if _, err := m.Submit(within(t, time.Minute), []byte(command)); err != nil {
		t.Fatalf("submit %q: %v", command, err)
	}
}

// lines are what a linearizable read shows.
func (m *testNode) lines(t *testing.T) []string {
	t.Helper()
	view, err := m.Barrier(within(t, time.Minute))
	if err != nil {
		t.Fatalf("barrier: %v", err)
	}
	return view.([]string)
}

func count(lines []string, line string) int {
	n := 0
	for _, l := range lines {
		if l == line {
			n++
		}
	}
	return n
}
