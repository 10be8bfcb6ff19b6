package nemesis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"detcd/faults"
)

// Bounds of what a fault waits for.
const (
	stopGrace    = 30 * time.Second
	leaderWait   = 2 * time.Second
	adminTimeout = 10 * time.Second
	readyWait    = 30 * time.Second
	fullGrace    = 2 * time.Second
	lateMax      = 10 * time.Second // a fault that comes later than this is passed over
)

// Why a fault was passed over.
var (
	errNotNow = errors.New("not now: other faults are under way")
	errLate   = errors.New("too late: another fault took long")
)

// can returns why a kind of fault cannot be carried out on a cluster, nil if it can.
func (c *Cluster) can(kind faults.Kind) error {
	switch kind {
	case faults.CrashKeep, faults.CrashLeader, faults.CrashMost, faults.CrashAll,
		faults.CrashFollowers, faults.Restart, faults.Upgrade,
		faults.Pause, faults.PauseLeader, faults.PauseAll,
		faults.CompactNow, faults.CheckpointNow:
		return nil
	case faults.Transfer, faults.Replace:
		if len(c.members) < 2 {
			return errors.New("it needs more than one member")
		}
		return nil
	case faults.Split, faults.SplitOneWay, faults.Isolate, faults.IsolateInbound,
		faults.IsolateOutbound, faults.Bridge, faults.Ring, faults.SlowLink, faults.Delay,
		faults.Loss:
		switch {
		case isSlow(kind) && c.relay == nil:
			return errors.New("only a relay makes a network slow")
		case c.wires == nil:
			return errors.New("the network of this cluster cannot be broken")
		case len(c.members) < 2:
			return errors.New("it needs more than one member")
		}
		return nil
	case faults.ClockJump, faults.ClockJumpLeader:
		if !setsClocks {
			return errors.New("clocks can only be set on Linux on amd64")
		}
		return nil
	case faults.DiskFull:
		if len(c.disks) == 0 {
			return errors.New("members need disks of their own, which needs root")
		}
		return nil
	}
	return errors.New("real processes cannot be made to do this")
}

// isSlow tells whether a fault makes a network slow, and does not cut it.
func isSlow(kind faults.Kind) bool {
	return kind == faults.SlowLink || kind == faults.Delay || kind == faults.Loss
}

// do begins a fault: what was done in words, and how to undo it if that is needed.
func (r *run) do(f faults.Fault) (text string, undo func() error, err error) {
	switch f.Kind {
	case faults.CrashKeep, faults.CrashLeader, faults.CrashMost, faults.CrashAll,
		faults.CrashFollowers:
		return r.crash(r.victims(f))
	case faults.Restart:
		return r.restart(r.victims(f))
	case faults.Upgrade:
		return r.restart(r.shuffled())
	case faults.Pause, faults.PauseLeader, faults.PauseAll:
		return r.pause(r.victims(f))
	case faults.Transfer:
		return r.transfer(f)
	case faults.Replace:
		return r.replace(r.victims(f)[0])
	case faults.CompactNow:
		if r.Compact == nil {
			return "", nil, errors.New("nobody here compacts")
		}
		return "compact", nil, r.Compact(r.ctx)
	case faults.CheckpointNow:
		return r.defragment(r.victims(f))
	case faults.ClockJump, faults.ClockJumpLeader:
		return r.jump(r.victims(f), time.Duration(f.Amount)*time.Millisecond)
	case faults.DiskFull:
		return r.fill(r.victims(f)[0])
	}
	return r.network(f)
}

// shuffled returns the members in any order.
func (r *run) shuffled() []*Member {
	members := r.Cluster.Members()
	r.random.Shuffle(len(members), func(i, j int) {
		members[i], members[j] = members[j], members[i]
	})
	return members
}

// victims returns whom a fault befalls.
func (r *run) victims(f faults.Fault) []*Member {
	if len(f.Members) > 0 {
		var members []*Member
		for _, number := range f.Members {
			members = append(members, r.Cluster.members[number-1])
		}
		return members
	}
	members := r.shuffled()
	switch f.Kind {
	case faults.CrashAll, faults.PauseAll:
		return members
	case faults.CrashMost:
		return members[:len(members)/2+1]
	case faults.CrashLeader, faults.PauseLeader, faults.CrashFollowers, faults.ClockJumpLeader:
		ctx, cancel := context.WithTimeout(r.ctx, leaderWait)
		defer cancel()
		leader, err := r.Cluster.Leader(ctx)
		if err != nil {
			break // there is none: anybody then
		}
		if f.Kind == faults.CrashFollowers {
			return slices.DeleteFunc(members, func(m *Member) bool { return m == leader })
		}
		return []*Member{leader}
	}
	return members[:1]
}

