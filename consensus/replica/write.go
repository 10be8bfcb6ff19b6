package replica

import (
	"errors"
	"slices"

	"go.etcd.io/raft/v3/raftpb"

	"detcd/storage/vfs"
	"detcd/storage/wal"
)

// Write is one batch of the log: Disk.Do makes it durable, all or nothing, with one sync.
type Write struct {
	Records     [][]byte     // empty: nothing to write, only Release; valid until it is done
	Release     wal.Sequence // records before it are not needed any more; 0: no change
	HasHeadroom bool         // set by Disk.Do: there is room beyond the present segment of the log
	Full        bool         // set by Disk.Do: there was no room; it is to be executed again
	Lack        error        // set by Disk.Do: of what there is no room, where there is none

	at        wal.Position // set by Disk.Do: where the log was then
	entries   []*raftpb.Entry
	hard      *raftpb.HardState
	responses []*raftpb.Message // what may be said once the batch is durable
}

// writes turn what raft wants to be stored into batches, one outstanding at a time. What arrives
// meanwhile joins the next.
//
// Invariant: a response that raft attached to an append leaves this member only after the Write
// that holds the append, and every Write before it, is done.
type writes struct {
	queue    []*raftpb.Message // MsgStorageAppend, in order
	current  *Write
	next     wal.Sequence      // of the next record
	at       wal.Position      // of the log, behind all that is done
	asked    *raftpb.HardState // the latest that raft wants stored
	written  *raftpb.HardState // the latest that a Write carries
	durable  *raftpb.HardState // the latest whose Write is done
	last     Index             // of the log, durable or on its way
	release  wal.Sequence      // to be passed on with the next Write
	lowSpace bool              // the log has no room beyond its present segment
	lack     error             // of what there is no room then
	retry    *Write            // found no room, and is executed again with the next tick
	retryAt  int               // the tick at which room was last looked for
	scratch  scratchBuffer     // of the last Write
}

func (r *Replica) queueAppend(m *raftpb.Message) {
	w := &r.writes
	w.queue = append(w.queue, m)
	if m.GetSnapshot() != nil {
		w.last = Index(m.GetSnapshot().GetMetadata().GetIndex())
	}
	if entries := m.GetEntries(); len(entries) > 0 { // behind the snapshot, where there are both
		w.last = Index(entries[len(entries)-1].GetIndex())
	}
}

// startWrite makes a batch of everything that waits. A sync is owed only for entries, a term or a
// vote; where there is none of these, the responses may go at once, and a commit index alone joins
// the next batch.
func (r *Replica) startWrite() {
	w := &r.writes
	if w.retry != nil && w.retryAt != r.ticks {
		r.out.Write, w.retry = w.retry, nil
		return
	}
	if w.current != nil || r.snapshots.install != nil {
		return
	}
	if len(w.queue) == 0 && w.release == 0 && !w.lowSpace {
		return
	}
	write := w.gather()
	promised := w.asked.GetTerm() != w.written.GetTerm() || w.asked.GetVote() != w.written.GetVote()
	if len(write.entries) == 0 && !promised {
		r.respond(write.responses)
		write.responses = nil
		if len(w.queue) > 0 && w.queue[0].GetSnapshot() != nil {
			w.release = write.Release
			r.beginInstall()
			return
		}
		if write.Release == 0 && (!w.lowSpace || w.retryAt == r.ticks) {
			return
		}
		w.retryAt = r.ticks
	} else {
		write.encode(w)
	}
	w.current = write
	r.out.Write = write
}

// gather takes off the queue what one Write may hold: all of it, or what comes before a snapshot.
// That one is stored by the other lane, and only when nothing that raft wanted stored before it is
// left to be written.
func (w *writes) gather() *Write {
	write := &Write{Release: w.release}
	w.release = 0
	for len(w.queue) > 0 && w.queue[0].GetSnapshot() == nil {
		m := w.queue[0]
		w.queue = w.queue[1:]
		w.note(m)
		write.entries = append(write.entries, m.GetEntries()...)
		write.responses = append(write.responses, m.GetResponses()...)
	}
	if len(w.queue) == 0 {
		w.queue = nil
	}
	return write
}

// note keeps the term, vote and commit index that an append carries, if it does.
func (w *writes) note(m *raftpb.Message) {
	if m.Term != nil || m.Vote != nil || m.Commit != nil {
		w.asked = &raftpb.HardState{Term: m.Term, Vote: m.Vote, Commit: m.Commit}
	}
}

// A spare is memory for the records of the next Write: there is one Write at a time, and nobody
// looks at the records of one that is done.
type scratchBuffer struct {
	records [][]byte
	bytes   []byte
}

// spareMax bounds the bytes that are kept.
const scratchMax = 1 << 20

func (write *Write) encode(w *writes) {
	size := hardSizeMax
	for _, entry := range write.entries {
		size += len(entry.GetData()) + entryOverhead
	}
	buffer, records := slices.Grow(w.scratch.bytes[:0], size), w.scratch.records[:0]
	for _, entry := range write.entries {
		start := len(buffer)
		buffer = appendEntry(buffer, entry)
		records = append(records, buffer[start:len(buffer):len(buffer)])
	}
	start := len(buffer)
	buffer = appendHard(buffer, w.asked)
	write.Records = append(records, buffer[start:])
	write.hard, w.written = w.asked, w.asked
	w.scratch = scratchBuffer{}
	if cap(buffer) <= scratchMax && len(records) <= scratchMax/entryOverhead {
		w.scratch = scratchBuffer{write.Records, buffer}
	}
}

// Done says that a Write is durable.
func (r *Replica) Done(write *Write) {
	w := &r.writes
	assert(write == w.current, "a write is done that was not under way")
	if write.Full {
		w.retry, w.retryAt, w.lowSpace, w.lack = write, r.ticks, true, write.Lack
		r.noteSpace()
		return
	}
	w.current = nil
	for i, entry := range write.entries {
		ok := r.log.append(entry, w.next+wal.Sequence(i))
		assert(ok, "a gap in the log")
	}
	w.next += wal.Sequence(len(write.Records))
	w.at = write.at
	if write.hard != nil {
		w.durable = write.hard
	}
	r.background.logBytes(write.Records)
	w.lowSpace, w.lack = !write.HasHeadroom, write.Lack
	r.noteSpace()
	r.respond(write.responses)
	r.finishReads()
}

func (r *Replica) respond(responses []*raftpb.Message) {
	for _, m := range responses {
		if MemberID(m.GetTo()) == r.options.ID {
			r.step(m)
		} else {
			r.sendRaft(m)
		}
	}
	r.noticeRole()
}

// noteSpace refuses new commands while there is no room for more log, or for what the archive wants
// written. What was begun goes on, and so do reads.
func (r *Replica) noteSpace() {
	e := Event{Kind: EventSpace}
	var refusal error
	switch {
	case r.writes.lowSpace:
		e.Index, refusal = refusalFor(r.writes.lack)
	case r.background.retry != nil:
		e.Index, refusal = refusalFor(r.background.retry.Lack)
	}
	if refusal != r.proposals.refusal {
		r.proposals.refusal = refusal
		r.event(e)
	}
}

// refusalFor is what is told of a lack of room: by an event, and to who wants something written.
func refusalFor(lack error) (Index, error) {
	if errors.Is(lack, vfs.ErrTooManyFiles) {
		return 2, ErrTooManyFiles
	}
	return 1, ErrNoSpace
}
