package mvcc

import (
	"math/bits"
	"slices"
)

// changes is a set of changes that is filled in any order and then asked in the order of history.
// It takes 8 bytes for each. No call takes long: it is sorted in parts, when their turn comes.
type changes struct {
	shift uint       // a part has 1<<shift revisions: at least partMin, at most 1<<32
	parts [][]uint64 // revision within the part, then sub-revision
	part  int        // the one that is sorted, and asked for
	next  int        // what is before was asked for
}

const (
	partMin  = 12 // bits
	partsMax = 16
)

// newChanges makes an empty set for changes up to a revision.
func newChanges(last int64) changes {
	last = max(last, 0)
	shift := min(max(partMin, bits.Len64(uint64(last))-partsMax), 32)
	return changes{shift: uint(shift), parts: make([][]uint64, last>>shift+1), part: -1}
}

func (c *changes) place(v *version) (part int, within uint64) {
	main := uint64(v.main)
	return int(main >> c.shift), (main&(1<<c.shift-1))<<32 | uint64(v.sub)
}

func (c *changes) add(v *version) {
	part, within := c.place(v)
	c.parts[part] = append(c.parts[part], within)
}

// has says whether v is in the set. It must be behind all that were asked for before.
func (c *changes) has(v *version) bool {
	part, within := c.place(v)
	if part != c.part {
		if c.part >= 0 {
			c.parts[c.part] = nil
		}
		c.part, c.next = part, 0
		slices.Sort(c.parts[part])
	}
	list := c.parts[part]
	for c.next < len(list) && list[c.next] < within {
		c.next++
	}
	return c.next < len(list) && list[c.next] == within
}
