package transport

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"
)

const testCluster = 0xc1

// received is one message as Deliver saw it.
type received struct {
	from, incarnation uint64
	payload           string
}

// A testMember is a transport on a loopback port and what it was told.
type testMember struct {
	*Transport
	address string
	inbox   chan received

	mu          sync.Mutex
	unreachable map[uint64]int
	refused     map[uint64]Verdict
}

// impatient is for tests of what happens when a peer is silent for too long. Others must not meet
// the time-out, however busy the machine is.
func impatient(o *Options) { o.Bounds.Timeout = time.Second }

// start makes a member; change may alter its options.
func start(t *testing.T, self uint64, change func(*Options)) *testMember {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return startOn(t, self, listener, change)
}

func startOn(t *testing.T, self uint64, listener net.Listener, change func(*Options)) *testMember {
	t.Helper()
	m := &testMember{
		address: listener.Addr().String(), inbox: make(chan received, 10000),
		unreachable: make(map[uint64]int), refused: make(map[uint64]Verdict),
	}
	options := Options{
		Cluster: testCluster, Self: self, Incarnation: self * 100,
		Listeners: []net.Listener{listener},
		Deliver: func(from, incarnation uint64, payload []byte) {
			m.inbox <- received{from, incarnation, string(payload)}
		},
		Unreachable: func(id uint64) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.unreachable[id]++
		},
		Refused: func(id uint64, verdict Verdict, reason string) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.refused[id] = verdict
		},
		Bounds: Bounds{Timeout: 5 * time.Second, BackoffMax: 100 * time.Millisecond},
	}
	if change != nil {
		change(&options)
	}
	m.Transport = New(options)
	t.Cleanup(m.Close)
	return m
}

// introduce makes members know each other.
func introduce(members ...*testMember) {
	addresses := make(map[uint64][]string)
	for _, m := range members {
		addresses[m.options.Self] = []string{m.address}
	}
	for _, m := range members {
		m.SetPeers(addresses)
	}
}

func (m *testMember) next(t *testing.T) received {
	t.Helper()
	select {
	case r := <-m.inbox:
		return r
	case <-time.After(time.Minute):
		t.Fatal("nothing was delivered within a minute")
		return received{}
	}
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after a minute still not: %s", what)
		}
	}
}

// sendUntilTaken sends again while the peer cannot be reached.
func (m *testMember) sendUntilTaken(t *testing.T, to uint64, lane Lane, payload string) {
	t.Helper()
	eventually(t, "message taken", func() bool { return m.Send(to, lane, []byte(payload)) })
}

func TestMessagesArriveInOrderOnBothLanes(t *testing.T) {
	a, b := start(t, 1, nil), start(t, 2, nil)
	introduce(a, b)
	for _, lane := range []Lane{LaneConsensus, LaneBulk} {
		for i := range 1000 {
			if !a.Send(2, lane, fmt.Appendf(nil, "%s %d", lane, i)) {
				t.Fatalf("%s: message %d was dropped", lane, i)
			}
		}
		for i := range 1000 {
			want := received{1, 100, fmt.Sprintf("%s %d", lane, i)}
			if got := b.next(t); got != want {
				t.Fatalf("got %v, want %v", got, want)
			}
		}
	}
	if b.Send(3, LaneConsensus, nil) {
		t.Error("a message to nobody was taken")
	}
	eventually(t, "round trip known", func() bool {
		s := a.Stats().Peers[0]
		return s.Up && s.RoundTrip > 0 && s.SentFrames == 2000
	})
	eventually(t, "counted", func() bool { return b.Stats().Peers[0].ReceivedFrames == 2000 })
}

func TestWhatIsQueuedLeavesWithTheFlush(t *testing.T) {
	a, b := start(t, 1, nil), start(t, 2, nil)
	introduce(a, b)
	a.sendUntilTaken(t, 2, LaneConsensus, "connected")
	b.next(t)
	for i := range 100 {
		if !a.Queue(2, LaneConsensus, fmt.Append(nil, i)) {
			t.Fatalf("message %d was dropped", i)
		}
	}
	a.Flush()
	for i := range 100 {
		if got := b.next(t); got.payload != fmt.Sprint(i) {
			t.Fatalf("got %v, want %d", got, i)
		}
	}
	if a.Queue(3, LaneConsensus, nil) {
		t.Error("a message to nobody was queued")
	}
}

