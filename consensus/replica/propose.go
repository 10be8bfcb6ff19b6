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
	pending []proposal
	bytes   int
	waiting map[RequestID]struct{} // handed to raft, not applied yet
	due     [][]byte               // of the machine, to be proposed in leadTerm
	changes []proposal             // of the membership, not yet proposed
	batches uint64                 // handed to raft in this run
	origins origins                // replicated: which batches were applied
	full    bool                   // the log's device is: only what needs no room is taken

	published int // the tick at which this member last told its attributes
}

type proposal struct {
	id      RequestID
	command []byte
	changes []Change
}

// Submit asks for a command to be executed. Its Answer carries what Machine.Apply returned. There
// may never be one: then it is unknown whether the command will be executed, at most once.
func (r *Replica) Submit(id RequestID, command []byte) {
	p := &r.proposals
	switch {
	case p.full:
		r.answer(Answer{ID: id, Err: ErrNoSpace})
	case p.bytes+len(command) > r.options.PendingBytesMax && len(p.pending) > 0,
		r.bulks.behind > behindMax*r.options.CheckpointBytes:
		r.answer(Answer{ID: id, Err: ErrTooMany})
	default:
		p.pending = append(p.pending, proposal{id: id, command: command})
		p.bytes += len(command)
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
	r.proposals.changes = append(r.proposals.changes, proposal{id: id, changes: changes})
}

// Forget says that nobody waits for the request any more. A command that was handed to raft may
// still be executed; one that was not will not be.
func (r *Replica) Forget(id RequestID) {
	same := func(p proposal) bool { return p.id == id }
	p := &r.proposals
	if i := slices.IndexFunc(p.pending, same); i >= 0 {
		p.bytes -= len(p.pending[i].command)
		p.pending = slices.Delete(p.pending, i, i+1)
	}
	p.changes = slices.DeleteFunc(p.changes, same)
	delete(p.waiting, id)
	r.reads.forget(id)
}

// propose hands to raft what may go now.
func (r *Replica) propose() {
	if r.leader == 0 || r.writes.current != nil {
		return // on a follower, too: what gathers meanwhile reaches the leader as one entry, not as many
	}
	p := &r.proposals
	for len(p.pending) > 0 && r.proposeBatch() {
	}
	if r.leading() && len(p.due) > 0 {
		due := envelope{kind: entryDue, term: r.leadTerm, commands: p.due}
		if r.proposeEntry(due.encode()) {
			p.due = nil
		}
	}
	for len(p.changes) > 0 && r.proposeChange(p.changes[0]) {
		p.changes = p.changes[1:]
	}
}

// proposeBatch packs commands into one entry. It returns false when raft takes none now.
func (r *Replica) proposeBatch() bool {
	p := &r.proposals
	count, size := 0, 0
	for count < len(p.pending) {
		size += len(p.pending[count].command)
		if count > 0 && size > r.options.EntryBytesMax {
			break
		}
		count++
	}
	e := envelope{kind: entryCommands, boot: r.options.Boot, origin: r.options.ID,
		number: p.batches + 1, requests: r.scratch.requests[:0], commands: r.scratch.commands[:0]}
	for _, pending := range p.pending[:count] {
		e.requests = append(e.requests, pending.id)
		e.commands = append(e.commands, pending.command)
	}
	if !r.proposeEntry(e.encode()) {
		return false
	}
	p.batches++
	for _, pending := range p.pending[:count] {
		p.bytes -= len(pending.command)
		p.waiting[pending.id] = struct{}{}
	}
	// What is left, mostly nothing, moves to the front, so that the memory is used again.
	p.pending = slices.Delete(p.pending, 0, count)
	if len(p.pending) == 0 && cap(p.pending) > pendingKeepMax {
		p.pending = nil
	}
	return true
}

// pendingKeepMax bounds the commands for which there is memory while none waits.
const pendingKeepMax = 4096

func (r *Replica) proposeEntry(data []byte) bool { return r.node.Propose(data) == nil }

func (r *Replica) proposeChange(change proposal) bool {
	e := envelope{kind: entryChange, boot: r.options.Boot, origin: r.options.ID,
		requests: []RequestID{change.id}, changes: change.changes}
	err := error(nil)
	if conf := confChange(change.changes); conf == nil {
		err = r.node.Propose(e.encode())
	} else {
		conf.Context = e.encode()
		err = r.node.ProposeConfChange(conf)
	}
	if err != nil {
		return false
	}
	r.proposals.waiting[change.id] = struct{}{}
	return true
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
		r.bulks.entryApplied(len(entry.GetData()))
	}
}

func (r *Replica) applyEnvelope(data []byte) {
	e := &r.scratch
	if err := decodeEnvelope(data, e); err != nil {
		panic(err)
	}
	switch e.kind {
	case entryCommands:
		if !r.proposals.origins.take(e) {
			r.drop(e)
			break
		}
		if e.origin == r.options.ID {
			r.out.Answers = slices.Grow(r.out.Answers, len(e.commands))
		}
		for i, command := range e.commands {
			local := r.takeWaiting(e, e.requests[i])
			value := r.machine.Apply(uint64(r.applied), command, local)
			if local {
				r.answer(Answer{ID: e.requests[i], Value: value})
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

// takeWaiting says whether a client of this member, in this run, waits for the request.
func (r *Replica) takeWaiting(e *envelope, id RequestID) bool {
	if e.origin != r.options.ID || e.boot != r.options.Boot {
		return false
	}
	_, waiting := r.proposals.waiting[id]
	delete(r.proposals.waiting, id)
	return waiting
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
	r.bulks.wanted = true
	if r.isOut(r.options.ID) && r.outSince == 0 {
		r.outSince = r.ticks + 1
	}
}

// isOut says whether a member was removed, and its voice is not needed any more. While a change is
// joint, the majority of the old voters still decides with that of the new ones.
func (r *Replica) isOut(id MemberID) bool {
	return r.membership.wasRemoved(id) && !slices.Contains(r.log.conf.GetVotersOutgoing(), uint64(id))
}

// lingerElections is how many election time-outs a removed member stays at most. Where it was the
// only voter, those who come after it may not know yet that the change is committed; they need its
// vote to learn so. It knocks at their doors meanwhile: whoever knows refuses it, and it may go.
const lingerElections = 10

func (r *Replica) tickRemoved() {
	if r.outSince == 0 {
		return
	}
	if r.ticks-r.outSince == lingerElections*r.options.ElectionTicks {
		r.event(Event{Kind: EventRemoved, Index: r.applied})
		return
	}
	for i := range r.membership.Members {
		r.send(Message{Kind: MessageReply, To: r.membership.Members[i].ID})
	}
}

// applyChanges changes the membership, all or nothing, and says whether it did.
func (r *Replica) applyChanges(e *envelope) bool {
	id := e.requests[0]
	local := r.takeWaiting(e, id)
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
			if local {
				r.answer(Answer{ID: id, Err: err})
			}
			return false
		}
		next.apply(c)
	}
	r.membership = next
	r.event(Event{Kind: EventMembers, Index: r.applied})
	if local {
		r.answer(Answer{ID: id, Value: r.membership.clone()})
	}
	return true
}
