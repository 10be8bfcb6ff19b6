package replica

import (
	"errors"
	"fmt"
	"hash/crc32"
	"slices"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"detcd/storage/archive"
	"detcd/storage/vfs"
)

// snapshots carry a durable checkpoint to a follower that needs entries which are no longer kept.
//
//	leader                         follower
//	  raft: MsgSnap
//	  Offer(checkpoint, segments) ──►  has it or something newer? then tell raft so
//	  ◄── Fetch(file, offset)
//	  Chunk(file, offset, bytes) ──►   stage by Bulk, then Fetch the next
//	  ...                              all there: Verify by Bulk, then step MsgSnap
//	                                   raft: append with a snapshot; install by one checkpoint
//	  ◄── MsgAppResp                   restore the machine, then the answers may go
//
// The follower pulls, so it sets the pace, resumes where it was when messages are lost, and one
// chunk is all that either side holds in memory beside the machine's state.
type snapshots struct {
	senders  map[MemberID]*sender
	receiver *receiver
	install  *install
	garbage  []string // segments that were staged for nothing
}

type sender struct {
	checkpoint *image
	message    *raftpb.Message
	idle       int // ticks since the follower was heard
}

type receiver struct {
	from       MemberID
	number     uint64 // of the sender's checkpoint
	message    *raftpb.Message
	checkpoint *image // with the names that the segments get here
	stateSize  uint64
	stateSum   uint32
	file       int // 0: the machine's state; then the segments
	offset     int64
	busy       bool // a Bulk of it waits or is under way
	next       *Bulk
	stepped    bool // raft was told
	idle       int  // ticks since a chunk arrived
	retries    int
}

type install struct{ checkpoint *image }

