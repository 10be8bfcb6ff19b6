package faults

import (
	"fmt"
	"slices"
	"time"
)

// timeMax bounds the times of a plan: no run is as long.
const timeMax = 1000 * time.Hour

// Check returns why a fault cannot be what its plan says, nil if it can: it would befall nobody,
// have no effect, or be stronger than anything that a cluster meets. Who the members of a run are
// it does not know.
func (f Fault) Check() error {
	info := f.Kind.Info()
	if info.Class == 0 {
		return fmt.Errorf("%v is no kind of fault", f.Kind)
	}
	if f.At < 0 || f.For < 0 || max(f.At, f.For) > timeMax {
		return fmt.Errorf("%s: want times from 0 to %v", info.Name, timeMax)
	}
	if f.For > 0 && !info.Lasts {
		return fmt.Errorf("%s happens at once: for %v says nothing", info.Name, f.For)
	}
	low, high := f.Kind.Amounts()
	switch {
	case high == 0 && f.Amount != 0:
		return fmt.Errorf("%s has no amount", info.Name)
	case f.Amount < low || f.Amount > high:
		return fmt.Errorf("%s amount=%d: want %d to %d %s", info.Name, f.Amount, low, high,
			info.Amount)
	}
	return f.checkNumbers()
}

// Check returns why a plan cannot be followed in a run of such a length, whose members have numbers
// up to numberMax; nil if it can. None of its faults may mean nothing.
func (p Plan) Check(length time.Duration, numberMax int) error {
	if len(p) > planLinesMax {
		return fmt.Errorf("a plan of %d faults: want at most %d", len(p), planLinesMax)
	}
	for _, f := range p {
		if err := f.Check(); err != nil {
			return fmt.Errorf("%q: %w", f, err)
		}
		if f.At > length {
			return fmt.Errorf("%q: the run is over after %v", f, length)
		}
		for _, number := range slices.Concat(f.Members, f.Peers) {
			if number > numberMax {
				return fmt.Errorf("%q: there is no member %d", f, number)
			}
		}
	}
	return nil
}

// checkNumbers refuses members that the kind does not look at.
func (f Fault) checkNumbers() error {
	members, peers := f.Kind.names()
	switch {
	case len(f.Members) > 0 && members == 0:
		return fmt.Errorf("%v takes no members", f.Kind)
	case len(f.Members) > members:
		return fmt.Errorf("%v takes members=, at most %d", f.Kind, members)
	case len(f.Peers) > peers:
		return fmt.Errorf("%v takes no peers", f.Kind)
	case len(f.Peers) > 0 && len(f.Members) == 0:
		return fmt.Errorf("%v takes peers= only beside members=", f.Kind)
	}
	all := slices.Concat(f.Members, f.Peers)
	slices.Sort(all)
	if len(slices.Compact(slices.Clone(all))) < len(all) {
		return fmt.Errorf("%v names a member twice", f.Kind)
	}
	if len(all) > 0 && all[0] < 1 {
		return fmt.Errorf("%v: members are numbered from 1", f.Kind)
	}
	return nil
}

// Amounts returns the least and the most that a plan may ask of a kind, 0 and 0 where it has no
// amount. Profiles draw less: what is possible is wider than what is likely.
func (k Kind) Amounts() (low, high int64) {
	switch k {
	case ClockFast:
		return 1, 9_000_000 // ten times as fast
	case ClockSlow:
		return 1, 900_000 // a tenth as fast
	case ClockJump, ClockJumpLeader:
		return 1, time.Hour.Milliseconds()
	case Quota:
		return 1, 1000
	case SlowLink:
		return 1, 2_000 // what is on the link arrives in its order, also after the fault
	}
	switch k.Info().Amount {
	case "percent", "times":
		return 1, 100
	case "ms":
		return 1, 5_000 // what is under way then ends before the cluster must be well again
	case "leases":
		return 1, 10_000
	case "bytes":
		return 1, 1 << 20
	case "kB/s":
		return 1, 1 << 30
	}
	return 0, 0
}

// many is as many members as one likes.
const many = 1000

// names returns how many members and how many peers a fault of the kind may name.
func (k Kind) names() (members, peers int) {
	switch k {
	case Split, SplitOneWay:
		return many, many
	case Bridge, Ring, CrashClean, CrashKeep, CrashTorn, Restart, Pause, ClockFast, ClockSlow,
		ClockJump, ClockStall, CheckpointNow:
		return many, 0
	case ClogLink, SlowLink: // the two ends
		return 2, 0
	case Loss, Duplicate, Reorder, Delay, DelayTail, Corrupt, Bandwidth, Swizzle,
		CrashAll, CrashMost, CrashLeader, CrashFollowers, PauseLeader, PauseAll, Upgrade,
		ClockJumpLeader, AddVoter, AddLearner, Promote, RemoveLeader,
		CompactNow, LeaseStorm, ClientBurst, WatchChurn, LargeValues, Quota, Accuse:
		return 0, 0
	}
	return 1, 0
}
