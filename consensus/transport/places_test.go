package transport

import (
	"fmt"
	"net"
	"testing"
	"time"
)

// A caller is one end of a connection that says from which address it comes.
type caller struct {
	net.Conn
	address string
	closed  bool
}

func (c *caller) RemoteAddr() net.Addr           { return &net.TCPAddr{IP: net.ParseIP(c.address)} }
func (c *caller) Read(b []byte) (n int, e error) { return len(b), nil }
func (c *caller) Close() error                   { c.closed = true; return nil }

func TestWhoGivesWayWhenThereIsNoPlace(t *testing.T) {
	const clock = int64(1e18)
	for _, c := range []struct {
		name   string
		taken  []string // address, and for how many seconds it was quiet; -1: it never spoke
		comes  string
		leaves int // which of them; -1: the newcomer
	}{
		{"who is silent for longest", []string{"1 0", "1 -1", "2 -1"}, "1", 1},
		{"of the address with most the one quiet for longest",
			[]string{"1 50", "2 5", "2 9", "2 7"}, "1", 2},
		{"nobody for one more of the same address", []string{"1 50", "1 5", "1 9"}, "1", -1},
		{"nobody for one whose address would have as many", []string{"1 5", "1 9", "2 50"}, "2", -1},
		{"who was quiet for a minute", []string{"1 59", "1 61", "2 90"}, "1", 1},
	} {
		places := NewPlaces(len(c.taken), nil)
		places.born = time.Unix(0, 0)
		var callers []*caller
		enter := func(address string, quiet int64) bool {
			callers = append(callers, &caller{address: "10.0.0." + address})
			conn, _ := places.take(callers[len(callers)-1], time.Unix(0, clock))
			if conn != nil {
				conn.asked.Store(clock - int64(time.Minute) + int64(len(callers)))
			}
			if conn != nil && quiet >= 0 {
				conn.heard.Store(clock - quiet*int64(time.Second))
			}
			return conn != nil
		}
		for _, text := range c.taken {
			var address string
			var quiet int64
			fmt.Sscan(text, &address, &quiet)
			if !enter(address, quiet) {
				t.Fatalf("%s: not let in below the bound", c.name)
			}
		}
		if entered := enter(c.comes, 0); entered != (c.leaves >= 0) {
			t.Errorf("%s: the newcomer was let in: %t", c.name, entered)
		}
		for i, other := range callers {
			if other.closed != (i == c.leaves) {
				t.Errorf("%s: connection %d was ended: %t", c.name, i, other.closed)
			}
		}
		if open := places.Open(); open != len(c.taken) {
			t.Errorf("%s: %d are open", c.name, open)
		}
	}
}

// Nobody has to leave before he was listened to for a while, however many come: they wait.
func TestEverybodyIsListenedToForAWhile(t *testing.T) {
	const begin = int64(1e18)
	at := func(after time.Duration) time.Time { return time.Unix(0, begin).Add(after) }
	places := NewPlaces(2, nil)
	places.born = time.Unix(0, 0)
	first, _ := places.take(&caller{address: "10.0.0.1"}, at(0))
	second, _ := places.take(&caller{address: "10.0.0.1"}, at(0))
	second.asked.Store(begin)
	come := func(after time.Duration) (*place, time.Duration) {
		return places.take(&caller{address: "10.0.0.2"}, at(after))
	}
	for _, c := range []struct{ after, wait time.Duration }{
		{time.Millisecond, silenceMin - time.Millisecond}, {silenceMin - 1, 1},
	} {
		if conn, wait := come(c.after); conn != nil || wait != c.wait {
			t.Errorf("after %v: let in %t, to wait %v, not %v", c.after, conn != nil, wait, c.wait)
		}
	}
	if conn, wait := come(silenceMin); conn == nil || wait != 0 || !second.Conn.(*caller).closed {
		t.Errorf("nobody gave way to who has waited, %v", wait)
	}
	// Nobody listens to the others yet, at a member that is busy.
	if conn, wait := come(time.Hour); conn != nil || wait != silenceMin {
		t.Errorf("let in %t, to wait %v", conn != nil, wait)
	}
	if _, err := first.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if first.heard.Load() == 0 || first.asked.Load() == 0 {
		t.Error("who was read was not listened to, or not heard")
	}
}

func TestAPlaceIsGivenBackOnce(t *testing.T) {
	places := NewPlaces(2, nil)
	first, _ := places.take(&caller{address: "10.0.0.1"}, time.Now())
	second, _ := places.take(&caller{address: "10.0.0.1"}, time.Now())
	second.keep()
	for range 3 {
		first.Close()
		second.Close()
	}
	if open := places.Open(); open != 0 || len(places.addresses) != 0 {
		t.Errorf("%d are open, of %v", open, places.addresses)
	}
}

// Whoever may connect cannot keep members apart, with connections that say nothing or that say they
// are of members that nobody knows.
func TestStrangersDoNotKeepMembersApart(t *testing.T) {
	const bound = 16
	a := start(t, 1, func(o *Options) { o.Bounds.Connections, o.Bounds.Timeout = bound, time.Minute })
	for i := range uint64(5 * bound) {
		conn := dial(t, a.address)
		if i%2 == 0 {
			h := hello{Version, purposeConsensus, testCluster, 1000 + i, 1, i}
			conn.Write(h.encode())
			if _, err := readWelcome(conn); err != nil {
				t.Fatal(err)
			}
		}
	}
	eventually(t, "strangers are bounded", func() bool {
		a.Transport.mu.Lock()
		defer a.Transport.mu.Unlock()
		return len(a.accepted) <= bound && len(a.strangers) <= strangersMax &&
			len(a.latest) <= strangersMax
	})
	b, c := start(t, 2, nil), start(t, 3, nil)
	introduce(a, b, c)
	speak(t, b, a, LaneConsensus, "b is heard")
	speak(t, c, a, LaneBulk, "c is heard")
	for range 5 * bound {
		dial(t, a.address)
	}
	if !b.Send(1, LaneConsensus, []byte("still connected")) {
		t.Error("a member gave way to a stranger")
	}
	for got := a.next(t); got.payload != "still connected"; got = a.next(t) {
	}
}

// The places of members are beyond the bound.
func TestAllMembersFindAPlace(t *testing.T) {
	a := start(t, 1, func(o *Options) { o.Bounds.Connections = 2 })
	members := []*testMember{a}
	for id := range uint64(4) {
		members = append(members, start(t, 2+id, nil))
	}
	introduce(members...)
	for _, m := range members[1:] {
		speak(t, m, a, LaneConsensus, fmt.Sprint(m.options.Self))
	}
	eventually(t, "none counts", func() bool {
		return a.places.Open() == 0
	})
}
