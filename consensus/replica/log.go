package replica

import (
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"detcd/storage/wal"
)

// memoryLog is the part of the log that is durable on this member and still kept in memory: what
// was not applied yet, and a tail for followers that are behind. It is raft's Storage.
//
// Invariants: entries[i] has index offset+1+i; sequences[i] is where the log on disk has it and
// does not decrease; offset is never above the index of the last durable checkpoint, so a follower
// that needs an entry at or below offset can be given that checkpoint instead.
type memoryLog struct {
	offset    Index // the last index that is not kept
	term      Term  // its term
	entries   []*raftpb.Entry
	sequences []wal.Sequence
	bytes     int // of the data of entries

	hard      *raftpb.HardState
	conf      *raftpb.ConfState
	snapshot  *raftpb.SnapshotMetadata // of the last durable checkpoint
	changedAt Index                    // the last change of membership that was applied
}

var _ raft.Storage = (*memoryLog)(nil)

func (l *memoryLog) last() Index { return l.offset + Index(len(l.entries)) }

// InitialState is raft's, asked once at the start.
func (l *memoryLog) InitialState() (*raftpb.HardState, *raftpb.ConfState, error) {
	return l.hard, l.conf, nil
}

// Entries is raft's: entries [from, to), at least one, otherwise at most bytesMax bytes.
func (l *memoryLog) Entries(from, to, bytesMax uint64) ([]*raftpb.Entry, error) {
	if from <= uint64(l.offset) {
		return nil, raft.ErrCompacted
	}
	if to > uint64(l.last())+1 {
		return nil, raft.ErrUnavailable
	}
	list := l.entries[from-uint64(l.offset)-1 : to-uint64(l.offset)-1]
	var size uint64
	for i, entry := range list {
		size += uint64(len(entry.GetData())) + entryOverhead
		if i > 0 && size > bytesMax {
			list = list[:i]
			break
		}
	}
	return list[:len(list):len(list)], nil
}

// entryOverhead estimates what an entry takes in a message, or in a record, beside its data.
const entryOverhead = 24

// Term is raft's: the term of an entry from offset on.
func (l *memoryLog) Term(index uint64) (uint64, error) {
	switch i := Index(index); {
	case i < l.offset:
		return 0, raft.ErrCompacted
	case i == l.offset:
		return uint64(l.term), nil
	case i > l.last():
		return 0, raft.ErrUnavailable
	default:
		return l.entries[i-l.offset-1].GetTerm(), nil
	}
}

// LastIndex is raft's.
func (l *memoryLog) LastIndex() (uint64, error) { return uint64(l.last()), nil }

// FirstIndex is raft's.
func (l *memoryLog) FirstIndex() (uint64, error) { return uint64(l.offset) + 1, nil }

// Snapshot is raft's: what a follower is sent that needs entries which are no longer kept. A
// checkpoint from before the last change of membership is no use to a member which that change
// added, so raft is told to ask again when a newer one is durable.
func (l *memoryLog) Snapshot() (*raftpb.Snapshot, error) {
	if Index(l.snapshot.GetIndex()) < l.changedAt {
		return nil, raft.ErrSnapshotTemporarilyUnavailable
	}
	return &raftpb.Snapshot{Metadata: l.snapshot}, nil
}

// append adds an entry that is durable at sequence; what the log had from its index on is gone.
// It returns false when there would be a gap.
func (l *memoryLog) append(entry *raftpb.Entry, sequence wal.Sequence) bool {
	index := Index(entry.GetIndex())
	if index > l.last()+1 {
		return false
	}
	if index <= l.offset {
		l.truncate(l.offset + 1)
		return true
	}
	l.truncate(index)
	l.entries = append(l.entries, entry)
	l.sequences = append(l.sequences, sequence)
	l.bytes += len(entry.GetData())
	return true
}

// truncate removes the entries from index on. Slices that were handed out keep theirs.
func (l *memoryLog) truncate(index Index) {
	keep := int(index - l.offset - 1)
	if keep >= len(l.entries) {
		return
	}
	for _, entry := range l.entries[keep:] {
		l.bytes -= len(entry.GetData())
	}
	l.entries = l.entries[:keep:keep]
	l.sequences = l.sequences[:keep:keep]
}

// compact forgets entries up to index at most, as long as more than bytesMax bytes are kept.
func (l *memoryLog) compact(index Index, bytesMax int) {
	drop := 0
	for drop < len(l.entries) && l.offset+Index(drop) < index && l.bytes > bytesMax {
		l.bytes -= len(l.entries[drop].GetData())
		drop++
	}
	if drop == 0 {
		return
	}
	l.term = Term(l.entries[drop-1].GetTerm())
	l.offset += Index(drop)
	l.entries = append([]*raftpb.Entry(nil), l.entries[drop:]...)
	l.sequences = append([]wal.Sequence(nil), l.sequences[drop:]...)
}

// reset makes the log begin behind a snapshot.
func (l *memoryLog) reset(snapshot *raftpb.SnapshotMetadata) {
	l.offset, l.term = Index(snapshot.GetIndex()), Term(snapshot.GetTerm())
	l.entries, l.sequences, l.bytes = nil, nil, 0
	l.snapshot = snapshot
}

// sequence returns where the log on disk has the entry, false when it is not durable.
func (l *memoryLog) sequence(index Index) (wal.Sequence, bool) {
	if index <= l.offset || index > l.last() {
		return 0, false
	}
	return l.sequences[index-l.offset-1], true
}
