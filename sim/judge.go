package sim

import (
	"bytes"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/raft/v3/raftpb"

	"detcd/consensus/replica"
	"detcd/kv"
)

// judge watches a run and says when a promise is broken. While the run goes on it compares the
// members with each other; what clients and watchers are told it compares with the history that
// the members agree on.
//
// Many fields: it is what all judges of a run have in common.
type judge struct {
	world       *world
	verdict     Verdict
	reason      string
	leaderAfter time.Duration

	leaders map[replica.Term]int       // who led
	states  map[replica.Index][]uint64 // of the store, after each command of an entry
	at      map[*member]place          // where each member's application is
	removed map[int]bool               // members that were removed on purpose
	history history                    // what happened to the keys, revision by revision
	leases  map[int64]*leaseRecord
	claims  map[claimed]claim // what leaders found due
	ballots map[ballot][]int  // who would vote for whom
	word    map[int]promise   // what each member has told others that it will not forget
	highest int64             // revision that some client was told
	written int64             // bytes of commands

	tried   []*operation    // of clients with rights, since rights were last judged
	refused map[string]bool // values that may not come to be

	record     record     // what clients saw
	undecided  bool       // the checker could not decide
	noOpinion  bool       // porcupine could not
	window     []interval // for the second opinion
	windowFrom int64      // the revision before the window

	excused replica.Index // up to here others may have voted than those that are members now

	answeredOps, unknownOps, watchSeen, judgedRights uint64
}

type place struct {
	life  int
	index replica.Index
	next  int // command of the entry
}

// history is every change of every key, as the first member that applied it told.
type history struct {
	first     int64             // the first revision that is here
	revisions [][]*mvccpb.Event // by revision, from first
	gaps      map[int64]bool    // revisions that no member could tell any more
	latest    map[string]*mvccpb.Event
	before    map[*mvccpb.Event]*mvccpb.Event // the change of the same key before this one
	written   map[string]int64                // revisions of values: each is written once
}

func newJudge(w *world) judge {
	return judge{world: w, windowFrom: int64(w.options.Seed % 1200), leaders: map[replica.Term]int{},
		states: map[replica.Index][]uint64{}, at: map[*member]place{}, removed: map[int]bool{},
		leases: map[int64]*leaseRecord{}, claims: map[claimed]claim{},
		ballots: map[ballot][]int{}, refused: map[string]bool{}, word: map[int]promise{},
		history: history{first: 2, gaps: map[int64]bool{}, latest: map[string]*mvccpb.Event{},
			before: map[*mvccpb.Event]*mvccpb.Event{}, written: map[string]int64{}}}
}

func (j *judge) broken() bool { return j.verdict != Green }

func (j *judge) fail(format string, v ...any) { j.end(Safety, format, v...) }

func (j *judge) stuck(format string, v ...any) { j.end(Liveness, format, v...) }

func (j *judge) lost(format string, v ...any) { j.end(Lost, format, v...) }

func (j *judge) end(verdict Verdict, format string, v ...any) {
	if j.verdict == Green {
		if lost := j.world.lostDisks(); j.world.options.Unbudgeted && verdict != Crash && lost != "" {
			verdict, format = Lost, lost+"; then "+format
		}
		j.verdict, j.reason = verdict, fmt.Sprintf(format, v...)
	}
}

// role: at most one member leads in a term.
func (j *judge) role(m *member, e replica.Event) {
	if e.Text == "candidate" || e.Text == "pre-candidate" {
		j.campaigns(m, e)
	}
	if e.Text != "leader" {
		return
	}
	if other, ok := j.leaders[e.Term]; ok && other != m.number {
		j.fail("members %d and %d both led in term %d", other, m.number, e.Term)
	}
	j.leaders[e.Term] = m.number
}

