package replica

import "slices"

// sessions remember, for every member, which of its batches of commands were applied last. They are
// part of the replicated state, so all members decide alike.
//
//  1. B sends a batch to A, who leads. The network delivers it twice.
//  2. A's raft appends it twice: to raft two proposals with the same bytes are two proposals.
//  3. Were both applied, a put that its client sent once would make two revisions, and the second
//     would undo what another client wrote between them.
//
// So a member numbers its batches, and each number of a run is applied once, in ascending order.
// A batch that others have overtaken is void; its requests are answered ErrDropped. Of a member's
// earlier runs the last few are remembered: a message that outlived its sender is void too.
type sessions []session // ascending by member

type session struct {
	id        MemberID
	sessionID uint64   // the run
	last      uint64   // the highest number of a batch that was applied in it
	retired   []uint64 // earlier runs, at most retiredMax
}

// retiredMax bounds the runs that are remembered; a message that outlives so many restarts of its
// sender would be taken for new.
const retiredMax = 8

// take says whether a batch is to be applied, and remembers that it was.
func (o *sessions) take(e *envelope) bool {
	i, known := slices.BinarySearchFunc(*o, e.origin, func(a session, id MemberID) int {
		switch {
		case a.id < id:
			return -1
		case a.id > id:
			return 1
		}
		return 0
	})
	if !known {
		*o = slices.Insert(*o, i, session{id: e.origin, sessionID: e.sessionID})
	}
	at := &(*o)[i]
	switch {
	case at.sessionID == e.sessionID && e.number <= at.last, slices.Contains(at.retired, e.sessionID):
		return false
	case at.sessionID != e.sessionID:
		at.retired = append(slices.Clone(at.retired), at.sessionID)
		at.retired = at.retired[max(0, len(at.retired)-retiredMax):]
		at.sessionID = e.sessionID
	}
	at.last = e.number
	return true
}

// drop voids a batch: whoever waits for one of its requests is told.
func (r *Replica) drop(e *envelope) {
	for _, id := range e.requests {
		if local := r.local(e, id); local != nil {
			r.finish(local, nil, ErrDropped)
		}
	}
}

func (w *writer) sessions(list sessions) {
	w.uvarint(uint64(len(list)))
	for _, o := range list {
		w.fixed(uint64(o.id))
		w.fixed(o.sessionID)
		w.uvarint(o.last)
		w.uvarint(uint64(len(o.retired)))
		for _, boot := range o.retired {
			w.fixed(boot)
		}
	}
}

func (r *reader) sessions() (list sessions) {
	for range r.count() {
		o := session{id: MemberID(r.fixed()), sessionID: r.fixed(), last: r.uvarint()}
		for range r.count() {
			o.retired = append(o.retired, r.fixed())
		}
		list = append(list, o)
	}
	return list
}
