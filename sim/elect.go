package sim

import (
	"slices"

	"go.etcd.io/raft/v3/raftpb"

	"detcd/consensus/replica"
)

// This file judges elections by the rules of Raft that do no harm at once where they are broken:
// a cluster without them only stands still more often, which no client can tell from bad luck.

// ballot is a campaign: of whom, in which term.
type ballot struct {
	term      replica.Term
	candidate int
}

// willing notes that a member says it would vote, if it was asked.
func (j *judge) willing(m *member, r *raftpb.Message) {
	if r.GetType() == raftpb.MsgPreVoteResp && !r.GetReject() {
		b := ballot{replica.Term(r.GetTerm()), int(r.GetTo())}
		if !slices.Contains(j.ballots[b], m.number) {
			j.ballots[b] = append(j.ballots[b], m.number)
		}
	}
}

// campaigns: nobody campaigns who may not lead, and nobody who could not win (§9.6 of Ongaro's
// thesis), unless the leader wants it to.
func (j *judge) campaigns(m *member, e replica.Event) {
	members, term := m.replica.Members(), e.Term
	if self, _ := members.Find(m.id()); self.Learner {
		j.fail("member %d campaigns in term %d and is a learner", m.number, term)
	}
	if e.Text != "candidate" || j.world.options.NoPreVote || m.ears.handed+1 == term {
		return
	}
	willing, voters := 0, 0
	for _, peer := range members.Members {
		if peer.Learner {
			continue
		}
		voters++
		if peer.ID == m.id() || j.isWilling(m, term, int(peer.ID)) {
			willing++
		}
	}
	if willing <= voters/2 {
		j.fail("member %d campaigns in term %d, and %d of %d voters would vote for it", m.number, term,
			willing, voters)
	}
}

// isWilling says whether a member said that it would vote for another, in this term or the one
// before: raft takes an answer that was long under way for one to the question that came after.
func (j *judge) isWilling(m *member, term replica.Term, voter int) bool {
	return slices.Contains(j.ballots[ballot{term, m.number}], voter) ||
		slices.Contains(j.ballots[ballot{term - 1, m.number}], voter)
}

// ears are what a leader hears of the others, in ticks of its own: Raft's clock, not the member's.
type ears struct {
	ticked  replica.Time
	ticks   int
	led     int          // when it began to lead, or the members changed
	heard   map[int]int  // whom it heard, and when
	latest  int          // when a majority was heard last, before this turn
	settled bool         // the members have not changed since it began to lead
	handed  replica.Term // in which a leader handed over to it
}

// excuse is for when the members change: one that is new counts as heard.
func (e *ears) excuse() { e.led, e.settled = e.ticks, false }

// hear takes what a member is about to learn in a turn.
func (e *ears) hear(m *member, in *replica.Inputs) {
	if tick := replica.Time(m.world.options.World[TickInterval]); in.Now-e.ticked >= tick {
		if e.ticked += tick; in.Now-e.ticked >= tick {
			e.ticked = in.Now
		}
		e.ticks++
	}
	var s replica.Status
	if e.heard != nil { // it leads
		s, e.latest = m.replica.Status(), e.majority(m)
	}
	for i := range in.Requests {
		if in.Requests[i].Kind == replica.InputTransfer {
			e.led = e.ticks // a leader that hands over has another election time-out for it
		}
	}
	for i := range in.Messages {
		r := in.Messages[i].Raft
		switch r.GetType() {
		case raftpb.MsgTimeoutNow:
			e.handed = max(e.handed, replica.Term(r.GetTerm()))
		case raftpb.MsgAppResp, raftpb.MsgHeartbeatResp:
			if s.Leading && replica.Term(r.GetTerm()) == s.Term {
				e.heard[int(r.GetFrom())] = e.ticks
			}
		}
	}
}

// majority returns when a majority was heard last; 0: never in this term.
func (e *ears) majority(m *member) int {
	if e.heard == nil {
		return 0
	}
	var at []int
	for _, peer := range m.replica.Members().Members {
		switch {
		case peer.Learner:
		case peer.ID == m.id():
			at = append(at, e.ticks)
		default:
			at = append(at, e.heard[int(peer.ID)])
		}
	}
	if len(at) == 0 {
		return 0
	}
	slices.Sort(at)
	return at[(len(at)-1)/2]
}

// judge: who hears no majority for two election time-outs leads no longer (§6.2).
func (e *ears) judge(m *member) {
	silent := e.ticks - max(e.led, e.latest)
	if e.heard != nil && m.replica.Status().Leading &&
		silent > 2*int(m.world.options.World[ElectionTicks]) {
		m.world.judge.fail("member %d leads, and has not heard a majority for %d ticks", m.number, silent)
	}
}

// role begins to listen, or judges that nobody steps down who hears a majority.
func (e *ears) role(m *member, change replica.Event) {
	if change.Text == "leader" {
		e.led, e.heard, e.latest, e.settled = e.ticks, map[int]int{}, 0, true
		return
	}
	silent := e.ticks - e.latest
	members := m.replica.Members()
	if self, found := members.Find(m.id()); !found || self.Learner {
		e.settled = false // it has no voice any more, which the next event says
	}
	if change.Text == "follower" && e.heard != nil && change.Term == m.ledIn && e.settled &&
		e.latest > 0 && silent < int(m.world.options.World[ElectionTicks]) {
		m.world.judge.fail("member %d steps down in term %d, and heard a majority %d ticks before",
			m.number, change.Term, silent)
	}
	e.heard = nil
}
