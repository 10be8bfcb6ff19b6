package replica

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"detcd/storage/archive"
	"detcd/storage/checkpoint"
	"detcd/storage/vfs"
	"detcd/storage/wal"
)

// The defaults of Options.
const (
	defaultTick            = 100 * time.Millisecond
	defaultElectionTicks   = 10
	defaultHeartbeatTicks  = 1
	defaultEntryBytes      = 1 << 20
	defaultPendingBytes    = 32 << 20
	defaultLogBytes        = 16 << 20
	defaultCheckpointBytes = 32 << 20
	defaultChunkBytes      = 512 << 10
)

func (o *Options) setDefaults() {
	set := func(value *int, to int) {
		if *value == 0 {
			*value = to
		}
	}
	if o.Tick == 0 {
		o.Tick = defaultTick
	}
	if o.WAL == nil {
		o.WAL = o.FS
	}
	set(&o.ElectionTicks, defaultElectionTicks)
	set(&o.HeartbeatTicks, defaultHeartbeatTicks)
	set(&o.EntryBytesMax, defaultEntryBytes)
	set(&o.PendingBytesMax, defaultPendingBytes)
	set(&o.LogBytesMax, defaultLogBytes)
	set(&o.CheckpointBytes, defaultCheckpointBytes)
	set(&o.ChunkBytes, defaultChunkBytes)
}

// Open recovers a member from its data directory, or makes a new one where there is none. A crash
// alone never makes it fail; what does is damage (*vfs.CorruptionError), a directory of another
// cluster or member (ErrCluster), or one of a newer program (ErrVersion).
func Open(options Options) (*Replica, *Disk, error) {
	options.setDefaults()
	saved, err := openCheckpoint(&options)
	if err != nil {
		return nil, nil, err
	}
	machine := options.Machine
	if err := machine.Restore(options.FS, archiveDir, saved.state, saved.segments); err != nil {
		return nil, nil, fmt.Errorf("restore the state: %w", err)
	}
	log, recovery, err := wal.Open(options.WAL, walDir, saved.walFrom, options.WALOptions)
	if err != nil {
		return nil, nil, fmt.Errorf("open the log: %w", err)
	}
	disk := &Disk{options.FS, log}
	r := &Replica{options: options, machine: machine, identity: saved.identity,
		applied: saved.applied, appliedTerm: saved.term, membership: saved.membership,
		pinned: map[MemberID]uint64{}}
	r.proposals = proposals{published: -options.ElectionTicks, origins: slices.Clone(saved.origins)}
	r.requests.waiting = map[RequestID]*request{}
	r.snapshots.senders = map[MemberID]*sender{}
	r.bulks = bulks{number: saved.number, latest: saved}
	if err := r.replay(saved, recovery.Records); err != nil {
		return nil, nil, joinClose(err, disk)
	}
	r.writes = writes{next: log.Next(), last: r.log.last(), asked: r.log.hard,
		written: r.log.hard, durable: r.log.hard}
	if r.node, err = raft.NewRawNode(r.options.raftConfig(&r.log, saved.applied)); err != nil {
		return nil, nil, joinClose(err, disk)
	}
	r.term = Term(r.log.hard.GetTerm())
	machine.Saved(saved.segments)
	if torn := recovery.Torn; torn != nil {
		r.event(Event{Kind: EventTorn, Text: fmt.Sprintf("%s: %d bytes from offset %d: %s",
			torn.File, torn.Length, torn.Offset, torn.Reason)})
	}
	r.event(Event{Kind: EventRecovered, Index: r.log.last(), Term: r.term})
	if r.isOut(options.ID) {
		r.event(Event{Kind: EventRemoved, Index: r.applied})
	}
	return r, disk, nil
}

func joinClose(err error, disk *Disk) error {
	if closeErr := disk.Close(); closeErr != nil {
		return fmt.Errorf("%w; and closing the log: %w", err, closeErr)
	}
	return err
}

