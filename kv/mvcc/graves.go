package mvcc

import (
	"fmt"

	"github.com/tidwall/btree"

	"detcd/storage/archive"
)

// graves are the tombstones of keys that have left the index. A tombstone is killed later than what
// it buries, for this could happen:
//
//  1. A put is at revision 2, its delete at 9, in another segment. A compaction kills both.
//  2. The segment of the delete is merged; the delete is gone. That of the put is mostly alive and
//     stays.
//  3. The member restarts and builds the index from what the archive has: the key is back.
//
// So the tombstone stays in the archive, until a pass over the archive (a sweep) has met no record
// of its key before it. Restore buries by the same rule.
type graves struct {
	tree       *btree.BTreeG[*grave]
	min, ratio int // sweepMin and sweepRatio
	survivors  int // how many the last sweep left
}

// grave is one of them. A later tombstone of the same key takes the place of an earlier one.
type grave struct {
	key      string
	id       archive.ID
	occupied bool // the sweep under way has met what it buries
}

// A sweep is worth its while when there are so many more graves than the last one left, and more
// than every eighth record of the archive is one: in the long run sweeps then cost a few
// microseconds for each delete.
const (
	sweepMin   = 1024
	sweepRatio = 8
)

func newGraves() graves {
	less := func(a, b *grave) bool { return a.key < b.key }
	return graves{min: sweepMin, ratio: sweepRatio,
		tree: btree.NewBTreeGOptions(less, btree.Options{NoLocks: true})}
}

// bury notes the tombstone of a key that leaves the index. It returns an earlier one of the same
// key, which may now be killed: the later one buries all that it did. No sweep is under way: jobs
// follow one another.
func (g *graves) bury(key string, tombstone *version) (earlier archive.ID, replaced bool) {
	old, replaced := g.tree.Set(&grave{key: key, id: tombstone.id()})
	if !replaced {
		return archive.ID{}, false
	}
	return old.id, true
}

// crowded says whether a sweep is worth its while.
func (g *graves) crowded(a *archive.Archive) bool {
	more := g.tree.Len() - g.survivors
	return more > g.min && more > a.Stats().Records/g.ratio
}

// sweep is the job of finding the graves that bury nothing any more.
type sweep struct {
	next, end archive.ID // of the records to look at
	probe     grave
	scanned   bool
	from      string // graves before it are cleared or not
}

func (w *sweep) step(s *Store, limit int) (used int, done bool, err error) {
	if !w.scanned {
		return w.scan(s, limit)
	}
	var cleared []*grave
	done = true
	s.graves.tree.Ascend(&grave{key: w.from}, func(g *grave) bool {
		if used == limit {
			w.from, done = g.key, false
			return false
		}
		used++
		if !g.occupied {
			cleared = append(cleared, g)
		}
		g.occupied = false
		return true
	})
	for _, g := range cleared {
		s.graves.tree.Delete(g)
		s.archive.Kill(g.id)
	}
	if done {
		s.graves.survivors = s.graves.tree.Len()
	}
	return used, done, nil
}

// scan looks at the next records for puts that are buried.
func (w *sweep) scan(s *Store, limit int) (used int, done bool, err error) {
	var malformed error
	err = s.archive.View().Scan(w.next, w.end, func(r archive.Record) bool {
		used += 1 + len(r.Body)/bytesPerUnit
		v, key, err := cutHead(r.ID, r.Head)
		if err != nil {
			malformed = err
			return false
		}
		w.next = v.following()
		w.probe.key = text(key)
		if g, ok := s.graves.tree.Get(&w.probe); ok && !v.tombstone() && r.ID.Less(g.id) {
			g.occupied = true
		}
		return used < limit
	})
	if err == nil {
		err = malformed
	}
	if err != nil {
		return used, false, fmt.Errorf("mvcc: sweep the graves: %w", err)
	}
	w.scanned = used < limit
	return used, false, nil
}
