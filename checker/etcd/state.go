package etcd

import (
	"cmp"
	"maps"
	"slices"
	"sort"

	"github.com/tidwall/btree"
)

// A State is etcd, as a program that does one thing after the other. It remembers every version of
// every key, also what was compacted: a judge must know what a late answer may show.
type State struct {
	revision  int64 // of the last change of keys; an empty store is at 1
	compacted int64 // history before it is unreadable; -1: nothing was ever compacted
	writing   bool  // the operation under way has changed keys: it makes revision+1
	keys      map[Bytes]*history
	sorted    btree.Map[Bytes, *history]
	leases    map[int64]*Lease
	changes   []Change // what happened, to be compared with watches, and to be undone
}

// history is every version of a key, ascending by mod revision. One of version 0 is a deletion.
type history struct {
	key      Bytes
	versions []KeyValue
}

// A Lease is a lease that was granted and has not ended.
type Lease struct {
	ID, TTL int64 // the TTL in seconds
	// AtLeast says that the TTL may be longer: the answer that named it was lost.
	AtLeast bool
	keys    map[Bytes]bool // attached
}

// Keys returns the keys that are attached, ascending.
func (l *Lease) Keys() []Bytes { return slices.Sorted(maps.Keys(l.keys)) }

// HasKeys tells whether any key is attached: then the end of the lease makes a revision.
func (l *Lease) HasKeys() bool { return len(l.keys) > 0 }

// A Change is one step of a State: one key got one more version, a lease began or ended, or
// something was compacted.
type Change struct {
	Revision int64    // at which, or behind which, it happened
	key      *history // it got one more version
	version  int32    // which
	granted  *Lease
	revoked  *Lease
	before   int64 // of a compaction: what was compacted before it
}

// OfKey tells whether a key changed.
func (c *Change) OfKey() bool { return c.key != nil }

// Versions returns the version that a change of a key made, and what the key was before that
// revision, if it was there. A transaction can change a key twice; etcd shows the same previous
// value for both, but none if the second makes the key anew.
func (c *Change) Versions() (kv, before *KeyValue) {
	versions := c.key.versions
	if kv = &versions[c.version]; kv.Version == 1 {
		return kv, nil
	}
	n := c.version - 1
	for n >= 0 && versions[n].Mod == c.Revision {
		n--
	}
	if n >= 0 && versions[n].Version > 0 {
		before = &versions[n]
	}
	return kv, before
}

// NewState returns an empty store.
func NewState() *State {
	return &State{revision: 1, compacted: -1, keys: map[Bytes]*history{}, leases: map[int64]*Lease{}}
}

// Expect makes room for so many changes.
func (s *State) Expect(changes int) { s.changes = slices.Grow(s.changes, changes) }

// Revision returns the revision of the last change.
func (s *State) Revision() int64 { return s.revision }

// Compacted returns before which revision history is unreadable; -1: nothing was ever compacted.
func (s *State) Compacted() int64 { return s.compacted }

// Lease returns a lease; nil: there is none.
func (s *State) Lease(id int64) *Lease { return s.leases[id] }

// Get returns a key as it is; nil if it is not there.
func (s *State) Get(key Bytes) *KeyValue { return s.get(key) }

// History returns every version that a key ever had, ascending; one of version 0 is a deletion.
func (s *State) History(key Bytes) []KeyValue {
	if h := s.keys[key]; h != nil {
		return h.versions
	}
	return nil
}

// Each visits the keys in [key, end) that were there at a revision, ascending, until it is told to
// stop.
func (s *State) Each(key, end Bytes, revision int64, visit func(*KeyValue) bool) {
	s.each(key, end, revision, visit)
}

// Changes returns all changes so far. The slice is valid until the next change.
func (s *State) Changes() []Change { return s.changes }

// Apply does what was asked and writes the answer to out, whose slices it uses again. A failure is
// returned as etcd's text; it changed nothing. Of a Grant the ID and TTL that were answered are
// expected in out.Lease: the server may choose the ID and raise the TTL. Without them the TTL is
// the least that it can be. Keep-alive, time-to-live, leases and watches are not for Apply.
func (s *State) Apply(ask any, out *Response) (failure string) {
	if failure := refuse(ask); failure != "" {
		return failure
	}
	switch ask := ask.(type) {
	case *Range, *Put, *Delete:
		if failure = s.allows(ask); failure == "" {
			s.do(ask, out)
		}
	case *Txn:
		failure = s.txn(ask, out)
	case *Compact:
		failure = s.compact(ask.Revision)
	case *Grant:
		l := &Lease{ID: ask.ID, TTL: ask.TTL, AtLeast: true}
		if out.Lease != nil {
			l = &Lease{ID: out.Lease.ID, TTL: out.Lease.TTL}
		}
		failure = s.grant(l)
	case *Revoke:
		failure = s.revoke(ask.ID)
	}
	if s.writing {
		s.revision, s.writing = s.revision+1, false
	}
	out.Revision = s.revision
	return failure
}

// now is the revision that the operation under way sees: its own, once it has changed something.
func (s *State) now() int64 {
	if s.writing {
		return s.revision + 1
	}
	return s.revision
}

// compact makes everything before a revision unreadable.
func (s *State) compact(revision int64) string {
	if failure := s.Failure(&Compact{revision}); failure != "" {
		return failure
	}
	s.note(Change{before: s.compacted})
	s.compacted = revision
	return ""
}

// note remembers a change.
func (s *State) note(c Change) {
	c.Revision = s.now()
	s.changes = append(s.changes, c)
}