// crash kills members, all before the first is started again.
func (r *run) crash(members []*Member) (string, func() error, error) {
	for _, m := range members {
		if _, full := r.full[m]; full {
			return "", nil, errNotNow
		}
	}
	for _, m := range members {
		if err := m.Kill(); err != nil {
			return "", nil, errors.Join(err, revive(members))
		}
	}
	return "kill " + names(members), func() error { return revive(members) }, nil
}

// revive starts members that do not run.
func revive(members []*Member) (err error) {
	for _, m := range members {
		if !m.Running() {
			err = errors.Join(err, m.Start())
		}
	}
	return err
}

// restart stops members in order and starts them again, one by one.
func (r *run) restart(members []*Member) (string, func() error, error) {
	for _, m := range members {
		if !m.Running() {
			continue
		}
		err := errors.Join(m.Resume(), m.Stop(stopGrace), m.Start())
		if err != nil {
			return "", nil, errors.Join(err, revive([]*Member{m}))
		}
		if len(members) > 1 {
			ctx, cancel := context.WithTimeout(r.ctx, readyWait)
			err = m.WaitReady(ctx)
			cancel()
		}
		if err != nil {
			return "", nil, err
		}
	}
	return "restart " + names(members), nil, nil
}

// pause stops processes in their tracks.
func (r *run) pause(members []*Member) (string, func() error, error) {
	resume := func() (err error) {
		for _, m := range members {
			if m.Running() {
				err = errors.Join(err, m.Resume())
			}
		}
		return err
	}
	for _, m := range members {
		if !m.Running() {
			continue
		}
		if err := m.Pause(); err != nil {
			return "", nil, errors.Join(err, resume())
		}
	}
	return "pause " + names(members), resume, nil
}

// jump sets the time of day of members ahead, or back if it is ahead already.
func (r *run) jump(members []*Member, by time.Duration) (string, func() error, error) {
	m := members[0]
	if m.Clock() > 0 {
		by = -by
	}
	text := fmt.Sprintf("the clock of %s jumps by %v", m.name, by)
	return text, nil, m.SetClock(m.Clock() + by)
}

// fill leaves no room on the disk of a member. Servers may end themselves when they find out, and
// for a breath after there is room again: then they are started again.
func (r *run) fill(m *Member) (string, func() error, error) {
	if _, full := r.full[m]; full {
		return "", nil, errNotNow
	}
	r.full[m] = time.Time{}
	empty := func() error {
		r.full[m] = time.Now().Add(fullGrace)
		return errors.Join(emptyDisk(m.disk), revive([]*Member{m}))
	}
	if err := fillDisk(m.disk); err != nil {
		return "", nil, errors.Join(err, empty())
	}
	return "no room on the disk of " + m.name, empty, nil
}

