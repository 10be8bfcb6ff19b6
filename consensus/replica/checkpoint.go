package replica

import (
	"fmt"
	"math"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"detcd/storage/archive"
	"detcd/storage/wal"
)

// checkpointVersion is the version of the format of a checkpoint's bytes. Version 1 names no
// position of the log.
const checkpointVersion = 2

// checkpointState is everything that a member needs besides its log from walFrom on.
type checkpointState struct {
	number     uint64 // it is saved under; not among its bytes
	identity   identity
	applied    Index
	term       Term // of the entry at applied
	hard       *raftpb.HardState
	walFrom    wal.Sequence
	passed     wal.Position // where the log was; zero in version 1
	conf       *raftpb.ConfState
	membership Membership
	changedAt  Index
	sessions   sessions
	segments   []archive.Segment
	state      []byte // the machine's
}

// identity says whose data directory this is.
type identity struct {
	cluster     uint64
	member      MemberID
	incarnation uint64
}

func (c *checkpointState) metadata() *raftpb.SnapshotMetadata {
	return &raftpb.SnapshotMetadata{
		ConfState: c.conf, Index: new(uint64(c.applied)), Term: new(uint64(c.term)),
	}
}

func (c *checkpointState) encode() []byte {
	w := writer{make([]byte, 0, 512+len(c.state))}
	w.byte(checkpointVersion)
	w.identity(c.identity)
	w.hard(c.hard)
	w.uvarint(uint64(c.walFrom))
	w.position(c.passed)
	w.shared(c)
	w.string(c.state)
	return w.bytes
}

// shared appends what is true of every member that has applied as much.
func (w *writer) shared(c *checkpointState) {
	w.uvarint(uint64(c.applied))
	w.uvarint(uint64(c.term))
	conf, err := proto.MarshalOptions{Deterministic: true}.Marshal(c.conf)
	assert(err == nil, "a membership cannot be encoded")
	w.string(conf)
	w.membership(&c.membership)
	w.uvarint(uint64(c.changedAt))
	w.sessions(c.sessions)
	w.uvarint(uint64(len(c.segments)))
	for _, s := range c.segments {
		w.string([]byte(s.Name))
		w.uvarint(uint64(s.Length))
		w.bool(s.Sealed)
		w.uvarint(uint64(s.Checksum))
	}
}

func (r *reader) shared(c *checkpointState) {
	c.applied, c.term = Index(r.uvarint()), Term(r.uvarint())
	c.conf = new(raftpb.ConfState)
	if proto.Unmarshal(r.string(), c.conf) != nil {
		r.bad = true
	}
	c.membership = r.membership()
	c.changedAt = Index(r.uvarint())
	c.sessions = r.sessions()
	for range r.count() {
		s := archive.Segment{Name: string(r.string())}
		length := r.uvarint()
		s.Sealed = r.bool()
		checksum := r.uvarint()
		r.bad = r.bad || length > math.MaxInt64 || checksum > math.MaxUint32
		s.Length, s.Checksum = int64(length), uint32(checksum)
		c.segments = append(c.segments, s)
	}
}

func decodeCheckpoint(blob []byte) (*checkpointState, error) {
	r := reader{bytes: blob}
	version := r.byte()
	if version == 0 || version > checkpointVersion {
		return nil, fmt.Errorf("%w: checkpoint of version %d, this program knows %d",
			ErrVersion, version, checkpointVersion)
	}
	c := &checkpointState{}
	c.identity = r.identity()
	c.hard = r.hard()
	c.walFrom = wal.Sequence(r.uvarint())
	if version > 1 {
		c.passed = r.position()
	}
	r.shared(c)
	if state := r.string(); len(state) > 0 {
		c.state = state // nil is that of a new cluster, also after a restart
	}
	if r.bad || len(r.bytes) > 0 {
		return nil, fmt.Errorf("replica: malformed checkpoint of %d bytes", len(blob))
	}
	return c, nil
}
