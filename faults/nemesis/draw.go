package nemesis

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"detcd/faults"
)

// A Nemesis is a family of faults by one name.
type Nemesis struct {
	Name   string
	Kinds  []faults.Kind
	Effect string
}

// Nemeses returns all families.
func Nemeses() []Nemesis {
	return []Nemesis{
		{"kill", []faults.Kind{faults.CrashKeep, faults.CrashKeep, faults.CrashLeader,
			faults.CrashLeader, faults.CrashMost, faults.CrashAll, faults.CrashFollowers},
			"SIGKILL to one, to who leads, to most or to all"},
		{"restart", []faults.Kind{faults.Restart, faults.Restart, faults.Upgrade},
			"a stop in order and a start, of one or of all, one by one"},
		{"pause", []faults.Kind{faults.Pause, faults.PauseLeader, faults.PauseLeader,
			faults.PauseAll}, "SIGSTOP to one, to who leads or to all"},
		{"partition", []faults.Kind{faults.Split, faults.SplitOneWay, faults.Isolate,
			faults.IsolateInbound, faults.IsolateOutbound, faults.Bridge, faults.Ring},
			"members cannot talk, one way or both: split, alone, over a bridge, in a ring"},
		{"slow", []faults.Kind{faults.Delay, faults.SlowLink, faults.Loss},
			"messages between members take longer or are lost"},
		{"clock", []faults.Kind{faults.ClockJump, faults.ClockJumpLeader},
			"the time of day of a member jumps ahead and back"},
		{"disk", []faults.Kind{faults.DiskFull}, "the disk of a member is full; needs root"},
		{"replace", []faults.Kind{faults.Replace}, "a member goes for good, and a new one comes"},
		{"compact", []faults.Kind{faults.CompactNow}, "history is compacted"},
		{"defragment", []faults.Kind{faults.CheckpointNow}, "a member puts its files in order"},
		{"transfer", []faults.Kind{faults.Transfer}, "another member is to lead"},
	}
}

// Names returns the names of all families.
func Names() []string {
	var names []string
	for _, n := range Nemeses() {
		names = append(names, n.Name)
	}
	return names
}

// kindsOf returns the kinds of a family that a cluster of so many members can have.
func kindsOf(name string, members int) ([]faults.Kind, error) {
	at := slices.IndexFunc(Nemeses(), func(n Nemesis) bool { return n.Name == name })
	if at < 0 {
		return nil, fmt.Errorf("nemesis: %q is no nemesis; there are %s", name,
			strings.Join(Names(), ", "))
	}
	kinds := slices.DeleteFunc(slices.Clone(Nemeses()[at].Kinds), func(k faults.Kind) bool {
		switch k {
		case faults.Ring: // of three it is whole
			return members < 4
		case faults.Bridge:
			return members < 3
		case faults.CrashFollowers:
			return members < 2
		}
		return false
	})
	return kinds, nil
}

// Faults of a drawn plan. Real elections take a second or so: faults are longer than those of the
// simulator, and mostly there is one at a time, with room between for the cluster to work again.
const (
	faultMin   = 100 * time.Millisecond
	faultMax   = 6 * time.Second
	gapMin     = time.Second
	gapMax     = 4 * time.Second
	overlapPct = 20
)

// Draw makes a plan of a seed from families of faults, for a cluster of so many members. Every
// family is drawn from equally often. At the end is a time without faults.
func Draw(families []string, members int, seed uint64, length time.Duration) (faults.Plan, error) {
	if len(families) == 0 {
		return nil, nil
	}
	var kinds [][]faults.Kind
	for _, name := range families {
		list, err := kindsOf(name, members)
		if err != nil {
			return nil, err
		}
		kinds = append(kinds, list)
	}
	random := rand.New(rand.NewPCG(seed, 0x64726177))
	most := min(faultMax, max(2*faultMin, length/6)) // short runs have short faults
	end := length - min(gapMin, length/5)
	between := func(low, high time.Duration) time.Duration {
		return low + time.Duration(random.Int64N(int64(high-low)+1)).Round(time.Millisecond)
	}
	var plan faults.Plan
	for at := between(gapMin/2, gapMin); at < end; {
		family := kinds[random.IntN(len(kinds))]
		f := faults.Fault{At: at.Round(time.Millisecond), Kind: family[random.IntN(len(family))]}
		info := f.Kind.Info()
		if info.Lasts {
			f.For = min(between(faultMin, most>>random.IntN(3)), end-f.At).Round(time.Millisecond)
		}
		if info.High > 0 {
			f.Amount = info.Low + random.Int64N((info.High-info.Low)>>random.IntN(4)+1)
		}
		plan = append(plan, f)
		if random.IntN(100) < overlapPct {
			at += between(faultMin, max(f.For, 2*faultMin))
		} else {
			at += f.For + between(gapMin, gapMax)
		}
	}
	return plan, nil
}
