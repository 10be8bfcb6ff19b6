package transport

import (
	"fmt"
	"net"
	"testing"
)

// nowhere is an address at which nobody listens.
func nowhere(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// speak sends a message again and again until one arrives: what is queued while a peer cannot be
// reached is lost.
func speak(t *testing.T, from, to *testMember, lane Lane, payload string) {
	t.Helper()
	eventually(t, payload, func() bool {
		from.Send(to.options.Self, lane, []byte(payload))
		for len(to.inbox) > 0 {
			if got := <-to.inbox; got.payload == payload && got.incarnation == got.from*100 {
				return true
			}
		}
		return false
	})
}

func TestAMemberThatCannotBeDialledIsSpokenToAllTheSame(t *testing.T) {
	hidden, open := start(t, 1, impatient), start(t, 2, impatient)
	addresses := map[uint64][]string{1: {nowhere(t)}, 2: {open.address}}
	hidden.SetPeers(addresses)
	open.SetPeers(addresses)
	for _, lane := range []Lane{LaneConsensus, LaneBulk} {
		speak(t, open, hidden, lane, fmt.Sprint("to the hidden one, ", lane))
		speak(t, hidden, open, lane, fmt.Sprint("from it, ", lane))
	}
	eventually(t, "up on both sides, with a round trip", func() bool {
		there, back := hidden.Stats().Peers[0], open.Stats().Peers[0]
		return there.Up && back.Up && back.RoundTrip > 0
	})
	// It can be dialled again, at another address.
	addresses = map[uint64][]string{1: {hidden.address}, 2: {open.address}}
	hidden.SetPeers(addresses)
	open.SetPeers(addresses)
	speak(t, open, hidden, LaneConsensus, "dialled")
}

func TestAConnectionThatIsLentOutlivesNeitherSide(t *testing.T) {
	hidden, open := start(t, 1, impatient), start(t, 2, impatient)
	addresses := map[uint64][]string{1: {nowhere(t)}, 2: {open.address}}
	hidden.SetPeers(addresses)
	open.SetPeers(addresses)
	speak(t, open, hidden, LaneConsensus, "one")
	hidden.Close()
	eventually(t, "down", func() bool { return !open.Stats().Peers[0].Up })
	again := start(t, 1, impatient)
	again.SetPeers(addresses)
	speak(t, open, again, LaneConsensus, "two")
	open.Close() // waits for all that runs
}

func TestALoanThatNobodyNeedsIsRefused(t *testing.T) {
	a, b := start(t, 1, nil), start(t, 2, nil)
	introduce(a, b)
	eventually(t, "connected", func() bool { return a.Stats().Peers[0].Up && b.Stats().Peers[0].Up })
	for from, want := range map[uint64]Verdict{2: RefusedBusy, 3: RefusedBusy} {
		conn := dial(t, a.address)
		h := hello{Version, purposeConsensus + lent, testCluster, from, 1, from * 100}
		conn.Write(h.encode())
		w, err := readWelcome(conn)
		if err != nil || w.verdict != want {
			t.Errorf("member %d: %+v, %v", from, w, err)
		}
		expectClosed(t, conn)
	}
}
