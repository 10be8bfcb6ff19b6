package mvcc

// trimming walks over all keys once and cuts off what only revisions below its own could see.
type trimming struct {
	revision int64
	walk     walk
	found    []string // keys that it met and that are to cut
	cut      *cut     // of one of them, under way
}

func (t *trimming) step(s *Store, limit int) (used int, done bool, err error) {
	for used < limit {
		switch {
		case t.cut != nil:
			used += t.cut.step(s, limit-used)
			if t.cut.done {
				t.cut = nil
			}
		case len(t.found) > 0:
			t.cut = newCut(t.found[0], s.index.newest(t.found[0]), t.revision)
			t.found = t.found[1:]
		case !t.walk.done:
			used += t.walk.step(s.index, limit-used, t.look)
		default:
			s.trimmed = t.revision
			return used, true, nil
		}
	}
	return used, false, nil
}

func (t *trimming) look(i item) {
	if excess(i.newest, t.revision) {
		t.found = append(t.found, i.key)
	}
}

// excess says that a key has more than reads from a revision on need.
func excess(newest *version, revision int64) bool {
	v := newest.at(revision)
	return v != nil && (v.history != nil || buried(newest, v, revision))
}

// buried says that the key ends in a tombstone that no reader will ask for. (A watch from the
// revision of the compaction on still has to see a delete at just that revision.)
func buried(newest, v *version, revision int64) bool {
	return newest == v && v.tombstone() && v.main < revision
}

// cut replaces the versions of one key by copies that lead no further down than the last one, for
// versions are never changed. It kills what was below.
type cut struct {
	key     string
	dead    *version   // the next to kill
	copied  *version   // this one and what is kept below it
	copy    *version   // is copied here
	descent *version   // on the way from the newest version to copied,
	stack   []*version // and the ones that were passed, to be copied next
	buried  bool       // the key goes altogether
	done    bool
}

func newCut(key string, newest *version, revision int64) *cut {
	last := newest.at(revision)
	return &cut{key: key, dead: last.older(), copied: last, copy: last.on(nil),
		buried: buried(newest, last, revision)}
}

func (c *cut) step(s *Store, limit int) (used int) {
	for ; used < limit && !c.done; used++ {
		switch {
		case c.dead != nil:
			s.archive.Kill(c.dead.id())
			s.released++
			c.dead = c.dead.older()
		case c.descent != nil && c.descent != c.copied:
			c.stack = append(c.stack, c.descent)
			c.descent = c.descent.older()
		case len(c.stack) > 0:
			c.copied = c.stack[len(c.stack)-1]
			c.copy = c.copied.on(c.copy)
			c.stack = c.stack[:len(c.stack)-1]
			c.descent = nil
		default:
			c.finish(s)
		}
	}
	return used
}

// finish puts the copies in place, unless new versions have arrived meanwhile.
func (c *cut) finish(s *Store) {
	if newest := s.index.newest(c.key); newest != c.copied {
		c.descent, c.buried = newest, false
		return
	}
	c.done = true
	s.view = nil // so that the next one does not keep the old versions
	if c.buried {
		s.index.tree.Delete(item{key: c.key})
		if earlier, replaced := s.graves.bury(c.key, c.copied); replaced {
			s.archive.Kill(earlier)
		}
		return
	}
	s.index.tree.Set(item{c.key, c.copy})
}
