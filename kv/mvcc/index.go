package mvcc

import (
	"unsafe"

	"github.com/tidwall/btree"
)

// index maps each key to its newest version. A view has a copy of its own, which shares all nodes
// that did not change since.
type index struct {
	tree *btree.BTreeG[item]
}

func newIndex() index {
	less := func(a, b item) bool { return a.key < b.key }
	return index{btree.NewBTreeGOptions(less, btree.Options{NoLocks: true})}
}

// text is a string over the bytes of a key, for the time of one search: it saves a copy. The index
// keeps no such string.
func text(key []byte) string { return unsafe.String(unsafe.SliceData(key), len(key)) }

// get returns what the index has of a key; newest is nil when it has nothing.
func (x index) get(key []byte) item {
	found, _ := x.tree.Get(item{key: text(key)})
	return found
}

// newest returns the newest version of a key, nil when there is none.
func (x index) newest(key string) *version {
	found, _ := x.tree.Get(item{key: key})
	return found.newest
}

// visit calls each for the keys of an interval that exist as of a revision, in order, with the
// version of that time, until it returns false.
func (x index) visit(key, end []byte, revision int64, each func(key string, v *version) bool) {
	if len(end) == 0 {
		if i := x.get(key); i.newest != nil {
			if v := i.newest.at(revision); v != nil && !v.tombstone() {
				each(i.key, v)
			}
		}
		return
	}
	last := text(end)
	endless := last == "\x00"
	x.tree.Ascend(item{key: text(key)}, func(i item) bool {
		if !endless && i.key >= last {
			return false
		}
		v := i.newest.at(revision)
		return v == nil || v.tombstone() || each(i.key, v)
	})
}

// walk goes once over all keys in bounded steps, between which the index may change.
type walk struct {
	from string // keys before it are done
	done bool
}

// step calls each for the next keys, at most limit, and says how many there were.
func (w *walk) step(x index, limit int, each func(item)) (used int) {
	from := w.from
	w.done = true
	x.tree.Ascend(item{key: from}, func(i item) bool {
		if used == limit {
			w.from, w.done = i.key, false
			return false
		}
		used++
		each(i)
		return true
	})
	return used
}
