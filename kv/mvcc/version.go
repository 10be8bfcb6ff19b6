package mvcc

import (
	"cmp"

	"detcd/storage/archive"
)

// version is one version of one key: all of it but the value, which is in the archive under the
// same revision. It never changes once a reader can see it. 48 bytes, or 64 with a history.
type version struct {
	main   int64
	create int64
	number int64 // etcd's Version; 0: this version is a tombstone
	lease  int64
	sub    uint32
	depth  uint32 // versions below it
	*history
}

// history leads to older versions of the same key. With jump, any of n versions is found in about
// 2·log n steps (a skew-binary list: Myers, "An applicative random-access stack", 1983).
type history struct {
	previous *version
	jump     *version // previous, or further down
}

// item is one key of the index.
type item struct {
	key    string
	newest *version
}

// exists tells whether the key is there now.
func (i item) exists() bool { return i.newest != nil && !i.newest.tombstone() }

func (v *version) tombstone() bool { return v.number == 0 }

func (v *version) id() archive.ID { return archive.ID{Major: uint64(v.main), Minor: v.sub} }

// following is the place in history right behind this version.
func (v *version) following() archive.ID {
	return archive.ID{Major: uint64(v.main), Minor: v.sub + 1}
}

// meta of nothing, or of a tombstone, is the zero Meta.
func (v *version) meta() Meta {
	if v == nil || v.tombstone() {
		return Meta{}
	}
	return Meta{CreateRevision: v.create, ModRevision: v.main, Version: v.number, Lease: v.lease}
}

// older returns the version before this one, nil when it is not kept.
func (v *version) older() *version {
	if v.history == nil {
		return nil
	}
	return v.previous
}

// on returns a copy of v that stands on another history.
func (v *version) on(previous *version) *version {
	if previous == nil {
		alone := *v
		alone.depth, alone.history = 0, nil
		return &alone
	}
	linked := &struct { // one allocation for both
		version
		link history
	}{version: *v}
	linked.depth = previous.depth + 1
	linked.link = history{previous: previous, jump: jumpFrom(previous)}
	linked.history = &linked.link
	return &linked.version
}

// jumpFrom says where the version above previous jumps to: over two stretches that are equally
// long, if previous begins two such, else to previous.
func jumpFrom(previous *version) *version {
	if previous.history == nil || previous.jump.history == nil {
		return previous
	}
	first := previous.depth - previous.jump.depth
	second := previous.jump.depth - previous.jump.jump.depth
	if first == second {
		return previous.jump.jump
	}
	return previous
}

// at returns the newest version at or before a revision, nil when there is none. It may be a
// tombstone.
func (v *version) at(revision int64) *version {
	for v.main > revision {
		switch {
		case v.history == nil:
			return nil
		case v.jump.main > revision:
			v = v.jump
		default:
			v = v.previous
		}
	}
	return v
}

// from returns the oldest version that is not before a place in history, nil when there is none.
func (v *version) from(place archive.ID) *version {
	var oldest *version
	for !v.id().Less(place) {
		oldest = v
		switch {
		case v.history == nil:
			return oldest
		case !v.jump.id().Less(place):
			v = v.jump
		default:
			v = v.previous
		}
	}
	return oldest
}

// compare orders versions by the place of their change in history.
func (v *version) compare(other *version) int {
	return cmp.Or(cmp.Compare(v.main, other.main), cmp.Compare(v.sub, other.sub))
}

// is says whether both are the same change.
func (v *version) is(other *version) bool { return v.compare(other) == 0 }
