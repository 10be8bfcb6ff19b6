package sim

import (
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"detcd/consensus/replica"
	"detcd/faults"
)

// Options say what to run. Check says whether there is such a run.
type Options struct {
	Seed     uint64
	Members  int           // at the start; 0 means 3
	Clients  int           // 0 means 5
	Duration time.Duration // of virtual time until everything heals; 0 means a minute
	Rate     int           // operations of all clients in a virtual second; 0: as World says
	World    Surroundings  // links, disks, settings, load; zero: PlainSurroundings
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

// Drawn returns the run of a seed: its members, users, surroundings, and the plan that the profile
// draws.
func Drawn(profile faults.Profile, seed uint64, length time.Duration) Options {
	return Options{Seed: seed, Members: MembersOf(seed), Users: UsersOf(seed),
		NoPreVote: NoPreVoteOf(seed), World: SurroundingsOf(seed), Duration: length,
		Profile: string(profile), Plan: faults.Draw(profile, seed, length),
		Unbudgeted: profile == faults.Unbudgeted}
}

const membersDefault = 3

func (o *Options) setDefaults() {
	if o.Members == 0 {
		o.Members = membersDefault
	}
	if o.Clients == 0 {
		o.Clients = 5
	}
	if o.Duration == 0 {
		o.Duration = time.Minute
	}
	if o.World == (Surroundings{}) {
		o.World = PlainSurroundings()
	}
	if o.Rate == 0 {
		o.Rate = int(o.World[RateOfClients])
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
	imageRandom *rand.Rand
	operations  uint64
	asked       uint64 // requests, to sample them
	healed      bool   // nothing goes wrong any more
	resting     bool   // nor do clients begin anything
	begun       []Op
	gathered    [gatheredClasses]int
	fields      map[string]int // fields of requests, and how often each was set
	fired       map[faults.Kind]int

	states    []int                // how often each state occurred
	term      replica.Term         // of the latest leader
	campaigns map[replica.Term]int // who campaigned
	changedAt map[int]int64        // when each member applied a change of membership
	grantedIn map[int64]uint64     // the terms of leases
}

// Run runs one world from its beginning to its verdict. Options that Check refuses are Refused.
// Runs of several goroutines take turns, for the randomness of raft belongs to the process: Listen
// must not call Run.
func Run(options Options) (result Result) {
	options.setDefaults()
	if err := options.Check(); err != nil {
		return Result{Seed: options.Seed, Profile: options.Profile, Verdict: Refused,
			Reason: err.Error()}
	}
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
	w.imageRandom = newRandom(o.Seed, streamImages)
	w.states, w.campaigns = make([]int, len(stateInfos)), map[replica.Term]int{}
	w.changedAt, w.grantedIn = map[int]int64{}, map[int64]uint64{}
	w.network = network{world: w, random: newRandom(o.Seed, streamNetwork)}
	w.judge = newJudge(w)
	w.fates = fates{world: w, clientCut: map[int]int{}, clientMute: map[int]int{}}
	return w
}

func (w *world) begin() {
	v := &w.options.World
	w.sawIf(int64(v.roundTrip()) > v[TickInterval]*v[HeartbeatTicks], "link-slow")
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
	for i := range w.options.World[Lanes] {
		w.newLane(laneNumbers + int(i))
	}
	for _, c := range w.clients {
		c.later()
	}
	if n := w.options.World[Preload]; n > 0 {
		w.preload(int(n))
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