// The patience of both sides, in election time-outs without a sign of the other.
const (
	senderPatience   = 10
	receiverPatience = 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// offerSnapshot answers raft's wish to send a snapshot with the newest durable checkpoint, which
// may be newer than the one raft knew when it made the message. Its number is its own: while the
// next is being saved, two offers would else go out under one, and the receiver would go on with
// the files of the first for the message of the second.
func (r *Replica) offerSnapshot(m *raftpb.Message) {
	to, latest := MemberID(m.GetTo()), r.bulks.latest
	message := &raftpb.Message{Type: raftpb.MsgSnap.Enum(), From: m.From, To: m.To, Term: m.Term,
		Snapshot: &raftpb.Snapshot{Metadata: latest.metadata()}}
	r.snapshots.senders[to] = &sender{latest, message, 0}
	r.event(Event{Kind: EventSnapshotSend, Index: latest.applied, Member: to})
	r.sendOffer(to)
}

func (r *Replica) sendOffer(to MemberID) {
	s := r.snapshots.senders[to]
	message, err := proto.MarshalOptions{Deterministic: true}.Marshal(s.message)
	assert(err == nil, "a snapshot message cannot be encoded")
	w := writer{}
	w.string(message)
	w.shared(s.checkpoint)
	w.uvarint(uint64(len(s.checkpoint.state)))
	w.uvarint(uint64(crc32.Checksum(s.checkpoint.state, castagnoli)))
	r.send(Message{Kind: MessageOffer, To: to, ID: s.checkpoint.number, Data: w.bytes})
}

func (r *Replica) receiveFetch(m Message) {
	s := r.snapshots.senders[m.From]
	if s == nil || s.checkpoint.number != m.ID {
		return
	}
	q := reader{bytes: m.Data}
	file, offset := q.uvarint(), q.uvarint()
	if q.bad || file > uint64(len(s.checkpoint.segments)) {
		return
	}
	s.idle = 0
	chunk := Message{Kind: MessageChunk, To: m.From, ID: s.checkpoint.number, Data: m.Data}
	if file == 0 {
		state := s.checkpoint.state
		state = state[min(offset, uint64(len(state))):]
		chunk.Data = append(chunk.Data[:len(m.Data):len(m.Data)],
			state[:min(len(state), r.options.ChunkBytes)]...)
	} else {
		segment := s.checkpoint.segments[file-1]
		if offset > uint64(segment.Length) {
			return
		}
		length := min(segment.Length-int64(offset), int64(r.options.ChunkBytes))
		chunk.Chunk = &Chunk{segment.Name, int64(offset), int(length)}
	}
	r.send(chunk)
}

// snapshotAcknowledged ends a transfer: the follower has what it was sent, or more.
func (r *Replica) snapshotAcknowledged(from MemberID, index Index) {
	if s := r.snapshots.senders[from]; s != nil && index >= s.checkpoint.applied {
		delete(r.snapshots.senders, from)
		r.node.ReportSnapshot(uint64(from), raft.SnapshotFinish)
		r.releaseSegments()
	}
}

func (r *Replica) endSender(id MemberID, reason string) {
	delete(r.snapshots.senders, id)
	r.node.ReportSnapshot(uint64(id), raft.SnapshotFailure)
	r.event(Event{Kind: EventSnapshotFailed, Member: id, Text: reason})
	r.releaseSegments()
}

func (r *Replica) receiveOffer(m Message) {
	q := reader{bytes: m.Data}
	message := new(raftpb.Message)
	if err := proto.Unmarshal(q.string(), message); err != nil {
		return
	}
	c := &image{identity: r.identity}
	q.shared(c)
	size, sum := q.uvarint(), q.uvarint()
	if q.bad || r.snapshots.install != nil || MemberID(message.GetFrom()) != m.From ||
		message.GetSnapshot().GetMetadata().GetIndex() != uint64(c.applied) {
		return
	}
	if c.applied <= r.Status().Committed {
		r.step(message) // raft answers with what it has
		r.look()
		return
	}
	if current := r.snapshots.receiver; current != nil &&
		(current.stepped || current.from == m.From && current.number == m.ID) {
		current.message = message
		return
	}
	r.dropReceiver()
	for i := range c.segments {
		c.segments[i].Name = fmt.Sprintf("r%016x-%x.seg", uint64(c.applied), i)
	}
	r.snapshots.receiver = &receiver{from: m.From, number: m.ID, message: message,
		checkpoint: c, stateSize: size, stateSum: uint32(sum)}
	r.event(Event{Kind: EventSnapshotRecv, Index: c.applied, Member: m.From})
	r.advanceReceiver()
}

func (r *Replica) dropReceiver() {
	if current := r.snapshots.receiver; current != nil {
		for _, segment := range current.checkpoint.segments {
			r.snapshots.garbage = append(r.snapshots.garbage, segment.Name)
		}
		r.snapshots.receiver = nil
	}
}

// advanceReceiver asks for the next chunk, passing over what is complete, or has all of it audited.
func (r *Replica) advanceReceiver() {
	v := r.snapshots.receiver
	segments := v.checkpoint.segments
	for v.file <= len(segments) {
		size := int64(v.stateSize)
		if v.file > 0 {
			size = segments[v.file-1].Length
		}
		if v.offset < size {
			r.sendFetch()
			return
		}
		v.file, v.offset = v.file+1, 0
	}
	state := v.checkpoint.state
	if uint64(len(state)) != v.stateSize || crc32.Checksum(state, castagnoli) != v.stateSum {
		r.abandon("the state that arrived is not what was offered")
		return
	}
	v.busy = true
	v.next = &Bulk{Verify: append([]archive.Segment{}, segments...), receiver: v}
}

func (r *Replica) abandon(reason string) {
	r.event(Event{Kind: EventSnapshotFailed, Member: r.snapshots.receiver.from, Text: reason})
	r.dropReceiver()
}

func (r *Replica) sendFetch() {
	v := r.snapshots.receiver
	w := writer{}
	w.uvarint(uint64(v.file))
	w.uvarint(uint64(v.offset))
	r.send(Message{Kind: MessageFetch, To: v.from, ID: v.number, Data: w.bytes})
}

func (r *Replica) receiveChunk(m Message) {
	v := r.snapshots.receiver
	q := reader{bytes: m.Data}
	file, offset := q.uvarint(), q.uvarint()
	if v == nil || v.busy || v.stepped || v.from != m.From || v.number != m.ID || q.bad ||
		file != uint64(v.file) || offset != uint64(v.offset) || len(q.bytes) == 0 {
		return
	}
	v.idle, v.retries = 0, 0
	if v.file == 0 {
		v.checkpoint.state = append(v.checkpoint.state, q.bytes...)
		v.offset += int64(len(q.bytes))
		if uint64(v.offset) > v.stateSize {
			r.abandon("more arrived than was offered")
			return
		}
		r.advanceReceiver()
		return
	}
	segment := v.checkpoint.segments[v.file-1]
	if v.offset+int64(len(q.bytes)) > segment.Length {
		r.abandon("more arrived than was offered")
		return
	}
	v.busy = true
	v.next = &Bulk{Remove: r.snapshots.garbage, receiver: v,
		Stage: &Stage{segment.Name, v.offset, q.bytes}}
	r.snapshots.garbage = nil
}

func (r *Replica) staged(bulk *Bulk) {
	v := r.snapshots.receiver
	if v == nil || bulk.receiver != v {
		return
	}
	v.busy = false
	v.offset += int64(len(bulk.Stage.Data))
	r.advanceReceiver()
}

// verified hands a complete snapshot to raft, which may find that it has no use for it any more.
func (r *Replica) verified(bulk *Bulk) {
	v := r.snapshots.receiver
	if v == nil || bulk.receiver != v {
		return
	}
	if bulk.Damage != nil {
		r.abandon(bulk.Damage.Error())
		return
	}
	v.stepped = true
	r.step(v.message)
	r.look()
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

func (r *Replica) installBulk() *Bulk {
	c := r.snapshots.install.checkpoint
	r.bulks.number++
	c.number = r.bulks.number
	return &Bulk{checkpoint: c, Number: c.number, Checkpoint: c.encode()}
}

// installed replaces the state by the snapshot, which is durable now, and says so.
func (r *Replica) installed(bulk *Bulk) {
	c := r.snapshots.install.checkpoint
	err := r.machine.Restore(r.options.FS, archiveDir, c.state, c.segments)
	if errors.Is(err, vfs.ErrNoSpace) { // too many files are open: the Bulk is executed again
		r.bulks.again, r.bulks.againAt = bulk, r.ticks
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
	r.proposals.origins = slices.Clone(c.origins)
	b := &r.bulks
	b.latest, b.unsaved, b.dirty, b.wanted, b.bytes, b.behind = c, false, false, false, 0, 0
	r.machine.Saved(c.segments)
	r.event(Event{Kind: EventInstalled, Index: c.applied})
	r.event(Event{Kind: EventMembers, Index: c.applied})
}

func (r *Replica) tickSnapshots() {
	for _, id := range sortedKeys(r.snapshots.senders) {
		s := r.snapshots.senders[id]
		s.idle++
		if s.idle >= senderPatience*r.options.ElectionTicks {
			r.endSender(id, "the follower does not fetch it")
		} else if s.idle%r.options.ElectionTicks == 0 {
			r.sendOffer(id)
		}
	}
	r.tickReceiver()
}

func (r *Replica) tickReceiver() {
	v := r.snapshots.receiver
	switch {
	case v == nil || v.busy && v.next == nil && r.bulks.current != nil:
		return
	case v.stepped:
		if !r.snapshotTaken() {
			r.dropReceiver()
		}
		return
	}
	if v.idle++; v.idle%r.options.ElectionTicks == 0 {
		v.retries++
		if v.retries >= receiverPatience {
			r.abandon("the leader does not send it")
		} else if !v.busy {
			r.sendFetch()
		}
	}
}
