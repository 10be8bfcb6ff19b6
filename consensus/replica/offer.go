package replica

import (
	"hash/crc32"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"detcd/storage/archive"
)

// A sender is a follower that is offered a checkpoint, and fetches what it lacks of it.
type sender struct {
	checkpoint *checkpointState
	before     *checkpointState // offered before: some of its chunks may still be asked for; nil: none
	message    *raftpb.Message
	idle       int // ticks since the follower was heard
}

// offered returns the checkpoint that was offered under a number, nil when it is not served.
func (s *sender) offered(number uint64) *checkpointState {
	for _, c := range []*checkpointState{s.checkpoint, s.before} {
		if c != nil && c.number == number {
			return c
		}
	}
	return nil
}

// offerSnapshot answers raft's wish to send a snapshot with the newest durable checkpoint, which
// may be newer than the one raft knew when it made the message. Its number is its own: while the
// next is being saved, two offers would else go out under one, and the receiver would go on with
// the files of the first for the message of the second.
func (r *Replica) offerSnapshot(m *raftpb.Message) {
	to, latest := MemberID(m.GetTo()), r.background.latest
	s := &sender{checkpoint: latest, message: &raftpb.Message{Type: raftpb.MsgSnap.Enum(),
		From: m.From, To: m.To, Term: m.Term,
		Snapshot: &raftpb.Snapshot{Metadata: latest.metadata()}}}
	if known := r.snapshots.senders[to]; known != nil {
		s.idle = known.idle
		if s.before = known.checkpoint; s.before == latest {
			s.before = known.before
		}
	}
	r.snapshots.senders[to] = s
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

// renewOffers offers the newest checkpoint to those whose log behind the one that they fetch is not
// kept any longer.
func (r *Replica) renewOffers() {
	for _, id := range sortedKeys(r.snapshots.senders) {
		if s := r.snapshots.senders[id]; s.checkpoint.applied < r.log.offset {
			r.offerSnapshot(s.message)
		}
	}
}

// receiveFetch sends a chunk. What the follower asked for is repeated in front of it: file, offset
// and length. Members of older programs send no length, and get as much as there is in a chunk.
func (r *Replica) receiveFetch(m Message) {
	s := r.snapshots.senders[m.From]
	if s == nil {
		return
	}
	s.idle = 0
	c := s.offered(m.ID)
	q := reader{bytes: m.Data}
	file, offset, length := q.uvarint(), q.uvarint(), uint64(r.options.ChunkBytes)
	if len(q.bytes) > 0 {
		length = min(length, q.uvarint())
	}
	if c == nil || q.bad || file > uint64(len(c.segments)) {
		return
	}
	size := uint64(len(c.state))
	var segment archive.Segment
	if file > 0 {
		segment = c.segments[file-1]
		size = uint64(segment.Length)
	}
	if offset > size {
		return
	}
	length = min(length, size-offset)
	chunk := Message{Kind: MessageChunk, To: m.From, ID: m.ID, Data: m.Data}
	if file > 0 {
		chunk.Chunk = &Chunk{segment.Name, int64(offset), int(length)}
	} else {
		chunk.Data = append(chunk.Data[:len(m.Data):len(m.Data)], c.state[offset:offset+length]...)
	}
	r.send(chunk)
}

// snapshotAcknowledged ends a transfer: the follower has what it was offered, or as much as the log
// reaches back to. One that installed what was offered before is told of the present offer at once.
func (r *Replica) snapshotAcknowledged(from MemberID, index Index) {
	s := r.snapshots.senders[from]
	switch {
	case s == nil:
	case index >= min(s.checkpoint.applied, r.log.offset):
		delete(r.snapshots.senders, from)
		r.node.ReportSnapshot(uint64(from), raft.SnapshotFinish)
		r.releaseSegments()
	case s.before != nil && index >= s.before.applied:
		s.before = nil
		r.sendOffer(from)
	}
}

func (r *Replica) endSender(id MemberID, reason string) {
	delete(r.snapshots.senders, id)
	r.node.ReportSnapshot(uint64(id), raft.SnapshotFailure)
	r.event(Event{Kind: EventSnapshotFailed, Member: id, Text: reason})
	r.releaseSegments()
}

func (r *Replica) tickSenders() {
	for _, id := range sortedKeys(r.snapshots.senders) {
		s := r.snapshots.senders[id]
		s.idle++
		if s.idle >= senderPatience*r.options.ElectionTicks {
			r.endSender(id, "the follower does not fetch it")
		} else if s.idle%r.options.ElectionTicks == 0 {
			r.sendOffer(id)
		}
	}
}
