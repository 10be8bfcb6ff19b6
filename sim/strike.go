package sim

import (
	"math/rand/v2"
	"slices"
	"time"

	"detcd/consensus/replica"
	"detcd/faults"
)

// fates carries out the faults of a plan, and takes them back.
//
// The budget: at any time at most a minority of the voters may be without what their disks had
// promised to keep, and a fault that would go beyond is passed over, unless Unbudgeted. A member
// that lost its disk counts until its operator has replaced it. So a failure is a bug and never bad
// luck.
type fates struct {
	world      *world
	clientCut  map[int]int
	clientMute map[int]int
	valueSize  int // the largest value that clients write; 0: small ones
	hurried    int
	reigns     int           // of leaders that are to crash
	reignMax   time.Duration // how long such a reign lasts at most
	quota      int64         // bytes that a member may store; 0: any number
	undo       []func()      // of faults that last, until they are taken back
	active     int
	careful    int   // faults that bear no other beside them
	nextGuest  int64 // when somebody may be added for the sake of a fault
}

func (f *fates) hurry() int { return max(f.hurried, 1) }

// strike carries out one fault. Where each member that is named suffers by itself, it is as many.
func (f *fates) strike(fault faults.Fault) {
	w := f.world
	if len(fault.Members) > 1 && befallsEach(fault.Kind) {
		for _, number := range fault.Members {
			one := fault
			one.Members = []int{number}
			f.strike(one)
		}
		return
	}
	if w.healed || w.judge.broken() || !f.affordable(fault) {
		return
	}
	if fault.Kind.Info().Class == faults.ClassFailpoint {
		f.failpoint(fault)
		return
	}
	if !f.dispatch(fault) {
		return
	}
	w.fired[fault.Kind]++
	w.event(eventFault, 0, uint64(fault.Kind), uint64(fault.Amount), fault.String)
}

// befallsEach says that a fault of several members is one of each.
func befallsEach(kind faults.Kind) bool {
	switch kind {
	case faults.Split, faults.SplitOneWay, faults.Bridge, faults.Ring, faults.ClogLink,
		faults.SlowLink, faults.CheckpointNow:
		return false
	}
	return true
}

// affordable says whether the budget allows the fault now.
func (f *fates) affordable(fault faults.Fault) bool {
	class := fault.Kind.Info().Class
	if f.careful > 0 && class != faults.ClassLoad && class != faults.ClassClock {
		return false
	}
	if fault.Kind.Damages() && !f.world.options.Unbudgeted {
		return f.active == 0 && f.world.allHealthy()
	}
	return true
}

// allHealthy says that every member is up and has all it promised to keep, and that one voter can
// be spared.
func (w *world) allHealthy() bool {
	if !w.allUp() {
		return false
	}
	voters := 0
	for _, peer := range w.leader().replica.Members().Members {
		if !peer.Learner {
			voters++
		}
	}
	return voters > 2 // of two, none can be spared
}

// allUp says that there is a leader, and that every member runs on a disk that forgot nothing.
func (w *world) allUp() bool {
	for _, m := range w.members {
		if w.judge.removed[m.number] {
			continue
		}
		if !m.up() || m.paused || m.disk.damaged || m.disk.forgot {
			return false
		}
	}
	return w.leader() != nil
}

func (f *fates) dispatch(fault faults.Fault) bool {
	switch fault.Kind.Info().Class {
	case faults.ClassNetwork:
		return f.network(fault)
	case faults.ClassDisk:
		return f.disk(fault)
	case faults.ClassProcess:
		return f.process(fault)
	case faults.ClassClock:
		return f.clock(fault)
	case faults.ClassMembership:
		return f.membership(fault)
	case faults.ClassLoad:
		return f.load(fault)
	}
	return false
}

// lasting takes a fault back when its time is over, or everything heals.
func (f *fates) lasting(fault faults.Fault, undo func()) bool {
	done := false
	f.active++
	once := func() {
		if !done {
			done = true
			f.active--
			undo()
		}
	}
	f.undo = append(f.undo, once)
	f.world.after(fault.For, once)
	return true
}

