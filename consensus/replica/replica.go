package replica

import (
	"cmp"
	"fmt"
	"slices"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
)

// Replica is one member, whole but for its input and output. It is not safe for concurrent use.
//
// Many fields: a member is its raft node and six concerns, each with a type of its own.
type Replica struct {
	options  Options
	machine  Machine
	identity identity
	node     *raft.RawNode
	log      memoryLog

	now      Time
	ticked   Time // when raft's clock was last moved
	ticks    int  // of raft's clock since the start
	leader   MemberID
	term     Term
	role     raft.StateType
	leadTerm Term // the term in which the machine was told to lead; 0: it does not

	applied      Index
	appliedTerm  Term
	membership   Membership
	removedSince int                 // the tick at which this member was out; 0: it is in
	firstSeen    map[MemberID]uint64 // incarnations seen of members that published none yet
	scratch      envelope

	requests   requests
	proposals  proposals
	reads      reads
	writes     writes
	background backgroundWork
	snapshots  snapshots
	out        Effects
}

// assert panics when an invariant of this package does not hold: the member must not go on.
func assert(holds bool, text string) {
	if !holds {
		panic("replica: assertion failed: " + text)
	}
}

// raftConfig returns how raft is to run here.
func (o *Options) raftConfig(storage raft.Storage, applied Index) *raft.Config {
	return &raft.Config{
		ID:                        uint64(o.ID),
		ElectionTick:              o.ElectionTicks,
		HeartbeatTick:             o.HeartbeatTicks,
		Storage:                   storage,
		Applied:                   uint64(applied),
		AsyncStorageWrites:        true,
		MaxSizePerMsg:             uint64(o.EntryBytesMax),
		MaxCommittedSizePerReady:  uint64(o.EntryBytesMax) * 4,
		MaxUncommittedEntriesSize: uint64(o.LogBytesMax),
		MaxInflightMsgs:           inflightMax,
		CheckQuorum:               true,
		PreVote:                   !o.NoPreVote,
		StepDownOnRemoval:         true,
		Logger:                    discardLogger{},
	}
}

// inflightMax bounds the appends that were sent to one follower and not yet answered.
const inflightMax = 256

// Tick tells the time. It may be called at any moment and must be called before other inputs
// whenever the member may have slept. One tick of raft's clock passes per call and Options.Tick, so
// a long sleep counts as one tick: elections wait for messages that the sleep has delayed.
func (r *Replica) Tick(now Time) {
	assert(now >= r.now, "time went back")
	r.now = now
	if now-r.ticked < Time(r.options.Tick) {
		return
	}
	r.ticked += Time(r.options.Tick)
	if now-r.ticked >= Time(r.options.Tick) {
		r.ticked = now
	}
	r.ticks++
	r.node.Tick()
	r.noticeRole()
	r.proposeDue()
	r.publish()
	r.expire()
	r.retryReads()
	r.tickSnapshots()
	r.tickCheckpoint()
	r.tickRemoved()
}

// Receive takes a message of another member.
func (r *Replica) Receive(m Message) {
	if !r.admit(&m) {
		return
	}
	switch m.Kind {
	case MessageRaft:
		r.receiveRaft(m)
	case MessageQuery:
		r.receiveQuery(m)
	case MessageReply:
		r.receiveReply(m)
	case MessageOffer:
		r.receiveOffer(m)
	case MessageFetch:
		r.receiveFetch(m)
	case MessageChunk:
		r.receiveChunk(m)
	case MessageRefused:
		kind := EventRefused
		if string(m.Data) == removedText {
			kind = EventRemoved
		}
		r.event(Event{Kind: kind, Member: m.From, Text: string(m.Data)})
	}
}

