package model

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
	leases    map[int64]*lease
	keyed     map[int64]bool // leases with keys
	changes   []change       // what happened, to be compared with watches, and to be undone

	// alive says, in a look at the past, which leases there were.
	alive func(id int64) bool
}

// history is every version of a key, ascending by mod revision. One of version 0 is a deletion.
type history struct {
	key      Bytes
	versions []KeyValue
}

// lease is a lease that was granted.
type lease struct {
	id, ttl int64
	keys    map[Bytes]bool // attached
}

// change is one step of a state.
type change struct {
	revision int64
	key      *history // it got one more version
	version  int32    // which
	granted  *lease
	revoked  *lease
	before   int64 // of a compaction: what was compacted before it
}

// NewState returns an empty store.
func NewState() *State {
	return &State{revision: 1, compacted: -1, keys: map[Bytes]*history{}, leases: map[int64]*lease{},
		keyed: map[int64]bool{}}
}

// Revision returns the revision of the last change.
func (s *State) Revision() int64 { return s.revision }

// Apply does what was asked and writes the answer to out, whose slices it uses again. A failure is
// returned as etcd's text; it changed nothing. Of a Grant that lets the server choose the ID, the
// ID is expected in out.Lease, and so is a TTL: the server may raise it. Keep-alive, time-to-live,
// leases and watches are not for Apply.
func (s *State) Apply(ask any, out *Response) (failure string) {
	if failure := refuse(ask); failure != "" {
		return failure
	}
	return s.apply(ask, out)
}

// apply is Apply for what was not refused.
func (s *State) apply(ask any, out *Response) (failure string) {
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
		id, ttl := ask.ID, ask.TTL
		if out.Lease != nil {
			id, ttl = out.Lease.ID, out.Lease.TTL
		}
		failure = s.grant(id, ttl)
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
	if failure := s.failure(&Compact{revision}); failure != "" {
		return failure
	}
	s.note(change{before: s.compacted})
	s.compacted = revision
	return ""
}

// note remembers a change.
func (s *State) note(c change) {
	c.revision = s.now()
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
		if !within(at, key, end) {
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
	s.note(change{key: h})
	last := &s.changes[len(s.changes)-1]
	last.revision, last.version = kv.Mod, int32(len(h.versions))
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
		l.keys[kv.Key] = true
		s.keyed[l.id] = true
	}
}

func (s *State) detach(kv *KeyValue) {
	if l := s.leases[kv.Lease]; kv.Lease != 0 && l != nil {
		delete(l.keys, kv.Key)
		if len(l.keys) == 0 {
			delete(s.keyed, l.id)
		}
	}
}

// undo takes back the last steps, until only so many of them are left.
func (s *State) undo(steps int) {
	for len(s.changes) > steps {
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
			s.revision = c.revision - 1
		case c.granted != nil:
			delete(s.leases, c.granted.id)
		case c.revoked != nil:
			s.leases[c.revoked.id] = c.revoked
		default:
			s.compacted = c.before
		}
	}
}

// withKeys returns the leases that have keys, ascending.
func (s *State) withKeys() []int64 { return slices.Sorted(maps.Keys(s.keyed)) }

// clone returns a copy that shares nothing that changes.
func (s *State) clone() *State {
	copied := NewState()
	copied.revision, copied.compacted, copied.keyed = s.revision, s.compacted, maps.Clone(s.keyed)
	for _, key := range slices.Sorted(maps.Keys(s.keys)) {
		h := &history{key, slices.Clone(s.keys[key].versions)}
		copied.keys[key] = h
		copied.sorted.Set(key, h)
	}
	for _, id := range slices.Sorted(maps.Keys(s.leases)) {
		l := s.leases[id]
		copied.leases[id] = &lease{l.id, l.ttl, maps.Clone(l.keys)}
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
		same = same && o.leases[id] != nil
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
