package kv

import (
	"fmt"

	"detcd/kv/lease"
	"detcd/kv/mvcc"
)

// Check tests the invariants that the package comment numbers, and those of mvcc, lease, auth and
// v2 below them, and says which one is broken. It reads the whole history.
func (s *Store) Check() error {
	if err := s.mvcc.Check(); err != nil {
		return err
	}
	if err := s.leases.Check(); err != nil {
		return err
	}
	if err := s.auth.Check(); err != nil {
		return err
	}
	if err := s.tree.Check(); err != nil {
		return err
	}
	view := s.mvcc.View()
	all, err := view.Range(mvcc.RangeOptions{Key: []byte{0}, End: []byte{0}})
	if err != nil {
		return err
	}
	leased := make(map[string]lease.ID)
	for _, kv := range all.KVs {
		if kv.Lease == 0 {
			continue
		}
		id := lease.ID(kv.Lease)
		if leased[string(kv.Key)] = id; !s.leases.Has(id) {
			return fmt.Errorf("kv: invariant 1: %q belongs to lease %x, which is not there", kv.Key, id)
		}
	}
	attached := 0
	s.leases.Each(func(id lease.ID, keys []string) {
		attached += len(keys)
		for _, key := range keys {
			if leased[key] != id {
				err = fmt.Errorf("kv: invariant 2: lease %x has %q, which belongs to %x",
					id, key, leased[key])
			}
		}
	})
	if err == nil && attached != len(leased) {
		err = fmt.Errorf("kv: invariant 2: %d keys have leases, leases have %d", len(leased), attached)
	}
	if err == nil && s.trimmed > s.mvcc.Compacted() {
		err = fmt.Errorf("kv: invariant 3: trimmed up to %d, compacted up to %d",
			s.trimmed, s.mvcc.Compacted())
	}
	return err
}