// admit says whether the sender is who it was. A wiped disk has forgotten what its member voted and
// acknowledged, so it may not speak for that member again:
//
//  1. A votes for B in term 5 and loses its disk.
//  2. A starts again, empty, and is asked by C for its vote in term 5.
//  3. Were it given, B and C would both lead in term 5.
//
// The incarnation of its first data directory is in the membership; until it is there, the first
// one that is seen counts. Each message also names the incarnation that its receiver should have,
// so the wiped member learns at the first heartbeat that it is not the one that is meant.
func (r *Replica) admit(m *Message) bool {
	if m.From == r.options.ID || m.Kind == MessageRefused {
		return m.From != r.options.ID
	}
	if m.Expected != 0 && m.Expected != r.identity.incarnation {
		r.event(Event{Kind: EventRefused, Member: m.From, Text: wrongIncarnationText})
		return false
	}
	if r.isRemoved(m.From) {
		r.refuse(m.From, removedText)
		return false
	}
	known := r.incarnationOf(m.From)
	if known == 0 {
		r.noteFirstSeen(m)
	} else if known != m.Incarnation {
		r.event(Event{Kind: EventWrongIncarnation, Member: m.From})
		r.refuse(m.From, wrongIncarnationText)
		return false
	}
	return true
}

// firstSeenMax bounds the incarnations that are remembered of who is not known as a member, so that
// one who invents senders fills no memory. Members have their places beyond it.
const firstSeenMax = 128

// pin remembers the first incarnation that is seen of a sender. One that is no member here decides
// nothing here, so that one too many goes unremembered costs no vote.
func (r *Replica) noteFirstSeen(m *Message) {
	if _, member := r.membership.search(m.From); member || len(r.firstSeen) < firstSeenMax {
		r.firstSeen[m.From] = m.Incarnation
	}
}

const removedText = "this member was removed from the cluster"

const wrongIncarnationText = "the cluster knows this member with another data directory: " +
	"remove it from the cluster and add it again"

// incarnationOf returns the incarnation that a member should have; 0 when it is not known.
func (r *Replica) incarnationOf(id MemberID) uint64 {
	if i, ok := r.membership.search(id); ok && r.membership.Members[i].Incarnation != 0 {
		return r.membership.Members[i].Incarnation
	}
	return r.firstSeen[id]
}

func (r *Replica) refuse(to MemberID, reason string) {
	r.send(Message{Kind: MessageRefused, To: to, Data: []byte(reason)})
}

func (r *Replica) receiveRaft(m Message) {
	message := m.Raft
	if MemberID(message.GetFrom()) != m.From || MemberID(message.GetTo()) != r.options.ID {
		return
	}
	switch message.GetType() {
	case raftpb.MsgSnap:
		return // snapshots come as offers
	case raftpb.MsgHeartbeat:
		// A leader names only what this member has acknowledged. A disk that was put back to an
		// earlier state has forgotten it, and must not vote.
		if Term(message.GetTerm()) >= r.term && Index(message.GetCommit()) > r.writes.last {
			r.event(Event{Kind: EventFailed, Index: Index(message.GetCommit()), Member: m.From,
				Text: "this disk has forgotten entries that it had acknowledged: " +
					"remove this member from the cluster and add it again"})
			return
		}
	case raftpb.MsgReadIndex:
		if r.leading() && !r.mayRead() && len(r.log.conf.GetVoters()) == 1 {
			return // the member asks again
		}
	}
	r.step(message)
	r.noticeRole()
	if message.GetType() == raftpb.MsgAppResp && !message.GetReject() {
		r.snapshotAcknowledged(m.From, Index(message.GetIndex()))
	}
}

// step hands a message to raft. What raft refuses (an answer of a member that was removed, a
// proposal without a leader) is not an error of this member.
//
// Whoever steps the last of several messages that belong together calls noticeRole.
func (r *Replica) step(m *raftpb.Message) { _ = r.node.Step(m) }

// Unreachable says that the driver could not reach a member; raft then sends it less.
func (r *Replica) Unreachable(id MemberID) { r.node.ReportUnreachable(uint64(id)) }

