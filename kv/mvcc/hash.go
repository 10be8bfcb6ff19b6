package mvcc

import (
	"fmt"
	"hash/crc32"
	"math"
	"slices"

	"detcd/storage/archive"
)

// Hash returns etcd's HashKV as of a revision (0: now), bit for bit, with the compact revision and
// the revision that etcd would report with it. It returns ErrCompacted or ErrFutureRevision where
// etcd does. It reads the whole history up to the revision.
//
// The revision of one of the last ten compactions is answered with the hash of what was there just
// before that compaction, and with the compact revision of that time.
func (v *View) Hash(revision int64) (hash uint32, compactRevision, hashRevision int64, err error) {
	remembered := slices.IndexFunc(v.compactions,
		func(c compaction) bool { return c.revision == revision })
	switch {
	case remembered >= 0:
		c := v.compactions[remembered]
		if c.hashed {
			return c.hash, c.previous, revision, nil
		}
		return v.hash(newHasher(v.index, c.previous, c.revision, true))
	case revision > 0 && revision < v.compacted:
		return 0, 0, 0, ErrCompacted
	case revision > v.revision:
		return 0, 0, 0, ErrFutureRevision
	case revision == 0:
		revision = v.revision
	}
	return v.hash(newHasher(v.index, v.compacted, revision, false))
}

// HashedCompactions are the revisions, ascending, of those of the last ten compactions whose hashes
// are known, so that Hash need not read anything for them.
func (v *View) HashedCompactions() (revisions []int64) {
	for _, c := range v.compactions {
		if c.hashed {
			revisions = append(revisions, c.revision)
		}
	}
	return revisions
}

func (v *View) hash(h *hasher) (hash uint32, compactRevision, hashRevision int64, err error) {
	for done := false; !done && err == nil; {
		_, done, err = h.step(v.archive, math.MaxInt)
	}
	return h.sum, h.compacted, h.revision, err
}

// hasher computes etcd's hash of a key space: CRC-32C over its stored bytes, which are, for each
// change in order, the revision and the change as protobuf. It takes
//
//   - every change behind the last compaction and up to the revision;
//   - of those before, the puts that are still the latest of their key at the revision; but if no
//     key has any at all (none exists), those that were the latest at the compaction.
//
// The second rule is an oddity of etcd (an empty set of what to keep means to keep all), as is that
// a delete at the revision counts as something to keep if the hash is that of a compaction.
//
// So it walks over the index first, to learn which old changes it takes, then over the archive.
type hasher struct {
	index      index
	compacted  int64
	revision   int64
	compaction bool // the hash that a compaction of the revision computes

	latest int64   // the walk looks for the latest changes as of this revision
	walk   walk    // over the index
	kept   bool    // it has met something to keep
	old    changes // which of the old changes are taken
	next   archive.ID
	sum    uint32
	buffer []byte
}

func newHasher(x index, compacted, revision int64, compaction bool) *hasher {
	bucket := crc32.Checksum([]byte("key"), castagnoli()) // the name of etcd's bucket
	h := &hasher{index: x, compacted: compacted, revision: revision, compaction: compaction,
		latest: revision, old: newChanges(compacted), sum: bucket}
	h.walk.done = compacted <= 1 // the first change is at 2
	return h
}

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// step does about limit units.
func (h *hasher) step(view *archive.View, limit int) (used int, done bool, err error) {
	if h.walk.done {
		return h.scan(view, limit)
	}
	used = h.walk.step(h.index, limit, h.choose)
	if h.walk.done && !h.kept && h.latest != h.compacted {
		h.latest, h.walk = h.compacted, walk{}
	}
	return used, false, nil
}

// choose looks at one key.
func (h *hasher) choose(i item) {
	v := i.newest.at(h.latest)
	switch {
	case v == nil:
	case v.tombstone():
		h.kept = h.kept || h.compaction && v.main == h.revision
	default:
		h.kept = h.kept || h.latest == h.revision
		if v.main <= h.compacted {
			h.old.add(v)
		}
	}
}

// scan hashes the next changes.
func (h *hasher) scan(view *archive.View, limit int) (used int, done bool, err error) {
	var malformed error
	err = view.Scan(h.next, first(h.revision+1), func(r archive.Record) bool {
		used += 1 + len(r.Body)/bytesPerUnit
		malformed = h.add(r)
		return malformed == nil && used < limit
	})
	if err == nil {
		err = malformed
	}
	if err != nil {
		return used, false, fmt.Errorf("mvcc: hash up to revision %d: %w", h.revision, err)
	}
	return used, used < limit, nil
}

func (h *hasher) add(r archive.Record) error {
	v, key, err := cutHead(r.ID, r.Head)
	if err != nil {
		return err
	}
	h.next = v.following()
	if v.main > h.compacted || h.old.has(&v) {
		h.encode(&v, key, r.Body)
		h.sum = crc32.Update(h.sum, castagnoli(), h.buffer)
	}
	return nil
}

// encode puts the bytes into the buffer that etcd stores for a change.
func (h *hasher) encode(v *version, key, value []byte) {
	h.buffer = appendChange(appendRevision(h.buffer[:0], v), v, key, value)
}

// hashing is the job of hashing what a compaction will let go.
type hashing struct {
	hasher *hasher
}

func newHashing(s *Store, c compaction) *hashing {
	return &hashing{newHasher(s.index, c.previous, c.revision, true)}
}

func (j *hashing) step(s *Store, limit int) (used int, done bool, err error) {
	used, done, err = j.hasher.step(s.archive.View(), limit)
	if !done || err != nil {
		return used, done, err
	}
	s.compactions = slices.Clone(s.compactions)
	for i := range s.compactions {
		if c := &s.compactions[i]; c.revision == j.hasher.revision {
			c.hashed, c.hash = true, j.hasher.sum
		}
	}
	s.view = nil
	return used, true, nil
}