func TestAPeerThatIsGoneIsReachedAgainWhenItIsBack(t *testing.T) {
	a, b := start(t, 1, nil), start(t, 2, nil)
	introduce(a, b)
	a.sendUntilTaken(t, 2, LaneConsensus, "one")
	b.next(t)
	b.Close()
	eventually(t, "unreachable", func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.unreachable[2] > 0
	})
	eventually(t, "down", func() bool { return !a.Stats().Peers[0].Up })
	if a.Send(2, LaneConsensus, []byte("lost")) {
		t.Error("a message to a peer that is down was taken")
	}
	listener, err := net.Listen("tcp", b.address)
	if err != nil {
		t.Fatal(err)
	}
	again := startOn(t, 2, listener, nil)
	a.sendUntilTaken(t, 2, LaneConsensus, "two")
	if got := again.next(t); got.payload != "two" {
		t.Errorf("got %v after the restart", got)
	}
}

func TestRefusedHandshakesSayWhy(t *testing.T) {
	removed := func(o *Options) {
		o.Admit = func(from, incarnation uint64) (Verdict, string) {
			if from == 7 && incarnation == 700 {
				return RefusedRemoved, "member 7 was removed"
			}
			return Welcome, ""
		}
	}
	for _, c := range []struct {
		name    string
		self    uint64
		change  func(*Options)
		want    Verdict
		refuses func(*Options)
	}{
		{"another cluster", 1, func(o *Options) { o.Cluster++ }, RefusedCluster, nil},
		{"another member", 2, nil, RefusedMember, nil},
		{"removed", 7, nil, RefusedRemoved, removed},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := start(t, c.self, c.change), start(t, 2, c.refuses)
			to := uint64(2)
			if c.want == RefusedMember {
				to = 3
			}
			a.SetPeers(map[uint64][]string{to: {b.address}})
			eventually(t, "refused", func() bool {
				a.mu.Lock()
				defer a.mu.Unlock()
				return a.refused[to] == c.want
			})
			if a.Stats().Peers[0].Up || len(b.inbox) > 0 {
				t.Error("the connection is in use all the same")
			}
		})
	}
}

func TestAnotherVersionIsRefused(t *testing.T) {
	a := start(t, 1, nil)
	conn := dial(t, a.address)
	h := hello{Version + 1, purposeConsensus, testCluster, 2, 1, 200}
	conn.Write(h.encode())
	w, err := readWelcome(conn)
	if err != nil || w.verdict != RefusedVersion || w.reason == "" {
		t.Errorf("%+v, %v; want a refusal", w, err)
	}
	expectClosed(t, conn)
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(time.Minute))
	return conn
}

func expectClosed(t *testing.T, conn net.Conn) {
	t.Helper()
	if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Error("the connection is still open")
	} else if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
		t.Error("the connection is still open after a minute")
	}
}

func TestGarbageClosesTheConnectionAndNothingElse(t *testing.T) {
	a, b := start(t, 1, impatient), start(t, 2, nil)
	introduce(a, b)
	h := hello{Version, purposeConsensus, testCluster, 3, 1, 300}
	oversize := binary.LittleEndian.AppendUint32(nil, 65<<20)
	broken := appendFrame(nil, frameMessage, []byte("broken"))
	broken[len(broken)-1] ^= 1
	for name, bytes := range map[string][]byte{
		"text":          []byte("GET / HTTP/1.1\r\n\r\n"),
		"bad hello":     append([]byte(helloMagic), make([]byte, helloSize)...),
		"half a hello":  h.encode()[:20],
		"nothing":       nil,
		"oversize":      append(h.encode(), append(oversize, frameMessage, 0, 0, 0, 0)...),
		"broken frame":  append(h.encode(), broken...),
		"unknown frame": append(h.encode(), 0, 0, 0, 0, 99, 0, 0, 0, 0),
	} {
		t.Run(name, func(t *testing.T) {
			conn := dial(t, a.address)
			conn.Write(bytes)
			if len(bytes) > helloSize && string(bytes[:helloSize]) == string(h.encode()) {
				if w, err := readWelcome(conn); err != nil || w.verdict != Welcome {
					t.Fatalf("%+v, %v", w, err)
				}
			}
			expectClosed(t, conn)
		})
	}
	if len(a.inbox) != 0 {
		t.Errorf("garbage was delivered: %v", <-a.inbox)
	}
	b.sendUntilTaken(t, 1, LaneConsensus, "still here")
	a.next(t)
}