// at returns the version of a key at a revision; nil if it was not there.
func (h *history) at(revision int64) *KeyValue {
	n := len(h.versions)
	if n > 0 && h.versions[n-1].Mod > revision {
		n = sort.Search(n, func(i int) bool { return h.versions[i].Mod > revision })
	}
	if n == 0 || h.versions[n-1].Version == 0 {
		return nil
	}
	return &h.versions[n-1]
}

// get returns a key as it is now; nil if it is not there.
func (s *State) get(key Bytes) *KeyValue {
	if h := s.keys[key]; h != nil {
		return h.at(s.now())
	}
	return nil
}

// each visits the keys in [key, end) that were there at a revision, ascending, until it is told to
// stop.
func (s *State) each(key, end Bytes, revision int64, visit func(*KeyValue) bool) {
	if end == "" {
		if h := s.keys[key]; h != nil {
			if kv := h.at(revision); kv != nil {
				visit(kv)
			}
		}
		return
	}
	s.sorted.Ascend(key, func(at Bytes, h *history) bool {
		if !Within(at, key, end) {
			return false
		}
		kv := h.at(revision)
		return kv == nil || visit(kv)
	})
}

// add gives a key one more version, and attaches it to its lease.
func (s *State) add(kv KeyValue) {
	h := s.keys[kv.Key]
	if h == nil {
		h = &history{key: kv.Key}
		s.keys[kv.Key] = h
		s.sorted.Set(kv.Key, h)
	}
	s.note(Change{key: h})
	last := &s.changes[len(s.changes)-1]
	last.Revision, last.version = kv.Mod, int32(len(h.versions))
	if n := len(h.versions); n > 0 {
		s.detach(&h.versions[n-1])
	}
	h.versions = append(h.versions, kv)
	s.attach(&h.versions[len(h.versions)-1])
	s.writing = true
}

// attach and detach keep the keys of a lease.
func (s *State) attach(kv *KeyValue) {
	if l := s.leases[kv.Lease]; kv.Lease != 0 && l != nil {
		if l.keys == nil {
			l.keys = map[Bytes]bool{}
		}
		l.keys[kv.Key] = true
	}
}

func (s *State) detach(kv *KeyValue) {
	if l := s.leases[kv.Lease]; kv.Lease != 0 && l != nil {
		delete(l.keys, kv.Key)
	}
}

// Undo takes back the last changes, until only so many of them are left. They must be all changes
// of the operations that are taken back.
func (s *State) Undo(changes int) {
	for len(s.changes) > changes {
		c := s.changes[len(s.changes)-1]
		s.changes = s.changes[:len(s.changes)-1]
		switch {
		case c.key != nil:
			n := len(c.key.versions)
			s.detach(&c.key.versions[n-1])
			c.key.versions = c.key.versions[:n-1]
			if n > 1 {
				s.attach(&c.key.versions[n-2])
			}
			s.revision = c.Revision - 1
		case c.granted != nil:
			delete(s.leases, c.granted.ID)
		case c.revoked != nil:
			s.leases[c.revoked.ID] = c.revoked
		default:
			s.compacted = c.before
		}
	}
}

// clone returns a copy that shares nothing that changes.
func (s *State) clone() *State {
	copied := NewState()
	copied.revision, copied.compacted = s.revision, s.compacted
	for _, key := range slices.Sorted(maps.Keys(s.keys)) {
		h := &history{key, slices.Clone(s.keys[key].versions)}
		copied.keys[key] = h
		copied.sorted.Set(key, h)
	}
	for _, id := range slices.Sorted(maps.Keys(s.leases)) {
		l := s.leases[id]
		copied.leases[id] = &Lease{l.ID, l.TTL, l.AtLeast, maps.Clone(l.keys)}
	}
	return copied
}

// equal tells whether two stores will answer alike.
func (s *State) equal(o *State) bool {
	if s.revision != o.revision || s.compacted != o.compacted ||
		len(s.keys) != len(o.keys) || len(s.leases) != len(o.leases) {
		return false
	}
	same := true
	s.sorted.Scan(func(key Bytes, h *history) bool {
		other := o.keys[key]
		same = other != nil && slices.Equal(h.versions, other.versions)
		return same
	})
	for _, id := range slices.Sorted(maps.Keys(s.leases)) {
		l, other := s.leases[id], o.leases[id]
		same = same && other != nil && l.TTL == other.TTL && l.AtLeast == other.AtLeast
	}
	return same
}

// hash is equal for equal states.
func (s *State) hash() uint64 {
	sum := uint64(s.revision)*31 + uint64(s.compacted)*17 + uint64(len(s.leases))
	s.sorted.Scan(func(key Bytes, h *history) bool {
		for _, kv := range h.versions {
			for _, c := range []byte(string(kv.Key) + string(kv.Value)) {
				sum = sum*1099511628211 + uint64(c)
			}
			sum = sum*1099511628211 + uint64(kv.Mod) + uint64(kv.Version)<<32
		}
		return true
	})
	return sum
}

// byTarget returns the order that a range asks for.
func byTarget(target int32) func(a, b KeyValue) int {
	return func(a, b KeyValue) int {
		switch target {
		case 1:
			return cmp.Compare(a.Version, b.Version)
		case 2:
			return cmp.Compare(a.Create, b.Create)
		case 3:
			return cmp.Compare(a.Mod, b.Mod)
		case 4:
			return cmp.Compare(a.Value, b.Value)
		}
		return cmp.Compare(a.Key, b.Key)
	}
}
