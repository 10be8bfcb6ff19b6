package replica

import (
	"testing"

	"go.etcd.io/raft/v3/raftpb"
)

// A checkpoint has its number from the moment in which it is begun. While it is being saved the one
// before it is still what is offered, under its own number.
func TestEveryCheckpointIsOfferedUnderItsOwnNumber(t *testing.T) {
	b := newBench(t, 1)
	donor := &bench{t: t, w: b.w, a: b.donor, vote: map[Term]MemberID{}}
	offer := func() uint64 {
		donor.a.replica.offerSnapshot(&raftpb.Message{Type: raftpb.MsgSnap.Enum(),
			From: new(uint64(1)), To: new(uint64(3)), Term: new(uint64(3))})
		donor.sent = nil
		donor.take()
		for _, m := range donor.sent {
			if m.Kind == MessageOffer {
				return m.ID
			}
		}
		t.Fatal("nothing was offered")
		return 0
	}
	applied := map[uint64]Index{}
	note := func() {
		number, latest := offer(), donor.a.replica.background.latest.applied
		if index, known := applied[number]; known && index != latest {
			t.Errorf("number %d was offered with index %d and with index %d", number, index, latest)
		}
		applied[number] = latest
	}
	for i := Index(1); i <= 3; i++ {
		to := turnSnapshot + i
		donor.raft(appendFrom(2, 3, to, to, to))
		donor.take()
		donor.quiet()
		note()
		donor.a.replica.Checkpoint()
		donor.take()
		if donor.bulk == nil || donor.bulk.Checkpoint == nil {
			t.Fatal("no checkpoint is being saved")
		}
		note()
		donor.quiet()
		note()
	}
	if len(applied) < 4 {
		t.Errorf("only %d checkpoints were offered", len(applied))
	}
}
