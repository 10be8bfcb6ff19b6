package replica

import (
	"bytes"
	"cmp"
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
	defaultFetchBytes      = 16 << 20
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
	o.WALDir = cmp.Or(o.WALDir, walDir)
	set(&o.ElectionTicks, defaultElectionTicks)
	set(&o.HeartbeatTicks, defaultHeartbeatTicks)
	set(&o.EntryBytesMax, defaultEntryBytes)
	set(&o.PendingBytesMax, defaultPendingBytes)
	set(&o.LogBytesMax, defaultLogBytes)
	set(&o.CheckpointBytes, defaultCheckpointBytes)
	set(&o.ChunkBytes, defaultChunkBytes)
	set(&o.FetchBytesMax, defaultFetchBytes)
}

// Open recovers a member from its data directory, or makes a new one where there is none. A crash
// alone never makes it fail; what does is damage (*vfs.CorruptionError), parts that do not belong
// together (ErrParts, or damage of the log), a directory of another cluster or member (ErrCluster),
// or one of a newer program (ErrVersion).
func Open(options Options) (*Replica, *Disk, error) {
	options.setDefaults()
	p, err := readParts(&options)
	if err != nil {
		return nil, nil, err
	}
	log, recovery, err := p.open(&options)
	if err != nil {
		return nil, nil, err
	}
	r, disk, err := recovered(options, &p, log, recovery.Records)
	if err != nil {
		return nil, nil, joinClose(err, log)
	}
	if torn := recovery.Torn; torn != nil {
		r.event(Event{Kind: EventTorn, Text: fmt.Sprintf("%s: %d bytes from offset %d: %s",
			torn.File, torn.Length, torn.Offset, torn.Reason)})
	}
	r.event(Event{Kind: EventRecovered, Index: r.log.last(), Term: r.term})
	if r.isRemoved(options.ID) {
		r.event(Event{Kind: EventRemoved, Index: r.applied})
	}
	return r, disk, nil
}

// open opens the log. A new data directory gets a first checkpoint, which holds the member's
// identity and the first members of the cluster; from then on there is only one way to start.
func (p *parts) open(o *Options) (*wal.Log, *wal.Recovery, error) {
	if p.saved == nil {
		p.saved, p.begun = firstCheckpoint(o), true
		log, err := o.makeDirectory(p.run+1, p.saved)
		return log, &wal.Recovery{}, err
	}
	if of := p.saved.identity; of.cluster != o.Cluster || of.member != o.ID {
		return nil, nil, fmt.Errorf("%w: it is of %s, not of member %x of cluster %x", ErrCluster, of,
			uint64(o.ID), o.Cluster)
	}
	walOptions := o.WALOptions
	walOptions.Passed = p.passed
	log, recovery, err := wal.Open(o.WAL, o.WALDir, p.saved.walFrom, walOptions)
	if err != nil {
		return nil, nil, fmt.Errorf("open the log: %w", err)
	}
	return log, recovery, nil
}

// recovered makes a member of what its parts hold, and tells them that it is back.
func recovered(o Options, p *parts, log *wal.Log, records []wal.Record) (*Replica, *Disk, error) {
	saved := p.saved
	if err := o.Machine.Restore(o.FS, archiveDir, saved.state, saved.segments); err != nil {
		return nil, nil, fmt.Errorf("restore the state: %w", err)
	}
	r := &Replica{options: o, machine: o.Machine, identity: saved.identity,
		applied: saved.applied, appliedTerm: saved.term, membership: saved.membership,
		firstSeen: map[MemberID]uint64{}}
	r.proposals = proposals{published: -o.ElectionTicks, sessions: slices.Clone(saved.sessions)}
	r.requests.waiting = map[RequestID]*request{}
	r.snapshots.senders = map[MemberID]*sender{}
	if err := r.replay(saved, records); err != nil {
		return nil, nil, err
	}
	if err := p.resume(&o, log); err != nil {
		return nil, nil, err
	}
	r.background = backgroundWork{number: saved.number, latest: saved, told: saved.number}
	r.writes = writes{next: log.Next(), at: log.Position(), last: r.log.last(), asked: r.log.hard,
		written: r.log.hard, durable: r.log.hard}
	var err error
	if r.node, err = raft.NewRawNode(r.options.raftConfig(&r.log, saved.applied)); err != nil {
		return nil, nil, err
	}
	r.term = Term(r.log.hard.GetTerm())
	o.Machine.Saved(saved.segments)
	return r, &Disk{o.FS, log}, nil
}

func joinClose(err error, log *wal.Log) error {
	if closeErr := log.Close(); closeErr != nil {
		return fmt.Errorf("%w; and closing the log: %w", err, closeErr)
	}
	return err
}

// Create makes the data directory of a first member of a new cluster whose state is not that of
// Restore(nil) but this one, as Machine.Checkpoint gives it; the segments are in "archive" already.
// All first members must begin with the same state. A directory that is in use is ErrUsed.
func Create(o Options, state []byte, segments []archive.Segment) error {
	o.setDefaults()
	number, _, err := checkpoint.Load(o.FS, checkpointDir)
	if err != nil {
		return fmt.Errorf("load the checkpoint: %w", err)
	}
	records, err := wal.Read(o.WAL, o.WALDir)
	switch {
	case err != nil:
		return fmt.Errorf("read the log: %w", err)
	case number != 0 || len(records) > 0:
		return ErrUsed
	}
	first := firstCheckpoint(&o)
	first.state, first.segments = state, segments
	log, err := o.makeDirectory(1, first)
	if err != nil {
		return err
	}
	return log.Close()
}

// firstCheckpoint is the state before anything happened. All first members begin with the same: as
// if the entry at index 1, of term 1, had made them members. So an empty log is behind it, and a
// member that joins later, with nothing, is sent a snapshot.
func firstCheckpoint(o *Options) *checkpointState {
	c := &checkpointState{number: 1, identity: identity{o.Cluster, o.ID, o.Incarnation}, walFrom: 1,
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
func (r *Replica) replay(saved *checkpointState, records []wal.Record) error {
	l := &r.log
	l.reset(saved.metadata())
	l.hard, l.conf, l.changedAt = saved.hard, saved.conf, saved.changedAt
	for _, record := range records {
		if by, ok := decodeStartRecord(record.Data); ok {
			if by != r.identity {
				return fmt.Errorf("%w: the log is of %s, and the checkpoint of %s", ErrParts, by, r.identity)
			}
			continue
		}
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
	if r.options.assumeCommitted {
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
