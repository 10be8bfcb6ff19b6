package watch

import (
	"bytes"
	"slices"
)

// An index finds the watchers of a key.
//
// Those of one key stand in a map. Those of a range stand in a slice in the order of the first key,
// which is read as a balanced tree: the root is the middle, its children are the middles of the two
// halves, and so on. Every node knows which range of its subtree ends last, so a search leaves out
// the subtrees that end before the key. The tree is built again when it is searched for the first
// time after a change.
type index struct {
	points map[string][]*watcher
	ranges []*watcher
	last   []*watcher // last[i]: of the subtree of ranges[i], the one that ends last; nil: not built
	found  []*watcher // scratch
}

func (x *index) add(w *watcher) {
	if w.single {
		if x.points == nil {
			x.points = make(map[string][]*watcher)
		}
		x.points[string(w.key)] = append(x.points[string(w.key)], w)
		return
	}
	i, _ := slices.BinarySearchFunc(x.ranges, w, compareKeys)
	x.ranges = slices.Insert(x.ranges, i, w)
	x.last = nil
}

func (x *index) remove(w *watcher) {
	same := func(other *watcher) bool { return other == w }
	if w.single {
		rest := slices.DeleteFunc(x.points[string(w.key)], same)
		if len(rest) == 0 {
			delete(x.points, string(w.key))
		} else {
			x.points[string(w.key)] = rest
		}
		return
	}
	first, _ := slices.BinarySearchFunc(x.ranges, w, compareKeys)
	i := first + slices.IndexFunc(x.ranges[first:], same)
	x.ranges = slices.Delete(x.ranges, i, i+1)
	x.last = nil
}

// find gives the watchers of key. They are good until find is called again.
func (x *index) find(key []byte) []*watcher {
	x.found = append(x.found[:0], x.points[string(key)]...)
	if len(x.ranges) == 0 {
		return x.found
	}
	if x.last == nil {
		x.last = make([]*watcher, len(x.ranges))
		x.build(0, len(x.ranges))
	}
	x.stab(0, len(x.ranges), key)
	return x.found
}

// build gives which of ranges[low:high] ends last, and fills last for all of them.
func (x *index) build(low, high int) *watcher {
	if low == high {
		return nil
	}
	middle := int(uint(low+high) >> 1)
	last := x.ranges[middle]
	for _, other := range []*watcher{x.build(low, middle), x.build(middle+1, high)} {
		if other != nil && last.endsBefore(other) {
			last = other
		}
	}
	x.last[middle] = last
	return last
}

// stab adds to found who of ranges[low:high] has the key.
func (x *index) stab(low, high int, key []byte) {
	if low == high {
		return
	}
	middle := int(uint(low+high) >> 1)
	if !x.last[middle].reaches(key) {
		return
	}
	x.stab(low, middle, key)
	w := x.ranges[middle]
	if bytes.Compare(w.key, key) > 0 {
		return // and all that follow begin behind the key, too
	}
	if w.reaches(key) {
		x.found = append(x.found, w)
	}
	x.stab(middle+1, high, key)
}

func compareKeys(a, b *watcher) int { return bytes.Compare(a.key, b.key) }
