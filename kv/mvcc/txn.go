package mvcc

// Txn is an open write transaction. What it writes takes effect at once, for itself; others see all
// of it after End, by their next View.
type Txn struct {
	store  *Store
	writes uint32
	view   *View // what its ranges read, or nil
}

// Revision is what a range of this transaction sees as current: one more once something was
// written.
func (t *Txn) Revision() int64 {
	if t.writes > 0 {
		return t.store.revision + 1
	}
	return t.store.revision
}

// Meta returns what the index knows of the key now; the zero Meta when there is no such key.
func (t *Txn) Meta(key []byte) Meta { return t.store.index.get(key).newest.meta() }

// Range is View.Range on the store as this transaction has made it so far.
func (t *Txn) Range(o RangeOptions) (*Result, error) {
	if t.view == nil {
		t.view = t.store.look(t.store.index)
		t.view.revision = t.Revision()
	}
	return t.view.Range(o)
}

// Put writes a new version of key and returns the one before, the zero Meta when there was none. It
// copies key and value.
func (t *Txn) Put(key, value []byte, lease int64) (previous Meta) {
	old := t.store.index.get(key)
	previous = old.newest.meta()
	v := version{number: previous.Version + 1, create: previous.CreateRevision, lease: lease}
	if !previous.Exists() {
		v.create = t.store.revision + 1
	}
	if old.newest == nil {
		old.key = string(key)
	}
	t.write(old, &v, key, value)
	return previous
}

// DeleteRange deletes the keys in [key, end), see RangeOptions, and returns them in order.
func (t *Txn) DeleteRange(key, end []byte) []Deleted {
	var found []item
	t.store.index.visit(key, end, t.Revision(), func(key string, v *version) bool {
		found = append(found, item{key, v})
		return true
	})
	deleted := make([]Deleted, len(found))
	for i, old := range found {
		deleted[i] = Deleted{Key: []byte(old.key), Meta: old.newest.meta()}
		t.write(old, &version{}, deleted[i].Key, nil)
	}
	return deleted
}

// write puts one version on top of a key's others.
func (t *Txn) write(old item, v *version, key, value []byte) {
	s := t.store
	if s.txn != t {
		panic("mvcc: a write outside of its transaction")
	}
	v.main, v.sub = s.revision+1, t.writes
	if old.exists() {
		s.keys--
	}
	if !v.tombstone() {
		s.keys++
	}
	s.head = appendHead(s.head[:0], v, key)
	s.archive.Append(v.id(), s.head, value)
	s.index.tree.Set(item{old.key, v.on(old.newest)})
	t.writes++
	t.view, s.view = nil, nil
}

// End closes the transaction and returns the store's revision, which is one more than before if
// something was written.
func (t *Txn) End() (revision int64) {
	s := t.store
	if s.txn != t {
		panic("mvcc: a transaction was ended twice")
	}
	s.revision, s.txn = t.Revision(), nil
	return s.revision
}