// applied: every member makes the same of every command at every index, in every one of its lives.
func (j *judge) applied(m *member, index uint64, command []byte) {
	p := j.at[m]
	if p.life != m.life || p.index != replica.Index(index) {
		p = place{life: m.life, index: replica.Index(index)}
	}
	hash, states := m.store.Hash(), j.states[p.index]
	switch {
	case p.next < len(states) && states[p.next] != hash:
		j.fail("member %d made something else of command %d of entry %d than another member",
			m.number, p.next, index)
	case p.next == len(states):
		j.states[p.index] = append(states, hash)
		j.written += int64(len(command))
	}
	p.next++
	m.sawApplied(p.index, p.next)
	j.at[m] = p
	j.world.event(eventApply, m.number, index, hash, func() string {
		return fmt.Sprintf("entry %d: revision %d, %d bytes", index, m.store.Revision(), len(command))
	})
}

// promise is what a member has said in messages that its disk must remember.
type promise struct {
	term uint64 // of the newest vote or acknowledgement
	vote uint64 // given in term; 0: none was
	last uint64 // entry acknowledged in term
}

// told takes what a member says to another.
func (j *judge) told(m *member, r *raftpb.Message) {
	j.willing(m, r)
	p := j.word[m.number]
	if r.GetReject() || r.GetTerm() < p.term {
		return
	}
	if m.disk.wiped && (r.GetType() == raftpb.MsgVoteResp || r.GetType() == raftpb.MsgAppResp) {
		j.fail("member %d, whose disk was wiped, was let speak again: %s", m.number, raftText(r))
	}
	if r.GetTerm() > p.term {
		p = promise{term: r.GetTerm()}
	}
	switch r.GetType() {
	case raftpb.MsgVoteResp:
		p.vote = r.GetTo()
	case raftpb.MsgAppResp:
		p.last = max(p.last, r.GetIndex())
	default:
		return
	}
	j.word[m.number] = p
}

// keepsItsWord: after a crash a member remembers what it has promised.
func (j *judge) keepsItsWord(m *member, s replica.Status) {
	p := j.word[m.number]
	switch {
	case m.disk.forgot || m.disk.damaged:
	case uint64(s.Term) < p.term:
		j.fail("member %d recovered in term %d and had spoken in term %d", m.number, s.Term, p.term)
	case uint64(s.Term) > p.term:
	case p.vote != 0 && uint64(s.Vote) != p.vote:
		j.fail("member %d gave its vote of term %d to member %d and has forgotten it",
			m.number, p.term, p.vote)
	case uint64(s.Durable) < p.last:
		j.fail("member %d acknowledged entry %d in term %d and recovered a log up to %d",
			m.number, p.last, p.term, s.Durable)
	}
}

// answered: what a member tells a client rests on the disks of a majority.
func (j *judge) answered(m *member, answer replica.Answer) {
	if answer.Err != nil || answer.Index == 0 {
		return
	}
	have, voters := 0, 0
	for _, peer := range m.replica.Members().Members {
		if peer.Learner {
			continue
		}
		voters++
		other := j.world.memberByID(peer.ID)
		if other == nil {
			continue
		}
		if other.durable >= answer.Index || other.disk.forgot && other.kept >= answer.Index {
			have++ // what a fault took from a disk was there when it counted
		}
	}
	if have <= voters/2 && answer.Index > j.excused {
		j.fail("member %d answered at entry %d, which %d of %d voters have on their disks",
			m.number, answer.Index, have, voters)
	}
}

// membersChanged: of the entries that are in some log when a member learns of a change, those who
// voted before it may have decided.
func (j *judge) membersChanged() {
	for _, m := range j.world.members {
		if m.up() {
			j.excused = max(j.excused, m.replica.Status().Last)
		}
	}
}