// Transfer asks the leader to let another member lead. Nothing happens when it cannot.
func (r *Replica) Transfer(to MemberID) {
	if member, ok := r.membership.Find(to); ok && !member.Learner {
		r.node.TransferLeader(uint64(to))
	}
}

// Match tells on the leader up to where a member has the leader's log on its disk, as far as the
// leader has heard, and up to where the leader has it itself. Its errors are ErrNotLeader and
// ErrMemberUnknown.
func (r *Replica) Match(id MemberID) (match, own Index, err error) {
	if !r.leading() {
		return 0, 0, ErrNotLeader
	}
	err = ErrMemberUnknown
	r.node.WithProgress(func(of uint64, _ raft.ProgressType, progress tracker.Progress) {
		if MemberID(of) == id {
			match, err = Index(progress.Match), nil
		}
		if MemberID(of) == r.options.ID {
			own = Index(progress.Match)
		}
	})
	return match, own, err
}

// View returns the machine's view of the applied state.
func (r *Replica) View() any { return r.machine.View() }

// Members returns who is in the cluster as far as this member has applied the log.
func (r *Replica) Members() Membership { return r.membership.clone() }

// Status returns a look at this member.
func (r *Replica) Status() Status {
	status := r.node.BasicStatus()
	member, known := r.membership.Find(r.options.ID)
	return Status{
		ID: r.options.ID, Cluster: r.identity.cluster, Incarnation: r.identity.incarnation,
		Leader: r.leader, Term: r.term, Leading: r.leading(), Learner: member.Learner || !known,
		Committed: Index(status.HardState.GetCommit()), Applied: r.applied, Last: r.writes.last,
		Durable: r.log.last(), AppliedTerm: r.appliedTerm,
		Vote: MemberID(status.HardState.GetVote()),
	}
}

// Durable returns up to where this member has its log on its disk, as Status does, but for nothing.
func (r *Replica) Durable() Index { return r.log.last() }

// Log returns the entries that are on this member's disk and are kept in memory, in order, for an
// audit that compares members. They are not to be changed.
func (r *Replica) Log() []*raftpb.Entry { return slices.Clone(r.log.entries) }

func (r *Replica) leading() bool { return r.role == raft.StateLeader }

// Take returns what the world owes the replica, and forgets it.
func (r *Replica) Take() Effects {
	r.propose()
	r.startReads()
	applied := 0
	for r.node.HasReady() && applied < entriesPerTake {
		applied += r.ready(r.node.Ready())
		r.propose()
		r.startReads()
	}
	r.startWrite()
	r.startTask()
	out := r.out
	out.More = r.node.HasReady()
	out.Wake = r.ticked + Time(r.options.Tick)
	if wake := r.readsWake(); wake != 0 {
		out.Wake = min(out.Wake, wake)
	}
	r.out = Effects{}
	return out
}

// entriesPerTake bounds the entries that one Take applies, so that inputs are looked at in between.
const entriesPerTake = 512

// ready carries out what raft has decided and returns how many entries were applied.
//
// A candidate asks for votes when its own is durable. Raft waits for that only before it counts the
// candidate's vote, and the others may be a majority without it:
//
//  1. A asks B and C in term 5, is voted for by both, leads, and appends at B.
//  2. A crashes before term 5 is on its disk, and starts again in term 4.
//  3. It campaigns in term 5 once more. C has voted for A in that term and does so again.
//  4. A leads in term 5, and appends other entries with the indexes and the term of those at B.
func (r *Replica) ready(rd raft.Ready) int {
	applied := 0
	var votes []*raftpb.Message // that this member asks for
	for _, m := range rd.Messages {
		switch {
		case m.GetTo() == raft.LocalAppendThread: // behind all others
			m.Responses = append(m.Responses, votes...)
			votes = nil
			r.queueAppend(m)
		case m.GetType() == raftpb.MsgVote:
			votes = append(votes, m)
		case m.GetTo() == raft.LocalApplyThread:
			r.apply(m.GetEntries())
			applied += len(m.GetEntries())
			for _, response := range m.GetResponses() {
				r.step(response)
			}
		case m.GetType() == raftpb.MsgSnap:
			r.offerSnapshot(m)
		default:
			r.sendRaft(m)
		}
	}
	assert(votes == nil, "a member campaigns and writes no term")
	for _, state := range rd.ReadStates {
		r.readConfirmed(state)
	}
	r.noticeRole()
	r.finishReads()
	return applied
}

