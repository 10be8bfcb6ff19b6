package replica

import (
	"fmt"
	"slices"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"detcd/storage/archive"
)

// A receiver fetches what this member lacks of a checkpoint that it is offered. It goes on with a
// newer offer where it was with the one before: sealed segments are known by length and checksum,
// whoever offers them, and so are those of this member's own archive.
//
// Invariant: what was asked for and what arrived and is not staged yet take FetchBytesMax together,
// or one chunk.
type receiver struct {
	from        MemberID
	number      uint64 // of the sender's checkpoint
	message     *raftpb.Message
	checkpoint  *checkpointState // with the names that the segments get here
	stateSum    uint32
	own         *checkpointState // of this member: its segments are used where they are the same
	parts       []*part
	requests    []*chunkRequest // not answered, the oldest first
	held        int             // bytes that arrived and are not staged
	pace        pace
	awaitsOffer bool // it waits for an offer
	auditing    bool // all is here, and the order of the segments is audited
	stepped     bool // raft was told
	lastChunkAt Time // when the last chunk arrived, or it began anew
	timeouts    int  // how often patience ended since a chunk arrived
}

// A part is one file of the snapshot.
type part struct {
	file    uint64          // its number in the offer: 0 is the machine's state
	origin  string          // its name at the sender
	segment archive.Segment // as it is here; of the state only the length
	own     bool            // it is this member's own
	asked   int64           // bytes that were asked for
	stored  int64           // bytes that are staged, or of the state in data
	staging int64           // bytes behind these that are being staged
	data    []byte          // of the state
	held    []piece         // what arrived and is not staged, ascending
	whole   bool            // all is here, durable and audited
	dropped bool            // no part of what is offered now
}

type piece struct {
	offset int64
	data   []byte
}

// A chunkRequest is a chunk that was asked for.
type chunkRequest struct {
	number uint64 // of the checkpoint
	part   *part
	file   uint64
	offset int64
	length int
	first  Time // when it was asked for,
	last   Time // and when again
}

func (r *Replica) receiveOffer(m Message) {
	q := reader{bytes: m.Data}
	message := new(raftpb.Message)
	if err := proto.Unmarshal(q.string(), message); err != nil {
		return
	}
	c := &checkpointState{identity: r.identity}
	q.shared(c)
	size, sum := q.uvarint(), q.uvarint()
	if q.bad || r.snapshots.install != nil || MemberID(message.GetFrom()) != m.From ||
		message.GetSnapshot().GetMetadata().GetIndex() != uint64(c.applied) ||
		Term(message.GetTerm()) < r.term {
		return
	}
	if c.applied <= r.Status().Committed {
		r.step(message) // raft answers with what it has
		r.noticeRole()
		return
	}
	v := r.snapshots.receiver
	if v == nil {
		v = &receiver{from: m.From, own: r.background.latest, lastChunkAt: r.now}
		if r.snapshots.distrust {
			v.own = &checkpointState{number: v.own.number}
		}
		v.pace.window = r.options.ChunkBytes
		r.snapshots.receiver = v
	} else if v.auditing || v.stepped || v.from == m.From && c.applied < v.checkpoint.applied {
		return // what is here is installed first; and offers may overtake each other
	}
	if v.awaitsOffer || v.from != m.From || r.now-v.lastChunkAt >= v.pace.patience(&r.options) {
		r.beginAgain() // the leader is there, and was not asked for long
	}
	v.message = message
	if v.awaitsOffer || v.from != m.From || v.number != m.ID || v.parts == nil {
		v.awaitsOffer, v.timeouts = false, 0
		v.checkpoint, v.stateSum = c, uint32(sum)
		r.planParts(m.From, m.ID, int64(size))
	}
	r.fetch()
}

