package faults

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Profile is a family of plans.
type Profile string

// The profiles. Each but calm draws from the kinds of some classes; unbudgeted is everything, in a
// world that does not pass over faults which destroy too much.
const (
	Calm       Profile = "calm"
	Lossy      Profile = "lossy"
	Partition  Profile = "partition"
	DiskFaults Profile = "disk"
	Clock      Profile = "clock"
	Membership Profile = "membership"
	Lease      Profile = "lease"
	Everything Profile = "everything"
	Unbudgeted Profile = "unbudgeted"
)

// Profiles returns all profiles.
func Profiles() []Profile {
	return []Profile{Calm, Lossy, Partition, DiskFaults, Clock, Membership, Lease, Everything,
		Unbudgeted}
}

// ParseProfile finds a profile by its name.
func ParseProfile(name string) (Profile, error) {
	var names []string
	for _, p := range Profiles() {
		if string(p) == name {
			return p, nil
		}
		names = append(names, string(p))
	}
	return "", fmt.Errorf("%q is no profile; there are %s", name, strings.Join(names, ", "))
}

// kinds returns what the profile draws from.
func (p Profile) kinds() []Kind {
	switch p {
	case Calm:
		return nil
	case Lossy:
		return []Kind{Loss, Duplicate, Reorder, Delay, DelayTail, Corrupt, Bandwidth, SlowLink}
	case Partition:
		return append(between(Split, Flap), ClientCut, ClientMute, Transfer, PauseLeader,
			CrashLeaders)
	case DiskFaults:
		list := append(between(DiskSlow, Misdirect), between(CrashClean, CrashFollowers)...)
		return append(append(list, Wipe, OldCopy, CheckpointNow), between(FailBeforeSync, kindEnd-1)...)
	case Clock:
		return append(between(ClockFast, ClockStall), Pause, PauseLeader, PauseAll, LeaseStorm,
			CrashLeader, Transfer, IsolateLeader)
	case Membership:
		return append(between(AddVoter, TransferLagging), CrashTorn, Isolate, Wipe, Loss, CompactNow,
			FailInStage, FailBeforeInstall)
	case Lease:
		return append(between(ClockFast, ClockStall), LeaseStorm, CrashLeader, PauseLeader, Pause,
			Isolate, IsolateInbound, IsolateOutbound, IsolateLeader, Transfer, Upgrade, Loss, SyncSlow)
	}
	return slices.DeleteFunc(Kinds(), func(k Kind) bool { return slices.Contains(alarming(), k) })
}

// alarming are the kinds that raise alarms. They are drawn apart, into a third of the plans: while
// an alarm is raised little else happens, and what was drawn before there were any stays as it was.
func alarming() []Kind { return []Kind{Quota, Accuse} }

func between(low, high Kind) (list []Kind) {
	for k := low; k <= high; k++ {
		list = append(list, k)
	}
	return list
}

// Draw makes the plan of a seed: a random subset of the profile's kinds is switched on (a run in
// which everything may happen tests less than many in which something cannot), each with its own
// rate and strength, so that no two seeds are bad in the same way.
func Draw(profile Profile, seed uint64, length time.Duration) Plan {
	random := rand.New(rand.NewPCG(seed, 77))
	kinds := slices.Clone(profile.kinds())
	if len(kinds) == 0 {
		return nil
	}
	random.Shuffle(len(kinds), func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
	kinds = kinds[:1+random.IntN(min(len(kinds), kindsMax))]
	var plan Plan
	faults := 2 + random.Int64N(1+int64(length/time.Second)/2)
	for range faults {
		plan = append(plan, draw(random, kinds[random.IntN(len(kinds))], length))
	}
	if profile == Everything || profile == Unbudgeted || profile == Lease {
		plan = append(plan, drawAlarms(seed, length)...)
	}
	plan.Sort()
	return plan
}

func drawAlarms(seed uint64, length time.Duration) (plan Plan) {
	const oneIn, most = 3, 3
	random, kinds := rand.New(rand.NewPCG(seed, 78)), alarming()
	if random.IntN(oneIn) != 0 {
		return nil
	}
	for range 1 + random.IntN(most) {
		plan = append(plan, draw(random, kinds[random.IntN(len(kinds))], length))
	}
	return plan
}

// kindsMax bounds the kinds that one run mixes.
const kindsMax = 16

func draw(random *rand.Rand, kind Kind, length time.Duration) Fault {
	info := kind.Info()
	f := Fault{Kind: kind, At: time.Duration(random.Int64N(int64(length)))}
	f.At = f.At.Round(time.Millisecond)
	if info.Lasts {
		// Mostly short, sometimes long: a power of two times up to half a second.
		most := int64(500*time.Millisecond) << random.IntN(5)
		f.For = time.Duration(1 + random.Int64N(most)).Round(time.Millisecond)
	}
	if info.High > 0 {
		// Mostly weak, sometimes strong.
		span := (info.High - info.Low) >> random.IntN(5)
		f.Amount = info.Low + random.Int64N(span+1)
	}
	return f
}