func (r *Replica) sendRaft(m *raftpb.Message) {
	r.send(Message{Kind: MessageRaft, To: MemberID(m.GetTo()), Raft: m})
}

func (r *Replica) send(m Message) {
	m.From, m.Incarnation = r.options.ID, r.identity.incarnation
	if m.Kind != MessageRefused {
		m.Expected = r.incarnationOf(m.To)
	}
	r.out.Send = append(r.out.Send, m)
}

func (r *Replica) event(e Event) { r.out.Events = append(r.out.Events, e) }

func (r *Replica) answer(a Answer) {
	a.Index = r.applied
	r.out.Answers = append(r.out.Answers, a)
}

// noticeRole notices that the role, the term or the leader has changed. It is called after
// everything that may change them, so a leadership is never confused with the one before it.
func (r *Replica) noticeRole() {
	status := r.node.BasicStatus()
	term, leader, role := Term(status.HardState.GetTerm()), MemberID(status.Lead), status.RaftState
	if term == r.term && leader == r.leader && role == r.role {
		return
	}
	changed := leader != r.leader || term != r.term
	if role != r.role {
		r.event(Event{Kind: EventRole, Term: term, Text: roleName(role)})
	}
	if leader != r.leader {
		r.event(Event{Kind: EventLeader, Term: term, Member: leader})
	}
	r.term, r.leader, r.role = term, leader, role
	if r.leadTerm != 0 && (role != raft.StateLeader || r.leadTerm != term) {
		r.leadTerm = 0
		r.machine.Lead(int64(r.now), false)
		r.leadershipLost()
	}
	if role == raft.StateLeader && r.leadTerm == 0 {
		r.leadTerm = term
		r.machine.Lead(int64(r.now), true)
	}
	if changed && leader != 0 {
		r.leaderChanged()
	}
}

// leadershipLost drops what only a leader does.
func (r *Replica) leadershipLost() {
	r.proposals.due = nil
	for _, id := range sortedKeys(r.snapshots.senders) {
		r.endSender(id, "this member no longer leads")
	}
}

func roleName(role raft.StateType) string {
	switch role {
	case raft.StateLeader:
		return "leader"
	case raft.StateCandidate:
		return "candidate"
	case raft.StatePreCandidate:
		return "pre-candidate"
	}
	return "follower"
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	// order-free: the keys are sorted below
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// silent takes raft's log lines: the events of this package tell the same, in order. Only what
// raft calls fatal or a panic is heard, and ends the member.
type discardLogger struct{}

func (discardLogger) Debug(...any)              {}
func (discardLogger) Debugf(string, ...any)     {}
func (discardLogger) Error(...any)              {}
func (discardLogger) Errorf(string, ...any)     {}
func (discardLogger) Info(...any)               {}
func (discardLogger) Infof(string, ...any)      {}
func (discardLogger) Warning(...any)            {}
func (discardLogger) Warningf(string, ...any)   {}
func (discardLogger) Fatal(v ...any)            { broken("%s", fmt.Sprint(v...)) }
func (discardLogger) Fatalf(f string, v ...any) { broken(f, v...) }
func (discardLogger) Panic(v ...any)            { broken("%s", fmt.Sprint(v...)) }
func (discardLogger) Panicf(f string, v ...any) { broken(f, v...) }

func broken(format string, v ...any) { panic("replica: raft: " + fmt.Sprintf(format, v...)) }