// exited returns the error of a member that ended by itself. One whose disk is full may; one that
// got room again a moment ago is started again.
func (r *run) exited() error {
	for _, m := range r.Cluster.members {
		err := m.Exited()
		until, full := r.full[m]
		switch {
		case full && !until.IsZero() && time.Now().After(until):
			delete(r.full, m)
		case err != nil && full && until.IsZero():
			err = nil
		case err != nil && full:
			err = m.Start()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// transfer asks the leader to let another lead.
func (r *run) transfer(f faults.Fault) (string, func() error, error) {
	ctx, cancel := context.WithTimeout(r.ctx, adminTimeout)
	defer cancel()
	asking, stop := context.WithTimeout(ctx, leaderWait)
	defer stop()
	leader, err := r.Cluster.Leader(asking)
	if err != nil {
		return "", nil, err
	}
	heir := r.victims(f)[0]
	for len(f.Members) == 0 && heir == leader {
		heir = r.victims(f)[0]
	}
	status, err := heir.Status(ctx)
	if err != nil {
		return "", nil, err
	}
	conn, err := leader.adminConn()
	if err != nil {
		return "", nil, err
	}
	_, err = pb.NewMaintenanceClient(conn).MoveLeader(ctx,
		&pb.MoveLeaderRequest{TargetID: status.Header.MemberId})
	return fmt.Sprintf("transfer from %s to %s", leader.name, heir.name), nil, err
}

// defragment has members put their files in order.
func (r *run) defragment(members []*Member) (string, func() error, error) {
	ctx, cancel := context.WithTimeout(r.ctx, adminTimeout)
	defer cancel()
	for _, m := range members {
		conn, err := m.adminConn()
		if err != nil {
			return "", nil, err
		}
		if _, err := pb.NewMaintenanceClient(conn).Defragment(ctx, &pb.DefragmentRequest{}); err != nil {
			return "", nil, err
		}
	}
	return "defragment " + names(members), nil, nil
}

// pair is a direction between two members.
type pair struct{ from, to int }

// network breaks wires.
func (r *run) network(f faults.Fault) (string, func() error, error) {
	pairs, text := r.shape(f)
	change := func(sign int) (err error) {
		for _, p := range pairs {
			err = errors.Join(err, r.Cluster.wires.change(p.from, p.to, func(w *wire) {
				switch f.Kind {
				case faults.Delay, faults.SlowLink:
					w.delay += time.Duration(sign) * time.Duration(f.Amount) * time.Millisecond
				case faults.Loss:
					w.loss += sign * int(f.Amount)
				default:
					w.cuts += sign
				}
			}))
		}
		return err
	}
	undo := func() error { return change(-1) }
	if err := change(+1); err != nil {
		return "", nil, errors.Join(err, undo())
	}
	return text, undo, nil
}

// shape returns the directions that a fault of the network befalls, and their picture in words.
func (r *run) shape(f faults.Fault) (pairs []pair, text string) {
	order := r.order(f)
	join := func(left, right []int) {
		for _, from := range left {
			for _, to := range right {
				if from != to {
					pairs = append(pairs, pair{from, to})
				}
			}
		}
	}
	count := len(order)
	one, others := order[:1], order[1:]
	some := 1 + r.random.IntN(max(1, count-1)) // at least one on either side
	side, rest := order[:some], order[some:]
	if len(f.Members) > 0 && len(f.Peers) > 0 {
		side, rest = order[:len(f.Members)], numbers(f.Peers)
	}
	switch f.Kind {
	case faults.Split:
		join(side, rest)
		join(rest, side)
		text = fmt.Sprintf("split %s from %s", r.list(side), r.list(rest))
	case faults.SplitOneWay:
		join(side, rest)
		text = fmt.Sprintf("%s do not hear %s", r.list(rest), r.list(side))
	case faults.Isolate:
		join(one, others)
		join(others, one)
		text = "isolate " + r.list(one)
	case faults.IsolateInbound:
		join(others, one)
		text = r.list(one) + " hears nobody"
	case faults.IsolateOutbound:
		join(one, others)
		text = "nobody hears " + r.list(one)
	case faults.Bridge:
		half := 1 + (count-1)/2
		join(order[1:half], order[half:])
		join(order[half:], order[1:half])
		text = fmt.Sprintf("%s is the bridge between %s and %s", r.list(one), r.list(order[1:half]),
			r.list(order[half:]))
	case faults.Ring:
		for i := range order {
			for j := range order {
				if distance := (j - i + count) % count; distance > 1 && distance < count-1 {
					pairs = append(pairs, pair{order[i], order[j]})
				}
			}
		}
		text = "ring " + r.list(order)
	case faults.SlowLink:
		join(one, order[1:2])
		join(order[1:2], one)
		text = fmt.Sprintf("%s are %d ms apart", r.list(order[:2]), 2*f.Amount)
	case faults.Delay:
		join(order, order)
		text = fmt.Sprintf("%d ms between all members", f.Amount)
	case faults.Loss:
		join(order, order)
		text = fmt.Sprintf("%d %% is lost between all members", f.Amount)
	}
	return pairs, text
}

// order returns all members, those that a fault names first, the others in any order.
func (r *run) order(f faults.Fault) []int {
	order := numbers(f.Members)
	for _, i := range r.random.Perm(len(r.Cluster.members)) {
		if !slices.Contains(order, i) {
			order = append(order, i)
		}
	}
	return order
}

// numbers counts from 0 what plans count from 1.
func numbers(of []int) []int {
	var list []int
	for _, n := range of {
		list = append(list, n-1)
	}
	return list
}

// list names members.
func (r *run) list(numbers []int) string {
	var members []*Member
	for _, i := range numbers {
		members = append(members, r.Cluster.members[i])
	}
	return names(members)
}