func (f *fates) healAll() {
	for _, undo := range f.undo {
		undo()
	}
	f.undo = nil
}

// chosen returns the members that a fault names, or one drawn from those for whom fit holds.
func (f *fates) chosen(fault faults.Fault, fit func(*member) bool) []*member {
	w := f.world
	var list []*member
	if len(fault.Members) > 0 {
		for _, number := range fault.Members {
			if number <= len(w.members) && fit(w.members[number-1]) {
				list = append(list, w.members[number-1])
			}
		}
		return list
	}
	for _, m := range w.members {
		if fit(m) {
			list = append(list, m)
		}
	}
	if len(list) == 0 {
		return nil
	}
	return []*member{list[w.faultRandom.IntN(len(list))]}
}

func present(m *member) bool { return m.fate == "" && !m.world.judge.removed[m.number] }

func running(m *member) bool { return present(m) && m.up() }

// one is chosen where a fault befalls one member.
func (f *fates) one(fault faults.Fault, fit func(*member) bool) *member {
	if list := f.chosen(fault, fit); len(list) > 0 {
		return list[0]
	}
	return nil
}

// others returns the present members but one, in an order that the fault draws.
func (f *fates) others(not *member) []*member {
	var list []*member
	for _, m := range f.world.members {
		if m != not && present(m) {
			list = append(list, m)
		}
	}
	f.world.faultRandom.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

func (f *fates) load(fault faults.Fault) bool {
	w := f.world
	switch fault.Kind {
	case faults.CompactNow:
		w.compactNow()
	case faults.CheckpointNow:
		for _, m := range w.living() {
			if len(fault.Members) == 0 || slices.Contains(fault.Members, m.number) {
				m.tell(replica.Input{Kind: replica.InputCheckpoint})
			}
		}
	case faults.LeaseStorm:
		w.leaseStorm(int(fault.Amount))
	case faults.ClientBurst:
		f.hurried = int(fault.Amount)
		return f.lasting(fault, func() { f.hurried = 0 })
	case faults.WatchChurn:
		return w.churn(fault)
	case faults.Quota:
		return f.fill(fault)
	case faults.Accuse:
		return f.accuse(fault)
	case faults.LargeValues:
		f.valueSize = int(fault.Amount)
		return f.lasting(fault, func() { f.valueSize = 0 })
	}
	return true
}

func (f *fates) clock(fault faults.Fault) bool {
	w := f.world
	m := f.one(fault, running)
	if fault.Kind == faults.ClockJumpLeader {
		m = w.leader()
	}
	if m == nil {
		return false
	}
	switch fault.Kind {
	case faults.ClockJump, faults.ClockJumpLeader:
		m.clock.jump(time.Duration(fault.Amount) * time.Millisecond)
		w.sawIf(fault.Amount > 1000, "clock-ahead")
		return true
	case faults.ClockFast:
		m.clock.setRate(w.now, 1_000_000+fault.Amount)
	case faults.ClockSlow:
		m.clock.setRate(w.now, 1_000_000-fault.Amount)
	case faults.ClockStall:
		m.clock.setRate(w.now, 0)
	}
	return f.lasting(fault, func() { m.clock.setRate(w.now, 1_000_000) })
}

// restarts ends a crash: the members come back one after the other.
func (f *fates) restarts(fault faults.Fault, members []*member) bool {
	w := f.world
	for _, m := range members {
		w.restartLater(m, fault.For+between(w.faultRandom, 0, 300*time.Millisecond))
	}
	return len(members) > 0
}

// crash stops a member as a failure of power or of the process does, in the middle of whatever its
// disk is doing.
func (f *fates) crash(m *member, choose *rand.Rand, keep bool) {
	w := f.world
	w.event(eventStop, m.number, 3, 0, func() string { return "crashes" })
	m.disk.interrupt(w.diskRandom)
	if keep {
		memory := m.disk.memory
		m.crashed(nil)
		m.disk.memory = memory
		return
	}
	m.crashed(choose)
}
