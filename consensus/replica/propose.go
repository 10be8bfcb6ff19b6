package replica

import (
	"slices"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// proposals are commands on their way into the log.
//
// A command is handed to raft at most once. It waits here while no leader is known, while raft
// takes no more, and while a write is under way: what arrives meanwhile shares the next raft entry
// and the next sync. PendingBytesMax bounds what waits.
type proposals struct {
	pending  queue    // commands, not yet proposed
	bytes    int      // of them
	changes  queue    // of the membership, not yet proposed
	due      [][]byte // of the machine, to be proposed in leadTerm
	batches  uint64   // handed to raft in this run
	sessions sessions // replicated: which batches were applied
	refusal  error    // why only what needs no room is taken; nil: all is

	published int // the tick at which this member last told its attributes
}

// Submit asks for a command to be executed. Its Answer carries what Machine.Apply returned. There
// may never be one: then it is unknown whether the command will be executed, at most once.
func (r *Replica) Submit(id RequestID, command []byte) {
	p := &r.proposals
	switch {
	case p.refusal != nil:
		r.answer(Answer{ID: id, Err: p.refusal})
	case p.bytes+len(command) > r.options.PendingBytesMax && p.bytes > 0,
		r.background.behind > behindMax*r.options.CheckpointBytes:
		r.answer(Answer{ID: id, Err: ErrTooMany})
	default:
		q := r.requests.make()
		q.kind, q.id, q.data = requestCommand, id, command
		if r.wait(q) {
			p.pending.list = append(p.pending.list, q)
			p.bytes += len(command)
		}
	}
}

// Change asks for changes of the membership, in one step. Its Answer carries the Membership.
func (r *Replica) Change(id RequestID, changes []Change) {
	for _, c := range changes {
		if err := r.membership.check(c); err != nil {
			r.answer(Answer{ID: id, Err: err})
			return
		}
	}
	if q := (&request{kind: requestChange, id: id, changes: changes}); r.wait(q) {
		r.proposals.changes.list = append(r.proposals.changes.list, q)
	}
}

// propose hands to raft what may go now.
func (r *Replica) propose() {
	if r.leader == 0 || r.writes.current != nil {
		return // on a follower, too: what gathers meanwhile reaches the leader as one entry, not as many
	}
	p := &r.proposals
	for len(p.pending.list) > 0 && r.proposeBatch() {
	}
	if r.leading() && len(p.due) > 0 {
		due := envelope{kind: entryDue, term: r.leadTerm, commands: p.due}
		if r.proposeEntry(due.encode()) {
			p.due = nil
		}
	}
	for len(p.changes.list) > 0 && (p.changes.list[0].gone || r.proposeChange(p.changes.list[0])) {
		p.changes.drop(1)
	}
}

// proposeBatch packs commands into one entry. It returns false when raft takes none now.
func (r *Replica) proposeBatch() bool {
	p := &r.proposals
	e := envelope{kind: entryCommands, sessionID: r.options.SessionID, origin: r.options.ID,
		number: p.batches + 1, requests: r.scratch.requests[:0], commands: r.scratch.commands[:0]}
	count, size := 0, 0
	for _, q := range p.pending.list {
		if !q.gone {
			size += len(q.data)
			if len(e.commands) > 0 && size > r.options.EntryBytesMax {
				break
			}
			e.requests, e.commands = append(e.requests, q.id), append(e.commands, q.data)
		}
		count++
	}
	if len(e.commands) > 0 {
		if !r.proposeEntry(e.encode()) {
			return false
		}
		p.batches++
	}
	for _, q := range p.pending.list[:count] {
		p.bytes -= len(q.data)
		q.data = nil
	}
	p.pending.drop(count)
	return true
}

func (r *Replica) proposeEntry(data []byte) bool { return r.node.Propose(data) == nil }

func (r *Replica) proposeChange(change *request) bool {
	e := envelope{kind: entryChange, sessionID: r.options.SessionID, origin: r.options.ID,
		requests: []RequestID{change.id}, changes: change.changes}
	conf := confChange(change.changes)
	if conf == nil {
		return r.proposeEntry(e.encode())
	}
	conf.Context = e.encode()
	return r.node.ProposeConfChange(conf) == nil
}

// proposeDue asks the machine what is due. Such commands name the term in which they were found
// due: proposed by a leader that was deposed while it slept, they are void.
func (r *Replica) proposeDue() {
	if r.leadTerm != 0 {
		r.proposals.due = append(r.proposals.due, r.machine.Due(int64(r.now))...)
	}
}

// publish tells the cluster this member's attributes and incarnation, until it knows them.
func (r *Replica) publish() {
	p := &r.proposals
	member, ok := r.membership.Find(r.options.ID)
	self := r.options.Self
	known := member.Incarnation == r.identity.incarnation && member.Name == self.Name &&
		slices.Equal(member.ClientURLs, self.ClientURLs)
	if !ok || known || r.leader == 0 || p.published > r.ticks-r.options.ElectionTicks {
		return
	}
	p.published = r.ticks
	self.ID, self.Incarnation = r.options.ID, r.identity.incarnation
	e := envelope{kind: entryChange, origin: r.options.ID, requests: []RequestID{0},
		changes: []Change{{Kind: changePublish, Member: self}}}
	r.proposeEntry(e.encode())
}

// apply executes committed entries.
func (r *Replica) apply(entries []*raftpb.Entry) {
	for _, entry := range entries {
		assert(Index(entry.GetIndex()) == r.applied+1, "an entry was committed out of order")
		r.applied, r.appliedTerm = Index(entry.GetIndex()), Term(entry.GetTerm())
		switch {
		case entry.GetType() == raftpb.EntryConfChangeV2:
			r.applyConfChange(entry)
		case len(entry.GetData()) > 0:
			r.applyEnvelope(entry.GetData())
		}
		r.background.entryApplied(len(entry.GetData()))
	}
}

func (r *Replica) applyEnvelope(data []byte) {
	e := &r.scratch
	if err := decodeEnvelope(data, e); err != nil {
		panic(err)
	}
	switch e.kind {
	case entryCommands:
		if !r.proposals.sessions.take(e) {
			r.drop(e)
			break
		}
		if e.origin == r.options.ID {
			r.out.Answers = slices.Grow(r.out.Answers, len(e.commands))
		}
		for i, command := range e.commands {
			local := r.local(e, e.requests[i])
			value := r.machine.Apply(uint64(r.applied), command, local != nil)
			if local != nil {
				r.finish(local, value, nil)
			}
		}
	case entryDue:
		if e.term != r.appliedTerm {
			return
		}
		for _, command := range e.commands {
			r.machine.Apply(uint64(r.applied), command, false)
		}
	case entryChange:
		r.applyChanges(e)
	}
	clear(e.commands)
}

// local returns the request if a client of this member, in this run, waits for it.
func (r *Replica) local(e *envelope, id RequestID) *request {
	if e.origin != r.options.ID || e.sessionID != r.options.SessionID {
		return nil
	}
	return r.requests.waiting[id]
}

// applyConfChange applies a change of who votes. One without context is raft's own, which ends a
// joint configuration.
func (r *Replica) applyConfChange(entry *raftpb.Entry) {
	conf := new(raftpb.ConfChangeV2)
	if err := proto.Unmarshal(entry.GetData(), conf); err != nil {
		panic(err)
	}
	if len(conf.GetContext()) > 0 {
		e := &r.scratch
		if err := decodeEnvelope(conf.GetContext(), e); err != nil {
			panic(err)
		}
		if !r.applyChanges(e) {
			return
		}
	}
	r.log.conf = r.node.ApplyConfChange(conf)
	r.log.changedAt = r.applied
	r.background.wanted = true
	if r.isRemoved(r.options.ID) && r.removedSince == 0 {
		r.removedSince = r.ticks + 1
	}
}

// isRemoved says whether a member was removed, and its voice is not needed any more. While a change
// is joint, the majority of the old voters still decides with that of the new ones.
func (r *Replica) isRemoved(id MemberID) bool {
	return r.membership.wasRemoved(id) && !slices.Contains(r.log.conf.GetVotersOutgoing(), uint64(id))
}

// lingerElections is how many election time-outs a removed member stays at most. Where it was the
// only voter, those who come after it may not know yet that the change is committed; they need its
// vote to learn so. It knocks at their doors meanwhile: whoever knows refuses it, and it may go.
const lingerElections = 10

func (r *Replica) tickRemoved() {
	if r.removedSince == 0 {
		return
	}
	if r.ticks-r.removedSince == lingerElections*r.options.ElectionTicks {
		r.event(Event{Kind: EventRemoved, Index: r.applied})
		return
	}
	for i := range r.membership.Members {
		r.send(Message{Kind: MessageReply, To: r.membership.Members[i].ID})
	}
}

// applyChanges changes the membership, all or nothing, and says whether it did.
func (r *Replica) applyChanges(e *envelope) bool {
	local := r.local(e, e.requests[0])
	next := r.membership
	for _, c := range e.changes {
		err := next.check(c)
		if c.Kind == changePublish && err == nil {
			member, _ := next.Find(c.Member.ID)
			if member.Incarnation != 0 && member.Incarnation != c.Member.Incarnation {
				err = ErrWiped
			}
		}
		if err != nil {
			if local != nil {
				r.finish(local, nil, err)
			}
			return false
		}
		next.apply(c)
	}
	r.membership = next
	r.event(Event{Kind: EventMembers, Index: r.applied})
	if local != nil {
		r.finish(local, r.membership.clone(), nil)
	}
	return true
}
