package archive

import (
	"math/bits"
	"slices"
)

// Progress tells how far a defragmentation is.
type Progress int

// What is still to be done.
const (
	Idle      Progress = iota // nothing: none was asked for, or it is over
	Rewriting                 // segments are rewritten without their dead
	Naming                    // a checkpoint must stop to name the files that were replaced
	Removing                  // these files are removed as soon as that checkpoint is durable
)

// garbageShare is what part of a segment must be dead for a defragmentation to rewrite it, as one
// in so many: what it leaves is a ninth larger than what lives at most.
const garbageShare = 10

// Defragment has all segments rewritten of which a part is dead, also where merges would not think
// it worth the work, and those that wait to be. It is done by the steps to come; Defragmenting says
// how far they are. What is appended later is not part of it, and each segment that is rewritten
// frees a part, so it ends under any load.
func (a *Archive) Defragment() {
	last, some := a.last()
	if !some {
		return
	}
	if partlyDead(&a.active.table, &a.active.dead) {
		a.roll()
	}
	a.rewriting, a.until, a.planned = true, last, false
}

// Defragmenting says what is left to be done of a defragmentation.
func (a *Archive) Defragmenting() Progress {
	named := a.saved
	if n := len(a.flushed); n > 0 {
		named = a.flushed[n-1]
	}
	switch {
	case a.rewriting:
		return Rewriting
	case len(a.leaving) == 0:
		return Idle
	case slices.ContainsFunc(a.leaving, func(name string) bool { return isNamed(named, name) }):
		return Naming
	}
	return Removing
}

func partlyDead(t *table, dead *graves) bool {
	return dead.bytes > 0 && garbageShare*dead.bytes >= t.data()
}

// worth says whether a segment is to be rewritten for its own sake.
func (a *Archive) worth(s *segment) bool {
	return mostlyDead(s) ||
		a.rewriting && !a.until.Less(s.table.id(0)) && partlyDead(&s.table, &s.dead)
}

// rewritten ends the rewriting, unless segments that belong to it are not sealed yet. The files
// that are replaced now are those to wait for.
func (a *Archive) rewritten() {
	if !a.rewriting || len(a.full) > 0 && !a.until.Less(a.full[0].table.id(0)) {
		return
	}
	a.rewriting, a.leaving = false, nil
	for _, s := range a.retired {
		a.leaving = append(a.leaving, s.Name)
	}
}

// inUse is what part of the files of sealed segments holds what lives: their overhead counts as far
// as it is about that.
func (s *Stats) inUse() int64 {
	data := s.Live + s.Dead
	if data == 0 {
		return 0
	}
	high, low := bits.Mul64(uint64(s.Disk), uint64(s.Live))
	part, _ := bits.Div64(high, low, uint64(data))
	return int64(part)
}