// observe takes the changes that a member has applied and no other member before it.
func (j *judge) observe(m *member) {
	h := &j.history
	seen := h.next() - 1
	if m.store.Revision() <= seen {
		return
	}
	view := m.store.View().(*kv.View)
	for revision := seen + 1; revision <= view.Compacted() && revision <= view.Revision(); revision++ {
		j.gap()
		seen = revision
	}
	var changes []*mvccpb.Event
	each := func(revision int64, list []*mvccpb.Event) bool {
		for h.next() < revision {
			h.revisions = append(h.revisions, nil)
		}
		h.add(append([]*mvccpb.Event(nil), list...))
		changes = append(changes, list...)
		j.once(h.of(revision))
		j.world.sawIf(len(list) >= 3, "txn-of-many")
		return true
	}
	err := view.Events(seen+1, view.Revision(), nil, each)
	if err != nil && !m.disk.failing() && !m.disk.damaged {
		j.fail("member %d cannot tell its history from %d: %v", m.number, seen+1, err)
	}
	for err != nil && h.next() <= view.Revision() {
		j.gap()
	}
	for h.next() <= view.Revision() {
		h.revisions = append(h.revisions, nil)
	}
	if err != nil {
		return
	}
	j.record.revisions(j.world.now, seen+1, view.Revision(), changes)
}

// gap notes that nobody can tell the next revision any more. The watch of everything ends there.
func (j *judge) gap() {
	j.history.gaps[j.history.next()] = true
	j.history.revisions = append(j.history.revisions, nil)
	j.record.everything = 0
}

// once: no write is carried out twice. Every put of a client has a value of its own; only one that
// keeps the value of its key may repeat it.
func (j *judge) once(events []*mvccpb.Event) {
	h := &j.history
	for _, e := range events {
		if e.Type != mvccpb.Event_PUT {
			continue
		}
		before := h.before[e]
		if before != nil && bytes.Equal(before.Kv.Value, e.Kv.Value) {
			continue
		}
		if first, again := h.written[string(e.Kv.Value)]; again {
			j.fail("the put of %.20q was carried out twice, at revisions %d and %d",
				e.Kv.Value, first, e.Kv.ModRevision)
		}
		h.written[string(e.Kv.Value)] = e.Kv.ModRevision
		if j.refused[string(e.Kv.Value)] {
			j.fail("the put of %.20q was refused, and is revision %d", e.Kv.Value, e.Kv.ModRevision)
		}
	}
}

func (h *history) add(events []*mvccpb.Event) {
	for _, e := range events {
		key := string(e.Kv.Key)
		h.before[e], h.latest[key] = h.latest[key], e
	}
	h.revisions = append(h.revisions, events)
}

// next is the first revision that is not here yet.
func (h *history) next() int64 { return h.first + int64(len(h.revisions)) }

// of returns the changes of a revision.
func (h *history) of(revision int64) []*mvccpb.Event {
	if i := revision - h.first; i >= 0 && i < int64(len(h.revisions)) {
		return h.revisions[i]
	}
	return nil
}

// audit: after each restart the files are sound.
func (j *judge) audit(m *member) {
	if m.disk.damaged || m.disk.failing() {
		return
	}
	if err := m.disk.check(); err != nil {
		j.fail("member %d, after recovery: %v", m.number, err)
	}
	if err := m.store.Check(); err != nil {
		j.fail("member %d, after recovery: %v", m.number, err)
	}
}

// finish judges the whole: everything that was acknowledged can be read from every member.
func (j *judge) finish() {
	j.secondOpinion()
	j.checked()
	var first *member
	for _, m := range j.world.living() {
		if m.fate != "" || m.disk.damaged {
			continue
		}
		if leader := j.world.leader(); leader == nil ||
			m.replica.Status().Applied != leader.replica.Status().Applied {
			continue
		}
		if first == nil {
			first = m
			continue
		}
		if m.store.Hash() != first.store.Hash() {
			j.fail("members %d and %d hold different states", first.number, m.number)
		}
		a, _, _, errA := first.store.View().(*kv.View).Hash(0)
		b, _, _, errB := m.store.View().(*kv.View).Hash(0)
		if a != b || errA != nil || errB != nil {
			j.fail("members %d and %d hold different keys: %x %v, %x %v",
				first.number, m.number, a, errA, b, errB)
		}
	}
}
