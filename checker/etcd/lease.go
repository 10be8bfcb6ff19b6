package etcd

// grant makes a lease.
func (s *State) grant(l *Lease) string {
	if s.leases[l.ID] != nil {
		return ErrLeaseExists
	}
	s.leases[l.ID] = l
	s.note(Change{granted: l})
	return ""
}

// revoke ends a lease, by request or because it expired: its keys go in one revision, in the order
// of their bytes.
func (s *State) revoke(id int64) string {
	l := s.leases[id]
	if l == nil {
		return ErrLeaseNotFound
	}
	// The lease ends last, so that undoing brings it back first, and then its keys to it.
	s.bury(l.Keys())
	delete(s.leases, id)
	s.note(Change{revoked: l})
	return ""
}
