package vfs

import (
	"maps"
	"math/rand/v2"
	"path"
	"slices"
)

// CrashClone returns what a device would hold after a crash now. What was synced is there. Of the
// unsynced changes of each file and each directory, choose decides: none survive, all do, those
// before some moment do and the one at that moment is torn, or each has its own fate: it survives,
// vanishes, or is torn (only some sectors of 512 bytes, or only its first bytes, arrived; or only
// the size that it gave the file). When choose is nil nothing unsynced survives.
//
// The Memory itself goes on as if nothing had happened: one run yields many crash images. The two
// share what neither changes, so that a clone costs little.
func (m *Memory) CrashClone(choose *rand.Rand) *Memory {
	clone := &Memory{dirs: make(map[string]*directory, len(m.dirs))}
	m.crashDir(clone, ".", choose, map[*node]*node{})
	return clone
}

// crashDir gives the clone what is left of a directory, and of all in it. One whose name is lost is
// not reached, whatever was synced in it.
func (m *Memory) crashDir(clone *Memory, name string, choose *rand.Rand, crashed map[*node]*node) {
	d, c := m.dirs[name], newDirectory()
	clone.dirs[name] = c
	fates := newFates(choose, len(d.pending))
	entries := maps.Clone(d.durable)
	for _, e := range d.pending {
		if fates.next() == survives { // an entry cannot be torn
			e.apply(entries)
		}
	}
	for _, base := range slices.Sorted(maps.Keys(entries)) {
		n := entries[base]
		switch {
		case n.directory:
			m.crashDir(clone, path.Join(name, base), choose, crashed)
			crashed[n] = n
		case crashed[n] == nil:
			crashed[n] = n.crash(choose)
		}
		c.entries[base], c.durable[base] = crashed[n], crashed[n]
	}
}

// crash returns what is left of a file. It shares all pages: from now on neither owns them.
func (n *node) crash(choose *rand.Rand) *node {
	c := &node{owner: new(owner), pages: slices.Clone(n.pages), size: n.size}
	n.owner = new(owner)
	written := make([][]byte, len(n.changes))
	undo := n.undo
	for i, change := range slices.Backward(n.changes) {
		written[i] = make([]byte, change.length)
		c.get(written[i], change.offset)
		rest := len(undo) - int(change.undo)
		c.setSize(change.before)
		c.put(undo[rest:], change.offset)
		undo = undo[:rest]
	}
	fates := newFates(choose, len(n.changes))
	for i, change := range n.changes {
		switch fates.next() {
		case survives:
			c.redo(change, written[i])
		case torn:
			c.tear(change, written[i], choose)
		}
	}
	return c
}

// redo lets a change survive, though what came before it may not have.
func (n *node) redo(c change, written []byte) {
	if c.length == 0 {
		n.setSize(c.after)
		return
	}
	n.setSize(max(n.size, c.offset+c.length))
	n.put(written, c.offset)
}

// tear lets a part of a change survive. A change of the size only is whole or nothing.
func (n *node) tear(c change, written []byte, choose *rand.Rand) {
	if c.length == 0 {
		return
	}
	switch choose.IntN(3) {
	case 0: // the metadata arrived, the data did not
		n.setSize(max(n.size, c.offset+c.length))
	case 1: // the first bytes
		kept := choose.Int64N(c.length)
		c.length = kept
		if kept > 0 {
			n.redo(c, written[:kept])
		}
	case 2: // some sectors, in any order
		for start := int64(0); start < c.length; {
			end := min(c.length, start+sectorSize-(c.offset+start)%sectorSize)
			if choose.IntN(2) == 0 {
				n.redo(change{offset: c.offset + start, length: end - start}, written[start:end])
			}
			start = end
		}
	}
}

// A fate is what becomes of one unsynced change.
type fate int

const (
	vanishes fate = iota
	survives
	torn
)

// fates deals out the fates of the unsynced changes of one file or directory, in their order.
type fates struct {
	choose *rand.Rand
	mood   int
	until  int // with mood moment: the changes before it survive
	dealt  int
}

const (
	moodNothing = iota
	moodAll
	moodMoment
	moodEach
	moods
)

func newFates(choose *rand.Rand, changes int) *fates {
	f := &fates{choose: choose}
	if choose != nil && changes > 0 {
		f.mood = choose.IntN(moods)
		f.until = choose.IntN(changes)
	}
	return f
}

func (f *fates) next() fate {
	f.dealt++
	switch f.mood {
	case moodAll:
		return survives
	case moodMoment:
		switch {
		case f.dealt <= f.until:
			return survives
		case f.dealt == f.until+1:
			return torn
		}
	case moodEach:
		return fate(f.choose.IntN(3))
	}
	return vanishes
}
