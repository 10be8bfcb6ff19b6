package replica

import (
	"fmt"
	mathrand "math/rand/v2"
	"testing"

	"go.etcd.io/raft/v3/raftpb"
)

// What two inputs in one turn lead to, and what a crash leaves of it. A driver hands over all that
// has gathered and then takes the effects once, so raft may want stored in one batch what came from
// two sides: a snapshot and a vote, a snapshot and the entries behind it. One real member meets
// every ordered pair of inputs, from every beginning; after each step of each of its lanes power
// fails, and what is left must recover and hold what was promised.

// The log that all of these members share: entry i of term 2 holds one command.
const (
	turnHas      = 12 // the member's own log ends here,
	turnCommit   = 8  // and is known to be committed up to here
	turnSnapshot = 40 // what it is offered
)

// A bench is one member between puppets, with what its lanes have outstanding.
type bench struct {
	t     *testing.T
	w     *world
	a     *actor
	donor *actor
	write *Write
	bulk  *BackgroundTask
	sent  []Message

	term  Term // of any message that left
	vote  map[Term]MemberID
	acked Index

	together bool // entries came with a snapshot, in one batch
	alone    bool // a snapshot was installed while nothing was written
}

func (b *bench) receive(m Message) {
	m.To, m.Incarnation = b.a.id, 100+uint64(m.From)
	b.a.replica.Receive(m)
}

func (b *bench) raft(m *raftpb.Message) {
	m.To = new(uint64(b.a.id))
	b.receive(Message{Kind: MessageRaft, From: MemberID(m.GetFrom()), Raft: m})
}

func turnEntries(term Term, from, to Index) []*raftpb.Entry {
	var list []*raftpb.Entry
	for i := from; i <= to; i++ {
		e := envelope{kind: entryCommands, sessionID: uint64(term), origin: 2, number: uint64(i),
			requests: []RequestID{1}, commands: [][]byte{fmt.Append(nil, "command ", i, " of ", term)}}
		list = append(list, &raftpb.Entry{Term: new(uint64(term)), Index: new(uint64(i)),
			Type: raftpb.EntryNormal.Enum(), Data: e.encode()})
	}
	return list
}

// appendFrom is an append of a leader, behind an entry of term 2 (the first is of term 1).
func appendFrom(leader MemberID, term Term, from, to, commit Index) *raftpb.Message {
	before := Term(2)
	if from == 2 {
		before = 1
	}
	entries := turnEntries(term, from, to)
	if term == 3 { // the same log as in term 2: a leader of term 3 passes it on
		entries = turnEntries(2, from, to)
	}
	return &raftpb.Message{Type: raftpb.MsgApp.Enum(), From: new(uint64(leader)),
		Term: new(uint64(term)), Index: new(uint64(from - 1)), LogTerm: new(uint64(before)),
		Entries: entries, Commit: new(uint64(commit))}
}

// take takes the effects and notes what they promise.
func (b *bench) take() {
	for more := true; more; {
		effects := b.a.replica.Take()
		more = effects.More
		if effects.Write != nil {
			b.write = effects.Write
		}
		if effects.Background != nil {
			b.bulk = effects.Background
		}
		b.sent = append(b.sent, effects.Send...)
		for _, m := range effects.Send {
			b.promise(m.Raft)
		}
		for _, e := range effects.Events {
			if e.Kind == EventFailed {
				b.t.Fatalf("the member failed: %s", e.Text)
			}
		}
	}
	install := b.a.replica.snapshots.install
	b.alone = b.alone || install != nil && b.write == nil
	b.together = b.together || install != nil && len(b.a.replica.writes.queue) > 0 &&
		len(b.a.replica.writes.queue[0].GetEntries()) > 0
}

func (b *bench) promise(m *raftpb.Message) {
	if m == nil {
		return
	}
	switch m.GetType() { // of the others nobody concludes what this member will remember
	case raftpb.MsgVote: // it counts on its own
		b.term = max(b.term, Term(m.GetTerm()))
		b.vote[Term(m.GetTerm())] = MemberID(m.GetFrom())
	case raftpb.MsgVoteResp:
		b.term = max(b.term, Term(m.GetTerm()))
		if !m.GetReject() {
			b.vote[Term(m.GetTerm())] = MemberID(m.GetTo())
		}
	case raftpb.MsgAppResp:
		b.term = max(b.term, Term(m.GetTerm()))
		if !m.GetReject() {
			b.acked = max(b.acked, Index(m.GetIndex()))
		}
	}
}

