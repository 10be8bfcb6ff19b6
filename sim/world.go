package sim

import (
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"detcd/consensus/replica"
	"detcd/faults"
)

// Options say what to run.
type Options struct {
	Seed     uint64
	Members  int           // at the start; 0 means 3
	Clients  int           // 0 means 5
	Duration time.Duration // of virtual time until everything heals; 0 means a minute
	Rate     int           // operations of all clients in a virtual second; 0 means 50
	Plan     faults.Plan   // what goes wrong
	Profile  string        // the name of what drew the plan, for reports
	Listen   func(Line)    // is told every event; nil: nobody listens

	Bug        Bug  // planted, to see it found; empty: none
	Unbudgeted bool // faults may destroy more than can be survived
	Users      bool // clients have names and rights, and somebody changes them
	NoPreVote  bool // members campaign without asking first whether they could win
	Only       []Op // the operations that clients begin; nil: all
}

// MembersOf draws how many members the run of a seed begins with: mostly three, sometimes fewer or
// more, for what goes wrong in a cluster of one does so in no other.
func MembersOf(seed uint64) int {
	switch n := newRandom(seed, streamMembers).IntN(100); {
	case n < 6:
		return 1
	case n < 9:
		return 2
	case n < 82:
		return 3
	case n < 87:
		return 4
	}
	return 5
}

// NoPreVoteOf draws whether the members of a seed campaign unasked: one run in eight.
func NoPreVoteOf(seed uint64) bool { return newRandom(seed, streamPreVote).IntN(8) == 0 }

func (o *Options) setDefaults() {
	if o.Members == 0 {
		o.Members = 3
	}
	if o.Clients == 0 {
		o.Clients = 5
	}
	if o.Duration == 0 {
		o.Duration = time.Minute
	}
	if o.Rate == 0 {
		o.Rate = 50
	}
}

// world is one run.
//
// Many fields: it is the root of everything that exists in a run.
type world struct {
	loop
	options Options
	trace   trace
	members []*member
	clients []*client
	network network
	judge   judge
	fates   fates
	raft    raftRandom

	diskRandom  *rand.Rand
	faultRandom *rand.Rand
	operations  uint64
	asked       uint64 // requests, to sample them
	healed      bool
	begun       []Op
	gathered    [gatheredClasses]int
	fields      map[string]int // fields of requests, and how often each was set
	fired       map[faults.Kind]int
}

// Run runs one world from its beginning to its verdict.
func Run(options Options) (result Result) {
	options.setDefaults()
	w := newWorld(options)
	restore := replaceReader(&w.raft)
	defer restore()
	defer func() {
		if broken := recover(); broken != nil {
			result = w.result()
			result.Verdict, result.Reason = Crash, fmt.Sprint(broken)
			result.Stack = string(debug.Stack())
		}
	}()
	w.begin()
	w.until(options.Duration)
	if !w.judge.broken() {
		w.heal()
		w.converge()
	}
	if !w.judge.broken() {
		w.judge.finish()
	}
	return w.result()
}

func newWorld(o Options) *world {
	w := &world{options: o, fields: map[string]int{}, fired: map[faults.Kind]int{}}
	w.trace.listen = o.Listen
	w.trace.hash = o.Seed
	w.diskRandom, w.faultRandom = newRandom(o.Seed, streamDisk), newRandom(o.Seed, streamFaults)
	w.network = network{world: w, random: newRandom(o.Seed, streamNetwork),
		links: map[[2]int]*link{}}
	w.judge = newJudge(w)
	w.fates = fates{world: w, clientCut: map[int]int{}, clientMute: map[int]int{}}
	return w
}

func (w *world) begin() {
	var first []replica.Member
	for i := range w.options.Members {
		id := replica.MemberID(i + 1)
		first = append(first, replica.Member{ID: id, PeerURLs: []string{peerURL(i + 1)}})
	}
	for i := range w.options.Members {
		w.newMember(i+1, first).start()
	}
	for i := range w.options.Clients {
		w.newClient(i + 1)
	}
	if w.options.Users {
		newAdmin(w.makeClient(adminNumber))
	}
	for _, fault := range w.options.Plan {
		w.after(fault.At, func() { w.fates.strike(fault) })
	}
}

func peerURL(number int) string { return fmt.Sprintf("http://m%d:2380", number) }

// until lets the world run up to a moment, or until the judge has seen enough.
func (w *world) until(at time.Duration) {
	for !w.judge.broken() && w.step(int64(at)) {
	}
}

func (w *world) memberByID(id replica.MemberID) *member {
	if i := int(id) - 1; i >= 0 && i < len(w.members) {
		return w.members[i]
	}
	return nil
}

// living returns the members that are up, and awake.
func (w *world) living() []*member {
	var list []*member
	for _, m := range w.members {
		if m.up() && !m.paused {
			list = append(list, m)
		}
	}
	return list
}

// leader returns the member that leads in the newest term, nil when none does.
func (w *world) leader() *member {
	var leader *member
	var term replica.Term
	for _, m := range w.living() {
		if s := m.replica.Status(); s.Leading && s.Term > term {
			leader, term = m, s.Term
		}
	}
	return leader
}

func (w *world) restartLater(m *member, delay time.Duration) {
	life := m.life
	w.after(delay, func() {
		if m.life == life && !m.up() && m.fate == "" {
			m.start()
		}
	})
}

// The bounds of liveness: after everything has healed, how many election time-outs a leader may
// take, and how long everything else, besides what must be sent.
const (
	leaderWithin  = 20
	settledWithin = 30 * time.Second
)

// heal ends all faults, also those that lie in wait, and lets the clients come to an end.
func (w *world) heal() {
	w.healed = true
	w.fates.healAll()
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

// converge waits until the members agree, and the watchers have seen everything.
func (w *world) converge() {
	if !w.quorumLives() {
		w.judge.lost("too many members lost their disks")
		return
	}
	healed := time.Duration(w.now)
	deadline := healed + leaderWithin*electionTimeout
	for w.leader() == nil && time.Duration(w.now) < deadline && !w.judge.broken() {
		w.until(time.Duration(w.now) + tickInterval)
	}
	if w.leader() == nil {
		w.judge.stuck("no leader %v after healing", leaderWithin*electionTimeout)
		return
	}
	w.judge.leaderAfter = time.Duration(w.now) - healed
	deadline = time.Duration(w.now) + settledWithin
	for w.unsettled() != "" && time.Duration(w.now) < deadline && !w.judge.broken() {
		w.until(time.Duration(w.now) + tickInterval)
	}
	if what := w.unsettled(); what != "" {
		w.judge.stuck("%v after healing and electing: %s", settledWithin, what)
	}
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

// lostDisks tells which members lost what they had promised to keep, if those are too many for any
// promise to hold: one that forgets and still speaks is one too many.
func (w *world) lostDisks() string {
	var lost []int
	for _, m := range w.members {
		if m.disk.damaged || m.disk.forgot {
			lost = append(lost, m.number)
		}
	}
	if len(lost) == 0 {
		return ""
	}
	return fmt.Sprintf("of %d members, those numbered %v lost what their disks had promised to keep",
		len(w.members), lost)
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
