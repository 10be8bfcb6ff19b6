package replica

import (
	"errors"
	"slices"

	"go.etcd.io/raft/v3/raftpb"
)

// ErrNoRoom says that a device is full.
var ErrNoRoom = errors.New("replica: no room to save a checkpoint")

// ForceNewCluster makes a member the only one of its cluster, whatever the others think, in a data
// directory that nobody uses. It is for a cluster that has lost its majority for good:
//
//  1. A, B and C were a cluster; the disks of B and C are gone.
//  2. No change of the membership can be agreed on: two of three would have to.
//  3. All that is in A's log is kept, although B and C may have agreed on something else since: a
//     client may have been told that it was done. The others are removed and may not come back.
//
// Nothing is changed where it is alone already.
func ForceNewCluster(options Options) (err error) {
	options.assumeCommitted = true
	r, disk, err := Open(options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, disk.Close()) }()
	members := r.membership.Members
	if len(members) == 1 && members[0].ID == options.ID && !members[0].Learner {
		return nil
	}
	if err := r.applyCommitted(disk); err != nil {
		return err
	}
	hard := r.log.hard
	c := &checkpointState{
		identity: r.identity, applied: r.applied, term: r.appliedTerm, walFrom: r.writes.next,
		passed: r.writes.at, changedAt: r.applied, sessions: slices.Clone(r.proposals.sessions),
		membership: r.membership.alone(options.Self),
		hard: &raftpb.HardState{ // of a term in which nobody has voted
			Term: new(hard.GetTerm() + 1), Vote: new(uint64(0)), Commit: new(uint64(r.applied)),
		},
	}
	c.conf = c.membership.confState()
	bulk := &BackgroundTask{Number: r.background.number + 1}
	c.state, c.segments, bulk.Step = r.machine.Checkpoint()
	bulk.Checkpoint = c.encode()
	if err := disk.DoBackground(bulk); err != nil {
		return err
	}
	if bulk.Full {
		return ErrNoRoom
	}
	return nil
}

// settle applies all that is committed. Time stands still, so nothing else happens.
func (r *Replica) applyCommitted(disk *Disk) error {
	for more := true; more; {
		effects := r.Take()
		more = effects.More || effects.Write != nil
		if w := effects.Write; w != nil {
			if err := disk.Do(w); err != nil {
				return err
			}
			if w.Full {
				return ErrNoRoom
			}
			r.Done(w)
		}
		if b := effects.Background; b != nil {
			if err := disk.DoBackground(b); err != nil {
				return err
			}
			if b.Full {
				return ErrNoRoom
			}
			r.BackgroundDone(b)
		}
	}
	assert(r.applied == Index(r.log.hard.GetCommit()), "what is committed was not applied")
	return nil
}

// alone is the membership without the others.
func (m *Membership) alone(self Member) Membership {
	left := Membership{}
	for _, member := range m.Members {
		if member.ID == self.ID {
			self.Incarnation = member.Incarnation
		} else {
			left.Removed = append(left.Removed, member.ID)
		}
	}
	for _, id := range m.Removed {
		if id != self.ID {
			left.Removed = append(left.Removed, id)
		}
	}
	slices.Sort(left.Removed)
	self.Learner = false
	left.Members = []Member{self}
	return left
}