// do lets a lane do what it has to do, and says whether there was anything.
func (b *bench) do(lane rune) bool {
	err := error(nil)
	switch {
	case lane == 'w' && b.write != nil:
		err = b.a.disk.Do(b.write)
	case lane == 'b' && b.bulk != nil:
		err = b.a.disk.DoBackground(b.bulk)
	default:
		return false
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return true
}

// tell says that what a lane had to do is done.
func (b *bench) tell(lane rune) {
	if lane == 'w' {
		write := b.write
		b.write = nil
		b.a.replica.Done(write)
	} else {
		bulk := b.bulk
		b.bulk = nil
		b.a.replica.BackgroundDone(bulk)
	}
}

func (b *bench) step(lane rune) bool {
	if !b.do(lane) {
		return false
	}
	b.tell(lane)
	return true
}

// quiet lets both lanes do all that they have to do.
func (b *bench) quiet() {
	for b.step('w') || b.step('b') {
		b.take()
	}
}

func newBench(t *testing.T, seed uint64) *bench {
	b := &bench{t: t, w: newWorld(t, seed, 0), vote: map[Term]MemberID{}}
	members := []Member{{ID: 1}, {ID: 2}, {ID: 3}}
	donor := &bench{t: t, w: b.w, a: b.w.add(1, members), vote: map[Term]MemberID{}}
	donor.raft(appendFrom(2, 2, 2, turnSnapshot, turnSnapshot))
	donor.take()
	donor.quiet()
	donor.a.replica.Checkpoint()
	donor.take()
	donor.quiet()
	b.donor = donor.a
	b.a = b.w.add(3, members)
	b.raft(appendFrom(1, 2, 2, turnHas, turnCommit))
	b.take()
	b.quiet()
	return b
}

// offer carries an offer of the donor to the member.
func (b *bench) offer() {
	b.donor.replica.offerSnapshot(&raftpb.Message{Type: raftpb.MsgSnap.Enum(), From: new(uint64(1)),
		To: new(uint64(3)), Term: new(uint64(3))})
	b.carry(b.donor.replica.Take().Send)
}

func (b *bench) carry(messages []Message) {
	for _, m := range messages {
		if m.Chunk != nil {
			data, err := b.donor.disk.Read(m.Chunk, append([]byte(nil), m.Data...))
			if err != nil {
				b.t.Fatal(err)
			}
			m.Data, m.Chunk = data, nil
		}
		if m.Kind == MessageOffer || m.Kind == MessageChunk {
			b.receive(m)
		}
	}
}

// fetchAll offers the snapshot and carries it, up to where the last audit of it is to be done.
func (b *bench) fetchAll() {
	b.offer()
	for range 1000 {
		b.take()
		if b.bulk != nil && b.lastAudit() {
			return
		}
		sent := b.sent
		b.sent = nil
		for _, m := range sent {
			if m.Kind == MessageFetch {
				m.From = b.a.id
				b.donor.replica.receiveFetch(m)
			}
		}
		b.carry(b.donor.replica.Take().Send)
		b.step('b')
	}
	b.t.Fatal("the snapshot does not arrive")
}

func (b *bench) lastAudit() bool { return b.bulk.Order != nil }

type turnInput struct {
	name string
	do   func(b *bench)
}

var turnInputs = []turnInput{
	{"bulk done", func(b *bench) { b.step('b') }},
	{"write done", func(b *bench) { b.step('w') }},
	{"vote", func(b *bench) {
		b.raft(&raftpb.Message{Type: raftpb.MsgVote.Enum(), From: new(uint64(2)), Term: new(uint64(7)),
			Index: new(uint64(1000)), LogTerm: new(uint64(6)), Context: []byte("CampaignTransfer")})
	}},
	{"heartbeat", func(b *bench) {
		b.raft(&raftpb.Message{Type: raftpb.MsgHeartbeat.Enum(), From: new(uint64(1)),
			Term: new(uint64(3)), Commit: new(uint64(turnHas))})
	}},
	{"entries behind the snapshot", func(b *bench) {
		b.raft(appendFrom(1, 3, turnSnapshot+1, turnSnapshot+3, turnSnapshot+2))
	}},
	{"entries behind the log", func(b *bench) {
		b.raft(appendFrom(1, 3, turnHas+1, turnHas+3, turnHas+2))
	}},
	{"entries in place of others", func(b *bench) {
		b.raft(appendFrom(2, 4, turnCommit+1, turnHas+5, turnCommit+1))
	}},
	{"campaign", func(b *bench) {
		b.raft(&raftpb.Message{Type: raftpb.MsgTimeoutNow.Enum(), From: new(uint64(1)),
			Term: new(uint64(3))})
	}},
	{"offer", (*bench).offer},
	{"checkpoint", func(b *bench) { b.a.replica.Checkpoint() }},
	{"tick", func(b *bench) {
		b.w.now += Time(defaultTick)
		b.a.replica.Tick(b.w.now)
	}},
	{"command", func(b *bench) { b.a.replica.Submit(1, []byte("mine")) }},
}

var turnBeginnings = []turnInput{
	{"a snapshot was audited", (*bench).fetchAll},
	{"a snapshot was audited and a write is under way", func(b *bench) {
		b.fetchAll()
		b.raft(appendFrom(1, 3, turnHas+1, turnHas+1, turnHas))
		b.take()
	}},
	{"a checkpoint is under way", func(b *bench) {
		b.a.replica.Checkpoint()
		b.take()
	}},
	{"a checkpoint and a write are under way", func(b *bench) {
		b.a.replica.Checkpoint()
		b.raft(appendFrom(1, 3, turnHas+1, turnHas+1, turnHas))
		b.take()
	}},
	{"nothing is under way", func(*bench) {}},
}

// crash loses power several times, in different ways, and judges what is left.
func (b *bench) crash() {
	random := mathrand.New(mathrand.NewPCG(b.w.seed, 2))
	for range 3 {
		left := &actor{id: b.a.id, fs: b.a.fs.CrashClone(random), incarnation: b.a.incarnation,
			members: b.a.members, answers: map[RequestID]func(Answer){}}
		b.w.start(left)
		r := left.replica
		hard := r.log.hard
		if Term(hard.GetTerm()) < b.term {
			b.t.Errorf("term %d was told and %d is left", b.term, hard.GetTerm())
		}
		if to, voted := b.vote[Term(hard.GetTerm())]; voted && MemberID(hard.GetVote()) != to {
			b.t.Errorf("%d had the vote and %d has it now", to, hard.GetVote())
		}
		if r.log.last() < b.acked {
			b.t.Errorf("entry %d was acknowledged, the log ends at %d", b.acked, r.log.last())
		}
	}
}

// runTurn plays one story; false when the path asks for a lane that has nothing to do.
func (b *bench) runTurn(begin, first, second turnInput, path string) bool {
	begin.do(b)
	first.do(b)
	second.do(b)
	b.take()
	if path == "" {
		b.crash()
		return true
	}
	for _, lane := range path[:len(path)-1] {
		if !b.step(lane) {
			return false
		}
		b.take()
	}
	last := rune(path[len(path)-1])
	if !b.do(last) {
		return false
	}
	b.crash()
	b.tell(last)
	b.take()
	b.crash()
	return true
}

// turnSteps is how many steps the lanes take after the turn at most.
const turnSteps = 3

func TestACrashAfterTwoInputsInOneTurnIsRecovered(t *testing.T) {
	stories, together, alone := 0, 0, 0
	play := func(begin, first, second turnInput) {
		paths := []string{""} // the orders in which the lanes get on
		for len(paths) > 0 && !t.Failed() {
			path := paths[0]
			paths = paths[1:]
			b := newBench(t, uint64(stories))
			if !b.runTurn(begin, first, second, path) {
				continue
			}
			stories++
			if len(path) < turnSteps {
				paths = append(paths, path+"w", path+"b")
			}
			if b.together {
				together++
			}
			if b.alone {
				alone++
			}
			if t.Failed() {
				t.Logf("%s: %s, %s, then %q", begin.name, first.name, second.name, path)
			}
		}
	}
	for _, begin := range turnBeginnings {
		for _, first := range turnInputs {
			for _, second := range turnInputs {
				play(begin, first, second)
			}
		}
	}
	if together == 0 || alone == 0 {
		t.Errorf("%d stories have a snapshot alone, %d one with entries behind it", alone, together)
	}
	t.Log(stories, "stories,", together, "with entries behind a snapshot")
}
