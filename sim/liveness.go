package sim

import (
	"fmt"
	"time"

	"detcd/consensus/replica"
	"detcd/faults"
)

// heal ends all faults, also those that lie in wait.
func (w *world) heal() {
	w.healed = true
	w.fates.healAll()
	w.fates.reigns = 0
	for _, m := range w.members {
		m.disk.trap, m.armed = nil, faults.None
	}
	w.event(eventFault, 0, 0, 0, func() string { return "everything heals" })
	for _, m := range w.members {
		if !m.up() && (m.fate == "" || m.life == 0 && w.isMember(m)) {
			m.fate = ""
			m.start()
		}
	}
}

// isMember says whether some member knows another as one.
func (w *world) isMember(m *member) bool {
	for _, other := range w.living() {
		membership := other.replica.Members()
		if _, ok := membership.Find(m.id()); ok {
			return true
		}
	}
	return false
}

// The bounds of liveness: after everything has healed, in how many election time-outs there is a
// leader, and how long everything else may take, besides what must be sent and waited for.
const (
	leaderWithin  = 20
	settledWithin = 30 * time.Second
)

// converge waits until the members agree, and the watchers have seen everything: there is a leader,
// all members catch up with it though clients go on, clients come to an end, and reads and writes
// take the round trips that they must and no more.
func (w *world) converge() {
	if !w.quorumLives() {
		w.judge.lost("too many members lost their disks")
		return
	}
	v := &w.options.World
	if !v.canElect() {
		w.until(time.Duration(w.now) + leaderWithin*v.electionTimeout())
		w.resting = true
		w.until(time.Duration(w.now) + v.duration(ClientPatience))
		return
	}
	healed := time.Duration(w.now)
	if !w.within(leaderWithin*v.electionTimeout(), "", func() string {
		if w.leader() == nil {
			return "there is no leader"
		}
		return ""
	}) {
		return
	}
	w.judge.leaderAfter = time.Duration(w.now) - healed
	leader := w.leader()
	behind, target := leader.store.Used()+v[LogBytes], leader.replica.Status().Committed
	if !w.catchesUp(v.catchUpWithin(behind), target) {
		return
	}
	if leader = w.leader(); leader != nil { // another one, maybe, with more
		behind = max(behind, leader.store.Used()+v[LogBytes])
	}
	w.resting = true
	w.sawUnknown()
	if w.within(settledWithin+v.catchUpWithin(behind), "and electing, ", w.unsettled) {
		w.probeEverywhere()
	}
}

// catchesUp wants every member to have applied an entry within a time, though clients go on; unless
// they write more meanwhile than links and disks can carry to a member in that time: then it has to
// when they have come to an end.
func (w *world) catchesUp(limit time.Duration, target replica.Index) bool {
	before := w.judge.written
	lags := w.wait(limit, func() string { return w.lagging(target) })
	if lags != "" && w.options.World.carryTime(w.judge.written-before) <= limit {
		w.judge.stuck("%v after healing, with clients at work, %s", limit, lags)
	}
	return !w.judge.broken()
}

// within waits until nothing is wanting any more, and judges it if that takes too long.
func (w *world) within(limit time.Duration, when string, wanting func() string) bool {
	if what := w.wait(limit, wanting); what != "" {
		w.judge.stuck("%v after healing, %s%s", limit, when, what)
	}
	return !w.judge.broken()
}

// wait waits until nothing is wanting any more, and returns what still is after so long.
func (w *world) wait(limit time.Duration, wanting func() string) (what string) {
	deadline := time.Duration(w.now) + limit
	for what = wanting(); what != "" && !w.judge.broken(); what = wanting() {
		if time.Duration(w.now) >= deadline {
			return what
		}
		w.until(min(deadline, time.Duration(w.now)+w.options.World.duration(TickInterval)))
	}
	return what
}

// catchUpWithin is how long a member that lacks so many bytes may take to have them: twice what
// links and disks need for them, and the time in which a leader notices that it is back.
func (v *Surroundings) catchUpWithin(bytes int64) time.Duration {
	return 2*v.carryTime(bytes) + 8*v.electionTimeout() + v.duration(ClientPatience) +
		v.serverPatience()
}

// carryTime is what links and disks need at most to bring so many bytes to a member: a window of
// chunks a round trip, and a step of the disk for each chunk.
func (v *Surroundings) carryTime(bytes int64) time.Duration {
	trips := bytes/max(v[FetchBytes], v[ChunkBytes]) + 3
	steps := bytes/v[ChunkBytes] + bytes/v[ArchiveStep] + 3
	need := time.Duration(trips)*v.roundTrip() + time.Duration(steps)*8*v.duration(BulkTime) +
		v.diskTime(int(2*bytes))
	if v[LinkBandwidth] > 0 {
		need += time.Duration(bytes * s / v[LinkBandwidth])
	}
	return need
}

// lagging says which member has not applied what was committed when all had healed.
func (w *world) lagging(target replica.Index) string {
	leader := w.leader()
	if leader == nil {
		return "there is no leader any more"
	}
	for _, peer := range leader.replica.Members().Members {
		m := w.memberByID(peer.ID)
		if m == nil || !m.up() {
			continue
		}
		if s := m.replica.Status(); s.Applied < target {
			return fmt.Sprintf("member %d has applied %d of %d", m.number, s.Applied, target)
		}
	}
	return ""
}

// quorumLives says whether enough of the voters can still be started.
func (w *world) quorumLives() bool {
	newest := w.newest()
	if newest == nil {
		return false
	}
	votes, voters := 0, 0
	for _, peer := range newest.replica.Members().Members {
		if peer.Learner {
			continue
		}
		voters++
		if m := w.memberByID(peer.ID); m != nil && m.up() {
			votes++
		}
	}
	return votes > voters/2
}

// newest returns the member that has applied most.
func (w *world) newest() *member {
	var newest *member
	for _, m := range w.members {
		if m.up() && (newest == nil ||
			m.replica.Status().Applied > newest.replica.Status().Applied) {
			newest = m
		}
	}
	return newest
}

// unsettled says what has not come to rest yet; empty: everything has.
func (w *world) unsettled() string {
	leader := w.leader()
	if leader == nil {
		return "there is no leader any more"
	}
	status := leader.replica.Status()
	for _, peer := range leader.replica.Members().Members {
		m := w.memberByID(peer.ID)
		if m == nil || !m.up() {
			continue
		}
		if s := m.replica.Status(); s.Applied != status.Applied || s.Leader != leader.id() {
			return fmt.Sprintf("member %d has applied %d of %d and follows %d",
				m.number, s.Applied, status.Applied, s.Leader)
		}
	}
	for _, c := range w.clients {
		if what := c.unsettled(leader.store.Revision()); what != "" {
			return what
		}
	}
	return ""
}