// openCheckpoint loads the checkpoint that recovery begins with. A new data directory gets a first
// one, which holds the member's identity and the first members of the cluster; from then on there
// is only one way to start.
func openCheckpoint(o *Options) (*image, error) {
	for _, dir := range []string{checkpointDir, archiveDir} {
		if err := vfs.MakeDir(o.FS, dir); err != nil {
			return nil, err
		}
	}
	number, blob, err := checkpoint.Load(o.FS, checkpointDir)
	if err != nil {
		return nil, fmt.Errorf("load the checkpoint: %w", err)
	}
	if number == 0 {
		first := firstCheckpoint(o)
		err := checkpoint.Save(o.FS, checkpointDir, first.number, first.encode())
		return first, err
	}
	saved, err := decodeCheckpoint(blob)
	if err != nil {
		return nil, err
	}
	if saved.identity.cluster != o.Cluster || saved.identity.member != o.ID {
		return nil, fmt.Errorf("%w: it is of member %x of cluster %x, not of member %x of "+
			"cluster %x", ErrCluster, saved.identity.member, saved.identity.cluster, o.ID, o.Cluster)
	}
	saved.number = number
	return saved, nil
}

// Create makes the data directory of a first member of a new cluster whose state is not that of
// Restore(nil) but this one, as Machine.Checkpoint gives it; the segments are in "archive" already.
// All first members must begin with the same state. A directory that is in use is ErrUsed.
func Create(o Options, state []byte, segments []archive.Segment) error {
	if err := vfs.MakeDir(o.FS, checkpointDir); err != nil {
		return err
	}
	number, _, err := checkpoint.Load(o.FS, checkpointDir)
	switch {
	case err != nil:
		return fmt.Errorf("load the checkpoint: %w", err)
	case number != 0:
		return ErrUsed
	}
	first := firstCheckpoint(&o)
	first.state, first.segments = state, segments
	return checkpoint.Save(o.FS, checkpointDir, first.number, first.encode())
}

// firstCheckpoint is the state before anything happened. All first members begin with the same: as
// if the entry at index 1, of term 1, had made them members. So an empty log is behind it, and a
// member that joins later, with nothing, is sent a snapshot.
func firstCheckpoint(o *Options) *image {
	c := &image{number: 1, identity: identity{o.Cluster, o.ID, o.Incarnation}, walFrom: 1,
		hard: &raftpb.HardState{Term: new(uint64(0)), Vote: new(uint64(0)), Commit: new(uint64(0))},
		conf: &raftpb.ConfState{}}
	if len(o.Members) == 0 {
		return c
	}
	c.applied, c.term = 1, 1
	c.hard.Term, c.hard.Commit = new(uint64(1)), new(uint64(1))
	for _, member := range o.Members {
		member.Name, member.ClientURLs, member.Incarnation = "", nil, 0
		c.membership.apply(Change{Kind: ChangeAdd, Member: member})
	}
	c.conf = c.membership.confState()
	return c
}

// replay rebuilds the log in memory from the records that follow the checkpoint. What a checkpoint
// has applied was committed, whatever commit index the log happens to mention.
func (r *Replica) replay(saved *image, records []wal.Record) error {
	l := &r.log
	l.reset(saved.metadata())
	l.hard, l.conf, l.changedAt = saved.hard, saved.conf, saved.changedAt
	for _, record := range records {
		hard, entry := decodeRecord(bytes.Clone(record.Data)) // it shares its whole segment
		switch {
		case hard != nil:
			l.hard = hard
		case entry == nil:
			return r.badRecord(record, "it cannot be decoded")
		case !l.append(entry, record.Sequence):
			return r.badRecord(record, fmt.Sprintf("it holds entry %d after entry %d",
				entry.GetIndex(), l.last()))
		}
	}
	if r.options.trust {
		l.hard.Commit = new(uint64(l.last()))
	}
	if l.hard.GetCommit() < uint64(saved.applied) {
		l.hard.Commit = new(uint64(saved.applied))
	}
	if Index(l.hard.GetCommit()) > l.last() {
		return &vfs.CorruptionError{File: walDir, Reason: fmt.Sprintf(
			"entries up to %d were committed and the log ends at %d", l.hard.GetCommit(), l.last())}
	}
	return nil
}

func (r *Replica) badRecord(record wal.Record, reason string) error {
	return &vfs.CorruptionError{File: walDir,
		Reason: fmt.Sprintf("record %d: %s", record.Sequence, reason)}
}
