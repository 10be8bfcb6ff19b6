package replica

import (
	"errors"
	"hash/crc32"
	"slices"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"detcd/storage/vfs"
)

// snapshots carry a durable checkpoint to a follower that needs entries which are no longer kept.
//
//	leader (offer.go)              follower (fetch.go)
//	  raft: MsgSnap
//	  Offer(checkpoint, segments) ──►  has it or something newer? then tell raft so
//	  ◄── Fetch(file, offset, length)  of what it lacks, several at a time
//	  Chunk(file, offset, bytes) ──►   staged in the background; a whole file is synced and audited
//	  ...                              all there: audit their order, then step MsgSnap
//	                                   raft: append with a snapshot; install by one checkpoint
//	  ◄── MsgAppResp                   restore the machine, then the answers may go
//
// The follower pulls, so it sets the pace, and resumes where it was when messages are lost.
//
// The leader keeps the log behind what it has offered, within a bound. When it has to let go of it,
// it offers its newest checkpoint instead, and the follower goes on with that one. Segments do not
// change once they are sealed, so what was fetched for the first is there for the second; and what
// is written while a snapshot is carried is all that the next one adds. So a follower never starts
// over, and comes closer as long as its link carries more than is written.
type snapshots struct {
	senders  map[MemberID]*sender
	receiver *receiver
	install  *install
	garbage  []string // segments that were staged for nothing
	names    int      // that were given to received segments in this run
	distrust bool     // the last snapshot was damaged: the next reuses nothing
}

type install struct{ checkpoint *checkpointState }

// senderPatience is how many election time-outs a leader waits for a sign of a follower. One that
// installs a large snapshot gives none meanwhile.
const senderPatience = 60

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (r *Replica) tickSnapshots() {
	r.tickSenders()
	r.tickReceiver()
}

// snapshotTaken says whether raft may still want the snapshot that it was handed.
func (r *Replica) snapshotTaken() bool {
	if r.node.HasReady() {
		return true
	}
	for _, m := range r.writes.queue {
		if m.GetSnapshot() != nil {
			return true
		}
	}
	return false
}

// beginInstall takes the snapshot off the front of the queue, when nothing that was appended before
// it is still to be written or under way. The checkpoint holds the term and vote that came with it.
//
// Raft hands over in one message what came in one turn: behind the snapshot there may be entries,
// and a commit index that covers them. These are left in the queue. They are part of no log before
// the snapshot is; a commit index above the end of the log would be damage at the next start.
func (r *Replica) beginInstall() {
	v, w := r.snapshots.receiver, &r.writes
	m := w.queue[0]
	index := m.GetSnapshot().GetMetadata().GetIndex()
	assert(v != nil && v.checkpoint.applied == Index(index),
		"raft installs a snapshot that is not here")
	behind := &raftpb.Message{Entries: m.GetEntries(), Responses: m.GetResponses(),
		Term: m.Term, Vote: m.Vote, Commit: m.Commit}
	w.queue[0] = behind
	w.note(m)
	c := v.checkpoint
	c.hard, c.walFrom, c.passed = proto.CloneOf(w.asked), w.next, w.at
	c.hard.Commit = new(min(w.asked.GetCommit(), index))
	r.snapshots.install = &install{c}
	r.snapshots.receiver = nil
}

func (r *Replica) installTask() *BackgroundTask {
	c := r.snapshots.install.checkpoint
	r.background.number++
	c.number = r.background.number
	return &BackgroundTask{checkpoint: c, Number: c.number, Checkpoint: c.encode()}
}

// installed replaces the state by the snapshot, which is durable now, and says so.
func (r *Replica) installed(bulk *BackgroundTask) {
	c := r.snapshots.install.checkpoint
	err := r.machine.Restore(r.options.FS, archiveDir, c.state, c.segments)
	if errors.Is(err, vfs.ErrNoSpace) { // too many files are open: the task is executed again
		bulk.Lack = err
		r.background.retry, r.background.retryAt = bulk, r.ticks
		r.noteSpace()
		return
	}
	r.snapshots.install = nil
	if err != nil {
		r.event(Event{Kind: EventFailed, Index: c.applied, Text: err.Error()})
		return
	}
	w := &r.writes
	w.written, w.durable, w.release = c.hard, c.hard, c.walFrom
	r.log.reset(c.metadata())
	r.log.conf, r.log.changedAt = c.conf, c.changedAt
	r.applied, r.appliedTerm, r.membership = c.applied, c.term, c.membership
	r.proposals.sessions = slices.Clone(c.sessions)
	b := &r.background
	b.latest, b.told, b.dirty, b.wanted, b.bytes, b.behind = c, c.number, false, false, 0, 0
	r.machine.Saved(c.segments)
	r.event(Event{Kind: EventInstalled, Index: c.applied})
	r.event(Event{Kind: EventMembers, Index: c.applied})
}