// planParts makes parts of what is offered: those that are here, in this member's own archive or
// from an earlier offer, and new ones. The state comes last, for every offer has another.
func (r *Replica) planParts(from MemberID, number uint64, stateSize int64) {
	v := r.snapshots.receiver
	known := v.reusable(from)
	v.from, v.number = from, number
	before := v.parts
	v.parts = nil
	total, missing := stateSize, stateSize
	for i := range v.checkpoint.segments {
		s := &v.checkpoint.segments[i]
		p := known.take(*s)
		if p == nil {
			p = &part{segment: *s}
			p.segment.Name = fmt.Sprintf("r%016x-%x.seg", uint64(v.checkpoint.applied),
				r.snapshots.names)
			r.snapshots.names++
		}
		p.file, p.origin = uint64(i+1), s.Name
		*s = p.segment
		v.parts = append(v.parts, p)
		total += s.Length
		missing += s.Length - p.stored
	}
	v.parts = append(v.parts, &part{segment: archive.Segment{Length: stateSize}})
	for _, p := range before {
		if !slices.Contains(v.parts, p) {
			r.dropPart(p)
		}
	}
	r.event(Event{Kind: EventSnapshotRecv, Index: v.checkpoint.applied, Member: from,
		Text: fmt.Sprintf("%d of %d bytes are to be fetched", missing, total)})
}

// reusableParts finds what is here already. A sealed segment is the same as another one if it has
// the same length and checksum; the checksum covers the checksums of all records. An unsealed one
// only grows under its name, and is sealed under it.
type reusableParts struct {
	sealed map[content]*part
	named  map[string]*part
}

type content struct {
	length   int64
	checksum uint32
}

func (v *receiver) reusable(from MemberID) reusableParts {
	s := reusableParts{map[content]*part{}, map[string]*part{}}
	for _, own := range v.own.segments {
		if own.Sealed {
			s.sealed[content{own.Length, own.Checksum}] = &part{segment: own, own: true,
				asked: own.Length, stored: own.Length, whole: true}
		}
	}
	for _, p := range v.parts {
		if p.segment.Sealed {
			s.sealed[content{p.segment.Length, p.segment.Checksum}] = p
		} else if p.file > 0 && v.from == from {
			s.named[p.origin] = p
		}
	}
	return s
}

// take returns the part that is the offered segment, or the beginning of it.
func (s reusableParts) take(offered archive.Segment) *part {
	if p := s.sealed[content{offered.Length, offered.Checksum}]; p != nil && offered.Sealed {
		return p
	}
	p := s.named[offered.Name]
	if p == nil || p.segment.Length > offered.Length {
		return nil
	}
	offered.Name = p.segment.Name
	p.whole = p.whole && p.segment == offered
	p.segment = offered
	return p
}

// dropPart forgets a part and has its file removed.
func (r *Replica) dropPart(p *part) {
	p.dropped = true
	for _, piece := range p.held {
		r.snapshots.receiver.held -= len(piece.data)
	}
	p.held = nil
	if p.file > 0 && !p.own {
		r.snapshots.garbage = append(r.snapshots.garbage, p.segment.Name)
	}
}

// forgetRequests is for when nobody will answer them: what is missing is asked for again, and what
// arrived behind a gap is let go.
func (v *receiver) forgetRequests() {
	v.requests = nil
	for _, p := range v.parts {
		p.asked = p.stored + p.staging
		for i, piece := range p.held {
			if piece.offset != p.asked {
				for _, behind := range p.held[i:] {
					v.held -= len(behind.data)
				}
				p.held = p.held[:i]
				break
			}
			p.asked += int64(len(piece.data))
		}
	}
}

func (r *Replica) dropReceiver() {
	v := r.snapshots.receiver
	for _, p := range v.parts {
		r.dropPart(p)
	}
	r.snapshots.receiver = nil
	r.releaseSegments()
}

// abandon waits for the next offer with what is here.
func (r *Replica) abandon(reason string) {
	v := r.snapshots.receiver
	r.event(Event{Kind: EventSnapshotFailed, Member: v.from, Text: reason})
	v.forgetRequests()
	v.awaitsOffer = true
}
