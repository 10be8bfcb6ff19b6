package sim

import (
	"time"

	"detcd/consensus/replica"
	"detcd/faults"
)

// The plan grows and shrinks a cluster within these numbers of voters.
const (
	votersMin = 3
	votersMax = 7
)

func (f *fates) membership(fault faults.Fault) bool {
	w := f.world
	leader := w.leader()
	if leader == nil {
		return false
	}
	voters, learners := 0, 0
	for _, peer := range leader.replica.Members().Members {
		if peer.Learner {
			learners++
		} else {
			voters++
		}
	}
	switch fault.Kind {
	case faults.Transfer, faults.TransferLagging:
		return f.transfer(fault, leader)
	case faults.AddVoter, faults.AddLearner:
		if voters+learners >= votersMax {
			return false
		}
		w.addMember(fault.Kind == faults.AddLearner, nil)
	case faults.Promote:
		return f.promote(leader) || f.prepare(fault, learners == 0 && voters < votersMax)
	case faults.Remove, faults.RemoveLeader:
		m := f.one(fault, running)
		if fault.Kind == faults.RemoveLeader {
			m = leader
		}
		if m == nil || voters <= votersMin || !w.allUp() {
			return f.prepare(fault, voters+learners <= votersMin)
		}
		w.removeMember(m)
	case faults.Replace:
		m := f.one(fault, running)
		if m == nil || !w.allUp() {
			return false
		}
		w.addMember(false, m)
	}
	return true
}

// prepare brings about what a fault needs that finds nobody to befall: there is no learner to
// promote, or nobody can be spared. Someone is added if that is what lacks, and the fault tries
// again until it can be. It returns false: the fault has not fired yet.
func (f *fates) prepare(fault faults.Fault, lacking bool) bool {
	w := f.world
	if lacking && w.now >= f.nextGuest {
		f.nextGuest = w.now + int64(guestEvery)
		w.addMember(fault.Kind == faults.Promote, nil)
	}
	w.after(prepareEvery, func() { f.strike(fault) })
	return false
}

// How often a fault that waits for its circumstances looks again, and how often somebody may be
// added for the sake of such faults.
const (
	prepareEvery = 2 * time.Second
	guestEvery   = 15 * time.Second
)

func (f *fates) transfer(fault faults.Fault, leader *member) bool {
	to := f.one(fault, func(m *member) bool { return running(m) && m != leader })
	if fault.Kind == faults.TransferLagging {
		for _, m := range f.others(leader) {
			if m.up() && (to == nil || m.durable < to.durable) {
				to = m
			}
		}
	}
	if to == nil {
		return false
	}
	leader.tell(replica.Input{Kind: replica.InputTransfer, Member: to.id()})
	return true
}

func (f *fates) promote(leader *member) bool {
	for _, peer := range leader.replica.Members().Members {
		m := f.world.memberByID(peer.ID)
		if peer.Learner && m != nil && m.up() &&
			m.durable+100 > leader.replica.Status().Durable {
			f.world.change([]replica.Change{{Kind: replica.ChangePromote,
				Member: replica.Member{ID: peer.ID}}}, func(error) {})
			return true
		}
	}
	return false
}

// change asks the leader for changes of the membership, as an operator does.
func (w *world) change(changes []replica.Change, done func(error)) {
	leader := w.leader()
	if leader == nil {
		return
	}
	leader.request(replica.Input{Kind: replica.InputChange, Changes: changes},
		func(a replica.Answer) { done(a.Err) })
}

// addMember adds a new member, and in the same step removes one if it is given.
func (w *world) addMember(learner bool, instead *member) {
	m := w.newMember(len(w.members)+1, nil)
	m.fate = "it is not a member yet"
	added := replica.Member{ID: m.id(), PeerURLs: []string{peerURL(m.number)}, Learner: learner}
	changes := []replica.Change{{Kind: replica.ChangeAdd, Member: added}}
	if instead != nil {
		w.judge.removed[instead.number] = true
		changes = append(changes, replica.Change{Kind: replica.ChangeRemove,
			Member: replica.Member{ID: instead.id()}})
	}
	w.change(changes, func(err error) {
		if err == nil {
			m.fate = ""
			m.start()
		}
	})
	w.after(10*time.Second, func() { w.adopt(m, instead) })
}

// adopt starts a member whose addition was carried out though nobody was told so.
func (w *world) adopt(m, instead *member) {
	leader := w.leader()
	if leader == nil {
		return
	}
	membership := leader.replica.Members()
	if _, ok := membership.Find(m.id()); ok && m.life == 0 {
		m.fate = ""
		m.start()
	}
	if instead != nil {
		if _, still := membership.Find(instead.id()); still {
			w.judge.removed[instead.number] = false
		}
	}
}

func (w *world) removeMember(m *member) {
	w.judge.removed[m.number] = true
	w.change([]replica.Change{{Kind: replica.ChangeRemove,
		Member: replica.Member{ID: m.id()}}}, func(error) {})
	w.after(10*time.Second, func() {
		leader := w.leader()
		if leader == nil {
			return
		}
		membership := leader.replica.Members()
		if _, still := membership.Find(m.id()); still {
			w.judge.removed[m.number] = false
		}
	})
}

// replaceLater has the operator replace a member that lost its disk, as soon as there is a leader.
func (w *world) replaceLater(m *member) {
	w.after(2*time.Second, func() {
		leader := w.leader()
		if w.healed && leader == nil {
			return
		}
		if leader == nil {
			w.replaceLater(m)
			return
		}
		membership := leader.replica.Members()
		if _, still := membership.Find(m.id()); !still {
			return
		}
		w.addMember(false, m)
		if !w.healed {
			w.after(12*time.Second, func() { w.replaceLater(m) })
		}
	})
}
