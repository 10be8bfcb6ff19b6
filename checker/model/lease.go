package model

import (
	"maps"
	"slices"
)

// grant makes a lease.
func (s *State) grant(id, ttl int64) string {
	if s.leases[id] != nil {
		return errLeaseExists
	}
	l := &lease{id, ttl, map[Bytes]bool{}}
	s.leases[id] = l
	s.note(change{granted: l})
	return ""
}

// revoke ends a lease, by request or because it expired: its keys go in one revision, in the order
// of their bytes.
func (s *State) revoke(id int64) string {
	l := s.leases[id]
	if l == nil {
		return errLeaseNotFound
	}
	// The lease ends last, so that undoing brings it back first, and then its keys to it.
	s.bury(slices.Sorted(maps.Keys(l.keys)))
	delete(s.leases, id)
	s.note(change{revoked: l})
	return ""
}
