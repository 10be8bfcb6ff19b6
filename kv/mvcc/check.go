package mvcc

import (
	"fmt"

	"detcd/storage/archive"
)

// Check tests the invariants that the package comment numbers and names the first that does not
// hold. It reads the whole history, and is not for the middle of a transaction.
func (s *Store) Check() error {
	c := checker{store: s, records: map[archive.ID]bool{}}
	checks := []func() error{c.checkChains, c.checkArchive, c.checkTrimmed, c.checkGraves}
	for _, check := range checks {
		if err := check(); err != nil {
			return fmt.Errorf("mvcc: %w", err)
		}
	}
	return nil
}

type checker struct {
	store   *Store
	records map[archive.ID]bool // of the versions that the index has
}

// checkChains tests 1, 2 and 3.
func (c *checker) checkChains() (err error) {
	c.store.index.tree.Scan(func(i item) bool {
		for v := i.newest; v != nil && err == nil; v = v.older() {
			c.records[v.id()] = true
			if err = c.checkVersion(v); err != nil {
				err = fmt.Errorf("key %q at revision %d.%d: %w", i.key, v.main, v.sub, err)
			}
		}
		return err == nil
	})
	return err
}

func (c *checker) checkVersion(v *version) error {
	if v.main > c.store.revision {
		return fmt.Errorf("invariant 1: it is behind revision %d", c.store.revision)
	}
	if v.number == 1 != (v.create == v.main) || v.create > v.main {
		return fmt.Errorf("invariant 2: version %d was created at %d", v.number, v.create)
	}
	before := v.older()
	if before == nil {
		return nil
	}
	if before.compare(v) >= 0 {
		return fmt.Errorf("invariant 1: it stands on revision %d.%d", before.main, before.sub)
	}
	switch {
	case v.tombstone() && before.tombstone():
		return fmt.Errorf("invariant 2: a key that did not exist was deleted")
	case v.tombstone():
	case v.number != before.number+1, !before.tombstone() && v.create != before.create:
		return fmt.Errorf("invariant 2: version %d of %d stands on version %d of %d",
			v.number, v.create, before.number, before.create)
	}
	if v.depth != before.depth+1 || v.jump != jumpFrom(before) {
		return fmt.Errorf("invariant 3: the jump is wrong")
	}
	return nil
}

// checkArchive tests 4.
func (c *checker) checkArchive() error {
	s, unseen := c.store, len(c.records)
	var wrong error
	end := archive.ID{Major: 1 << 63}
	err := s.archive.View().Scan(archive.ID{}, end, func(r archive.Record) bool {
		stored, key, err := cutHead(r.ID, r.Head)
		if err != nil {
			wrong = err
			return false
		}
		found := c.records[r.ID]
		if found {
			unseen--
			newest := s.index.get(key).newest
			if newest == nil || !same(&stored, newest.from(r.ID)) {
				wrong = fmt.Errorf("invariant 4: the index differs from the archive at revision %d.%d",
					stored.main, stored.sub)
			}
		} else if stored.main > s.compacted {
			wrong = fmt.Errorf("invariant 4: the index misses revision %d.%d", stored.main, stored.sub)
		}
		return wrong == nil
	})
	if err == nil {
		err = wrong
	}
	if err == nil && unseen > 0 {
		err = fmt.Errorf("invariant 4: the archive misses %d versions of the index", unseen)
	}
	return err
}

// same compares all but what leads to other versions.
func same(a, b *version) bool {
	return a.is(b) && a.create == b.create && a.number == b.number && a.lease == b.lease
}

// checkTrimmed tests 5.
func (c *checker) checkTrimmed() (err error) {
	trimmed := c.store.trimmed
	if c.store.job != nil {
		return nil // under way
	}
	c.store.index.tree.Scan(func(i item) bool {
		if excess(i.newest, trimmed) {
			err = fmt.Errorf("invariant 5: key %q has more than revision %d needs", i.key, trimmed)
		}
		return err == nil
	})
	return err
}

// checkGraves tests 6.
func (c *checker) checkGraves() (err error) {
	s := c.store
	s.graves.tree.Scan(func(g *grave) bool {
		if _, missing := s.archive.View().Get(g.id); missing != nil {
			err = fmt.Errorf("invariant 6: the tombstone of %q: %w", g.key, missing)
		}
		if newest := s.index.newest(g.key); newest != nil && newest.from(archive.ID{}).id().Less(g.id) {
			err = fmt.Errorf("invariant 6: the tombstone of %q is above the index", g.key)
		}
		return err == nil
	})
	return err
}
