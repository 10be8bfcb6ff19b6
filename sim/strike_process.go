package sim

import (
	"time"

	"detcd/faults"
	"detcd/storage/vfs"
)

func (f *fates) process(fault faults.Fault) bool {
	w := f.world
	switch fault.Kind {
	case faults.CrashAll, faults.CrashMost, faults.CrashFollowers:
		return f.crashMany(fault)
	case faults.CrashLeaders:
		return f.crashLeaders(fault)
	case faults.PauseAll:
		return f.pause(fault, w.living())
	case faults.Upgrade:
		for i, m := range f.others(nil) {
			w.after(time.Duration(i)*1500*time.Millisecond, func() { f.restart(m) })
		}
		return true
	}
	m := f.one(fault, running)
	if fault.Kind == faults.CrashLeader || fault.Kind == faults.PauseLeader {
		m = w.leader()
	}
	if m == nil {
		return false
	}
	switch fault.Kind {
	case faults.CrashClean:
		f.crash(m, nil, false)
	case faults.CrashKeep:
		f.crash(m, nil, true)
	case faults.CrashTorn, faults.CrashLeader:
		f.crash(m, w.diskRandom, false)
	case faults.CrashAgain:
		return f.crashAgain(fault, m, int(fault.Amount))
	case faults.Pause, faults.PauseLeader:
		return f.pause(fault, []*member{m})
	case faults.Restart:
		f.restart(m)
		return true
	case faults.Wipe:
		return f.wipe(fault, m)
	case faults.OldCopy:
		return f.oldCopy(fault, m)
	}
	return f.restarts(fault, []*member{m})
}

func (f *fates) crashMany(fault faults.Fault) bool {
	w := f.world
	leader := w.leader()
	var list []*member
	for _, m := range f.others(nil) {
		if m.up() && (fault.Kind != faults.CrashFollowers || m != leader) {
			list = append(list, m)
		}
	}
	if fault.Kind == faults.CrashMost {
		list = list[:min(len(list), len(f.others(nil))/2+1)]
	}
	for _, m := range list {
		f.crash(m, w.diskRandom, false)
	}
	return f.restarts(fault, list)
}

// crashAgain crashes a member a few times while it recovers, or soon after.
func (f *fates) crashAgain(fault faults.Fault, m *member, times int) bool {
	w := f.world
	if !running(m) || w.healed {
		return true
	}
	f.crash(m, w.diskRandom, false)
	w.restartLater(m, between(w.faultRandom, 0, 50*time.Millisecond))
	if times > 1 {
		w.after(between(w.faultRandom, 0, fault.For), func() { f.crashAgain(fault, m, times-1) })
	}
	return true
}

// crashLeaders lets whoever comes to lead crash soon, some times: between its first words as a
// leader, or when it has committed some entries.
func (f *fates) crashLeaders(fault faults.Fault) bool {
	f.reigns += int(fault.Amount)
	f.reignMax = max(fault.For, time.Millisecond)
	if leader := f.world.leader(); leader != nil {
		f.reignBegins(leader)
	}
	return true
}

// reignBegins is told who leads. How long its reign lasts is drawn: of each order of magnitude as
// often as of any other, for what an old leader leaves behind depends on how far it came.
func (f *fates) reignBegins(m *member) {
	w := f.world
	if f.reigns == 0 || w.healed {
		return
	}
	f.reigns--
	life, span := m.life, f.reignMax
	for w.faultRandom.IntN(8) > 0 && span > time.Microsecond {
		span /= 4
	}
	w.after(between(w.faultRandom, 0, span), func() {
		if m.life != life || !running(m) || w.healed || f.careful > 0 {
			return
		}
		f.crash(m, w.diskRandom, w.faultRandom.IntN(2) == 0)
		w.restartLater(m, between(w.faultRandom, 0, f.reignMax))
	})
}

// restart stops a member in order, which loses nothing, and starts it again.
func (f *fates) restart(m *member) {
	if running(m) && !f.world.healed {
		f.crash(m, nil, true)
		m.start()
	}
}

// pause lets members sleep while their clocks go on. When they wake they find everything that came
// meanwhile.
func (f *fates) pause(fault faults.Fault, list []*member) bool {
	for _, m := range list {
		life := m.life
		m.paused = true
		f.lasting(fault, func() {
			if m.life != life || !m.up() {
				return
			}
			m.paused = false
			backlog := m.backlog
			m.backlog = nil
			for _, do := range backlog {
				if m.life == life {
					m.awake(do)
				}
			}
			m.turnAfter(0)
		})
	}
	return len(list) > 0
}

// wipe replaces the disk of a member by an empty one. It must be refused, and then be replaced.
func (f *fates) wipe(fault faults.Fault, m *member) bool {
	w := f.world
	if !m.published() {
		return false
	}
	f.crash(m, nil, false)
	m.disk.wipe()
	w.restartLater(m, 100*time.Millisecond)
	w.replaceLater(m)
	return true
}

// published says whether the cluster knows the member's data directory: of one that is wiped before
// that, nobody can know that it is not new. See decision 0004.
func (m *member) published() bool {
	for _, other := range m.world.living() {
		membership := other.replica.Members()
		member, ok := membership.Find(m.id())
		if !ok || member.Incarnation == 0 {
			return false
		}
	}
	return true
}

// oldCopy puts the disk back to what it was some time before. Such a member has forgotten what it
// acknowledged; no member can know that of itself. The budget counts it as lost, so everything else
// must be well while it is up, and its operator replaces it.
func (f *fates) oldCopy(fault faults.Fault, m *member) bool {
	w := f.world
	if w.leader() == m {
		return false
	}
	copied := m.disk.memory.CrashClone(nil)
	f.careful++
	w.after(time.Duration(fault.Amount)*time.Millisecond, func() {
		if !w.allHealthy() || w.leader() == m || w.healed {
			f.careful--
			return
		}
		f.crash(m, nil, false)
		m.disk.restoreCopy(copied.CrashClone(nil))
		m.start()
		w.after(500*time.Millisecond, func() {
			f.careful--
			if m.fate == "" {
				m.end("its operator knows that its disk is an old one")
			}
			w.replaceLater(m)
		})
	})
	return true
}

var _ = vfs.ErrNoSpace