func TestASlowReaderBlocksNobodyAndCostsBoundedMemory(t *testing.T) {
	stuck := make(chan struct{})
	slow := start(t, 2, func(o *Options) {
		o.Deliver = func(uint64, uint64, []byte) { <-stuck }
	})
	t.Cleanup(func() { close(stuck) })
	fast := start(t, 3, nil)
	bounds := Bounds{
		QueueBytes: 1 << 20, Timeout: 500 * time.Millisecond, BackoffMax: 50 * time.Millisecond,
	}
	a := start(t, 1, func(o *Options) { o.Bounds = bounds })
	introduce(a, slow, fast)
	a.sendUntilTaken(t, 2, LaneConsensus, "first")
	payload := bytes.Repeat([]byte("x"), 64<<10)
	before := time.Now()
	dropped := 0
	for range 200 {
		if !a.Send(2, LaneConsensus, payload) {
			dropped++
		}
	}
	if took := time.Since(before); took > 30*time.Second {
		t.Errorf("200 sends to a stuck peer took %s", took)
	}
	if dropped == 0 {
		t.Error("12 MiB were taken for a stuck peer; the bound is 1 MiB")
	}
	a.sendUntilTaken(t, 3, LaneConsensus, "quick")
	if got := fast.next(t); got.payload != "quick" {
		t.Errorf("got %v", got)
	}
	eventually(t, "the stuck peer is given up", func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.unreachable[2] > 0
	})
}

// A half-open connection is one whose other end is gone without a word: nothing fails, nothing
// arrives. The missing echo of the pulse is the only sign.
func TestAHalfOpenConnectionIsDialledAnew(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	a := start(t, 1, impatient)
	a.SetPeers(map[uint64][]string{2: {listener.Addr().String()}})
	silent := make(map[purpose]bool)
	for !silent[purposeConsensus] || !silent[purposeBulk] {
		conn := acceptAs(t, listener, silent)
		defer conn.Close()
	}
	// Both lanes come again although neither connection was closed by this end.
	for again := make(map[purpose]bool); len(again) < 2; {
		conn := acceptAs(t, listener, again)
		defer conn.Close()
	}
}

// acceptAs plays a listener that answers the handshake and nothing after it.
func acceptAs(t *testing.T, listener net.Listener, seen map[purpose]bool) net.Conn {
	t.Helper()
	listener.(*net.TCPListener).SetDeadline(time.Now().Add(time.Minute))
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	h, err := readHello(conn)
	if err != nil {
		t.Fatal(err)
	}
	answer := welcome{Version, Welcome, "", h.cluster, h.to, 1}
	conn.Write(answer.encode())
	seen[h.purpose] = true
	return conn
}

func TestAMessageLargerThanTheBoundIsDropped(t *testing.T) {
	small := func(o *Options) { o.Bounds.MessageBytes, o.Bounds.QueueBytes = 1000, 100 }
	a, b := start(t, 1, small), start(t, 2, small)
	introduce(a, b)
	a.sendUntilTaken(t, 2, LaneBulk, string(make([]byte, 1000)))
	if got := b.next(t); len(got.payload) != 1000 {
		t.Errorf("%d bytes arrived", len(got.payload))
	}
	if a.Send(2, LaneBulk, make([]byte, 1001)) {
		t.Error("a message beyond the bound was taken")
	}
}

func TestSetPeersForgetsAndMoves(t *testing.T) {
	a, b, c := start(t, 1, nil), start(t, 2, nil), start(t, 2, nil)
	a.SetPeers(map[uint64][]string{2: {b.address}})
	a.sendUntilTaken(t, 2, LaneConsensus, "at b")
	b.next(t)
	a.SetPeers(map[uint64][]string{2: {"127.0.0.1:1", "http://" + c.address}})
	a.sendUntilTaken(t, 2, LaneConsensus, "at c")
	if got := c.next(t); got.payload != "at c" {
		t.Errorf("got %v", got)
	}
	a.SetPeers(nil)
	if a.Send(2, LaneConsensus, nil) || len(a.Stats().Peers) != 0 {
		t.Error("a forgotten peer is still a peer")
	}
}

func TestCloseLeavesNoGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	var members []*testMember
	for id := range uint64(3) {
		members = append(members, start(t, id+1, nil))
	}
	introduce(members...)
	members[0].sendUntilTaken(t, 2, LaneConsensus, "hello")
	members[1].next(t)
	for _, m := range members {
		m.Close()
		m.Close()
		m.SetPeers(map[uint64][]string{9: {"127.0.0.1:1"}})
	}
	eventually(t, "goroutines gone", func() bool { return runtime.NumGoroutine() <= before })
}

func BenchmarkSendAndDeliver(b *testing.B) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan struct{})
	n := 0
	receiver := New(Options{
		Self: 2, Listeners: []net.Listener{listener},
		Deliver: func(uint64, uint64, []byte) {
			if n++; n == b.N {
				close(done)
			}
		},
	})
	sender := New(Options{Self: 1})
	sender.SetPeers(map[uint64][]string{2: {listener.Addr().String()}})
	payload := make([]byte, 300)
	b.SetBytes(int64(len(payload)))
	for range b.N {
		for !sender.Send(2, LaneConsensus, payload) {
			time.Sleep(100 * time.Microsecond)
		}
	}
	<-done
	b.StopTimer()
	sender.Close()
	receiver.Close()
}
