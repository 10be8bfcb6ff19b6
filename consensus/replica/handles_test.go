package replica

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"detcd/storage/vfs"
)

// A process that may open no more files for a while, because of connections for example, is no
// member with a broken disk: everything is tried again.
func TestFilesThatCannotBeOpenedAreTriedAgain(t *testing.T) {
	refused, acknowledged := 0, 0
	for seed := range uint64(20) {
		w := newWorld(t, 900+seed, 3)
		w.run(2 * time.Second)
		percent := 2 + w.random.IntN(60)
		w.refuses = func(vfs.Op) bool {
			if w.random.IntN(100) < percent {
				refused++
				return true
			}
			return false
		}
		for round := range 4 {
			w.load(time.Second, fmt.Sprint("a", round))
		}
		w.refuses = nil
		w.settle()
		acknowledged += len(w.acked)
	}
	if refused < 1000 || acknowledged < 1000 {
		t.Errorf("%d files not opened, %d commands acknowledged", refused, acknowledged)
	}
}

// Who wants something written is told what there is too little of, and so is the operator.
func TestALackOfFilesIsNoLackOfRoom(t *testing.T) {
	for _, c := range []struct {
		lack, want error
		index      Index
	}{{vfs.ErrNoSpace, ErrNoSpace, 1}, {vfs.ErrTooManyFiles, ErrTooManyFiles, 2}} {
		w, leader := elected(t, 940, 1)
		w.lack, w.refuses = c.lack, func(op vfs.Op) bool { return op.Kind == vfs.Create }
		var told error
		for i := 0; told == nil && i < 1000; i++ { // until a segment of the log is half full
			w.request++
			leader.answers[w.request] = func(answer Answer) { told = answer.Err }
			leader.replica.Submit(w.request, fmt.Appendf(nil, "command %d", i))
			w.take(leader)
			w.run(10 * time.Millisecond)
		}
		if told != c.want {
			t.Errorf("%v: a client is told %v", c.lack, told)
		}
		w.refuses = nil
		w.run(time.Second)
		var events []Index
		for _, e := range leader.events {
			if e.Kind == EventSpace {
				events = append(events, e.Index)
			}
		}
		if !slices.Equal(events, []Index{c.index, 0}) {
			t.Errorf("%v: the events are %v", c.lack, events)
		}
	}
}

// The checkpoint of a snapshot is saved, and then its segments cannot be opened.
func TestASnapshotIsInstalledWhenItsFilesCanBeOpened(t *testing.T) {
	w, _ := elected(t, 950, 3)
	behind := w.follower()
	w.crash(behind)
	w.load(6*time.Second, "while away")
	refused := 0
	w.refuses = func(op vfs.Op) bool {
		r := behind.replica
		if op.Kind != vfs.Open || !strings.HasPrefix(op.Name, archiveDir) || r == nil ||
			r.snapshots.install == nil || refused == 10 {
			return false
		}
		refused++
		return true
	}
	w.start(behind)
	w.load(6*time.Second, "while it catches up")
	w.settle()
	if refused < 10 || w.count(EventInstalled) == 0 {
		t.Errorf("%d files not opened, %d snapshots installed", refused, w.count(EventInstalled))
	}
}

func TestInventedSendersFillNoMemory(t *testing.T) {
	w, leader := elected(t, 960, 3)
	for id := range MemberID(10 * firstSeenMax) {
		leader.replica.Receive(Message{Kind: MessageReply, From: 1000 + id, To: leader.id,
			Incarnation: uint64(id) + 1})
		w.take(leader)
	}
	if n := len(leader.replica.firstSeen); n > firstSeenMax+len(w.members) {
		t.Errorf("%d senders are remembered", n)
	}
	w.submit(leader, "as before")
	w.settle()
	if len(w.acked) != 1 {
		t.Error("not acknowledged")
	}
}
