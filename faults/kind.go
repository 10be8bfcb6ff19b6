package faults

import "fmt"

// Class groups the kinds of fault by what they befall.
type Class int

// The classes of fault.
const (
	ClassNetwork Class = iota + 1
	ClassDisk
	ClassProcess
	ClassClock
	ClassMembership
	ClassLoad
	ClassFailpoint
)

// String returns the name of the class.
func (c Class) String() string {
	names := [...]string{"", "network", "disk", "process", "clock", "membership", "load",
		"failpoint"}
	if c < 0 || int(c) >= len(names) {
		return fmt.Sprintf("Class(%d)", int(c))
	}
	return names[c]
}

// Kind is a kind of fault.
type Kind int

// The kinds of fault. Table says what each does; names, not numbers, are written in plans.
const (
	None Kind = iota

	Loss
	Duplicate
	Reorder
	Delay
	DelayTail
	Corrupt
	Bandwidth
	Split
	SplitOneWay
	Isolate
	IsolateInbound
	IsolateOutbound
	IsolateLeader
	Bridge
	Ring
	ClogLink
	ClogMember
	Swizzle
	SlowLink
	Flap
	ClientCut
	ClientMute

	DiskSlow
	DiskStall
	SyncSlow
	BulkSlow
	ReadError
	WriteError
	SyncError
	DiskFull
	FlipLog
	FlipArchive
	FlipCheckpoint
	Misdirect

	CrashClean
	CrashKeep
	CrashTorn
	CrashAll
	CrashMost
	CrashLeader
	CrashLeaders
	CrashAgain
	CrashFollowers
	Pause
	PauseLeader
	PauseAll
	Restart
	Upgrade
	Wipe
	OldCopy

	ClockFast
	ClockSlow
	ClockJump
	ClockJumpLeader
	ClockStall

	AddVoter
	AddLearner
	Promote
	Remove
	RemoveLeader
	Replace
	Transfer
	TransferLagging

	CompactNow
	CheckpointNow
	LeaseStorm
	ClientBurst
	WatchChurn
	LargeValues
	Quota
	Accuse

	FailBeforeSync
	FailAfterSync
	FailBeforeCheckpoint
	FailAfterCheckpoint
	FailInStage
	FailBeforeInstall
	FailAfterInstall
	FailInMerge
	FailBeforeApply
	FailAfterApply
	FailInRecovery
	FailAfterVote

	kindEnd
)

// Info describes a kind of fault.
type Info struct {
	Name   string
	Class  Class
	Lasts  bool   // it goes on for a while
	Amount string // what Amount counts; empty: it has none
	Low    int64  // the least and the most that a profile draws
	High   int64
	Effect string // in one clause
}

// Table describes every kind, in order.
func Table() []Info { return append([]Info(nil), infos[1:]...) }

// Kinds returns every kind, in order.
func Kinds() []Kind {
	list := make([]Kind, 0, kindEnd-1)
	for k := None + 1; k < kindEnd; k++ {
		list = append(list, k)
	}
	return list
}

// Info returns the description of the kind.
func (k Kind) Info() Info {
	if k <= None || k >= kindEnd {
		return Info{Name: fmt.Sprintf("Kind(%d)", int(k))}
	}
	return infos[k]
}

// Damages says that the fault may cost a member what its disk had promised to keep: the budget
// counts it until the member is replaced.
func (k Kind) Damages() bool {
	switch k {
	case FlipLog, FlipArchive, FlipCheckpoint, Misdirect, Wipe, OldCopy:
		return true
	}
	return false
}

// String returns the name that is written in plans.
func (k Kind) String() string { return k.Info().Name }

// ParseKind finds a kind by its name.
func ParseKind(name string) (Kind, error) {
	for k := None + 1; k < kindEnd; k++ {
		if infos[k].Name == name {
			return k, nil
		}
	}
	return None, fmt.Errorf("%q is no kind of fault", name)
}
