package node

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"detcd/consensus/replica"
	"detcd/storage/vfs"
)

func TestASlowWriteIsLoggedInEtcdsWords(t *testing.T) {
	c := newCluster(t, 1)
	m := c.leader()
	m.submit(t, "quick")
	if c.log.has("slow fdatasync") {
		t.Errorf("a quick write is called slow")
	}
	m.Stop(within(t, time.Minute))
	c.slow = time.Nanosecond
	c.restart(1).submit(t, "slow")
	if !c.log.has("slow fdatasync", "level=WARN", "took=", "expected-duration=1ns") {
		t.Errorf("nothing is said of a slow write")
	}
}

func TestAWriteThatDoesNotEndIsSeen(t *testing.T) {
	c := newCluster(t, 1)
	m := c.leader()
	m.submit(t, "a")
	begun, entered, release := time.Now(), make(chan bool, 1), make(chan bool)
	judge := func(op vfs.Op) vfs.Verdict {
		if op.Kind == vfs.Sync {
			select {
			case entered <- true:
			default:
			}
			<-release
		}
		return vfs.Verdict{}
	}
	m.judge.Store(&judge)
	done := make(chan error)
	go func() {
		_, err := m.Submit(t.Context(), []byte("b"))
		done <- err
	}()
	<-entered
	if since := m.Stats().WritingSince; since.Before(begun.Add(-time.Millisecond)) {
		t.Errorf("a write hangs, and is under way since %v", since)
	}
	m.judge.Store(nil)
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
	eventually(t, "no write is under way", func() bool { return m.Stats().WritingSince.IsZero() })
}

// The times are in ticks; a heartbeat is sent with each but those that are missed.
func TestLateHeartbeats(t *testing.T) {
	const second = 10 // ticks
	var sent heartbeats
	var late, told []int
	for tick := range 20 * second {
		if tick%second >= 5 { // every second the leader stands still for half of it
			continue
		}
		exceeded, tell := sent.sending(7, time.Duration(tick)*testTick*10, 2*testTick*10)
		if exceeded > 0 {
			if want := 4 * testTick * 10; exceeded != want {
				t.Errorf("at tick %d by %v, want %v", tick, exceeded, want)
			}
			late = append(late, tick)
		}
		if tell {
			told = append(told, tick)
		}
	}
	if len(late) != 19 {
		t.Errorf("late at %v", late)
	}
	if want := []int{10, 60, 110, 160}; !slices.Equal(told, want) {
		t.Errorf("told at %v, want %v", told, want)
	}
}

// On a busy machine the leadership may be lost meanwhile; the next leader then stands still.
func TestALeaderThatStandsStillSaysSoInEtcdsWords(t *testing.T) {
	c := newCluster(t, 3)
	eventually(t, "a leader tells of each of its followers", func() bool {
		leader := c.leader()
		_, _ = leader.Submit(within(t, time.Minute), []byte("pause"))
		for other := range c.members {
			to := fmt.Sprintf("to=%x", uint64(other))
			if other != leader.Status().ID && !c.log.has("leader failed to send out heartbeat on "+
				"time; took too long, leader is overloaded likely from slow disk", to,
				"expected-duration=20ms", "exceeded-duration=") {
				return false
			}
		}
		return leader.Stats().LateHeartbeats > 0
	})
}

func TestAChangeOfTheMembershipIsToldWithWhatWasBefore(t *testing.T) {
	type pair struct{ before, after replica.Membership }
	told := make(chan pair, 10)
	c := &cluster{t: t, members: make(map[replica.MemberID]*testNode), tick: testTick}
	listener := listenOn(t, "127.0.0.1:0")
	url := "http://" + listener.Addr().String()
	c.first = []replica.Member{{ID: 1, PeerURLs: []string{url}}}
	options, m := c.options(1, t.TempDir(), listener)
	options.Membership = func(before, after replica.Membership) { told <- pair{before, after} }
	var err error
	if m.Node, err = Start(options); err != nil {
		t.Fatal(err)
	}
	c.members[1] = m
	t.Cleanup(c.stop)
	_, err = m.Change(within(t, time.Minute), []replica.Change{{
		Kind: replica.ChangeAddLearner, LearnersMax: 1,
		Member: replica.Member{ID: 2, PeerURLs: []string{"http://127.0.0.1:1"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for p := range told {
		if _, ok := p.after.Find(2); !ok {
			continue
		}
		if _, ok := p.before.Find(2); ok || len(p.before.Members) != 1 {
			t.Errorf("before it there were %+v", p.before.Members)
		}
		return
	}
}
