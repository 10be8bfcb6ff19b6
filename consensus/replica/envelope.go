package replica

import (
	"encoding/binary"
	"fmt"

	"go.etcd.io/raft/v3/raftpb"
)

// What the data of a raft entry begins with. The numbers are in the log and never change.
const (
	entryCommands = 1 // of clients: session ID, origin, number, then request and command of each
	entryDue      = 2 // commands that a leader proposed on its own: its term, then the commands
	entryChange   = 3 // changes of the membership: session ID, origin, request, changes
)

// envelope is the data of one raft entry, decoded. Commands keep parts of the entry.
type envelope struct {
	kind      byte
	sessionID uint64 // the run of the origin in which the commands were submitted
	origin    MemberID
	number    uint64 // entryCommands: counts the batches of the run, from 1
	term      Term   // entryDue: the commands are void under any other
	requests  []RequestID
	commands  [][]byte
	changes   []Change
}

func (e *envelope) encode() []byte {
	size := 32
	for _, command := range e.commands {
		size += len(command) + 20
	}
	w := writer{make([]byte, 0, size)}
	w.byte(e.kind)
	switch e.kind {
	case entryDue:
		w.uvarint(uint64(e.term))
		w.uvarint(uint64(len(e.commands)))
		for _, command := range e.commands {
			w.string(command)
		}
		return w.bytes
	case entryCommands:
		w.fixed(e.sessionID)
		w.fixed(uint64(e.origin))
		w.uvarint(e.number)
		w.uvarint(uint64(len(e.commands)))
		for i, command := range e.commands {
			w.uvarint(uint64(e.requests[i]))
			w.string(command)
		}
		return w.bytes
	}
	w.fixed(e.sessionID)
	w.fixed(uint64(e.origin))
	w.uvarint(uint64(e.requests[0]))
	w.uvarint(uint64(len(e.changes)))
	for i := range e.changes {
		w.change(&e.changes[i])
	}
	return w.bytes
}

func (w *writer) change(c *Change) {
	w.byte(byte(c.Kind))
	w.member(&c.Member)
	if c.Kind == ChangeAddLearner {
		w.uvarint(c.LearnersMax)
	}
}

func (r *reader) change() Change {
	c := Change{Kind: ChangeKind(r.byte()), Member: r.member()}
	switch c.Kind {
	case changeAddOnlyLearner:
		c.Kind, c.LearnersMax = ChangeAddLearner, 1
	case ChangeAddLearner:
		c.LearnersMax = r.uvarint()
	}
	return c
}

// decodeEnvelope reads what encode wrote, into an envelope whose slices are used again.
func decodeEnvelope(data []byte, e *envelope) error {
	r := reader{bytes: data}
	e.kind = r.byte()
	e.requests, e.commands, e.changes = e.requests[:0], e.commands[:0], e.changes[:0]
	switch e.kind {
	case entryDue:
		e.term = Term(r.uvarint())
		for range r.count() {
			e.commands = append(e.commands, r.string())
		}
	case entryCommands:
		e.sessionID, e.origin, e.number = r.fixed(), MemberID(r.fixed()), r.uvarint()
		for range r.count() {
			e.requests = append(e.requests, RequestID(r.uvarint()))
			e.commands = append(e.commands, r.string())
		}
	case entryChange:
		e.sessionID, e.origin = r.fixed(), MemberID(r.fixed())
		e.requests = append(e.requests, RequestID(r.uvarint()))
		for range r.count() {
			e.changes = append(e.changes, r.change())
		}
	default:
		return fmt.Errorf("%w: entry of kind %d", ErrVersion, e.kind)
	}
	if r.bad || len(r.bytes) > 0 {
		return fmt.Errorf("replica: malformed entry of kind %d", e.kind)
	}
	return nil
}

// What a record of the log on disk is. The numbers are on disk and never change.
const (
	recordHard  = 1 // term, vote, commit
	recordEntry = 2 // term, index, type, data
	recordStart = 3 // cluster, member, incarnation, run
)

// hardSizeMax is the most that a recordHard takes.
const hardSizeMax = 1 + 3*binary.MaxVarintLen64

func appendHard(buffer []byte, hard *raftpb.HardState) []byte {
	w := writer{buffer}
	w.byte(recordHard)
	w.hard(hard)
	return w.bytes
}

func appendEntry(buffer []byte, entry *raftpb.Entry) []byte {
	w := writer{buffer}
	w.byte(recordEntry)
	w.uvarint(entry.GetTerm())
	w.uvarint(entry.GetIndex())
	w.byte(byte(entry.GetType()))
	w.bytes = append(w.bytes, entry.GetData()...)
	return w.bytes
}

func (w *writer) hard(hard *raftpb.HardState) {
	w.uvarint(hard.GetTerm())
	w.uvarint(hard.GetVote())
	w.uvarint(hard.GetCommit())
}

func (r *reader) hard() *raftpb.HardState {
	return &raftpb.HardState{
		Term: new(r.uvarint()), Vote: new(r.uvarint()), Commit: new(r.uvarint()),
	}
}

// decodeRecord reads a record of the log that is no recordStart: one of its results is nil, or both
// and the record is bad.
func decodeRecord(data []byte) (*raftpb.HardState, *raftpb.Entry) {
	r := reader{bytes: data}
	switch r.byte() {
	case recordHard:
		hard := r.hard()
		if !r.bad && len(r.bytes) == 0 {
			return hard, nil
		}
	case recordEntry:
		entry := &raftpb.Entry{Term: new(r.uvarint()), Index: new(r.uvarint())}
		kind := r.byte()
		entry.Type = raftpb.EntryType(kind).Enum()
		if len(r.bytes) > 0 {
			entry.Data = r.bytes
		}
		if !r.bad && kind <= byte(raftpb.EntryConfChangeV2) && entry.GetIndex() > 0 {
			return nil, entry
		}
	}
	return nil, nil
}
