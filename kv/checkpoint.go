package kv

import (
	"encoding/binary"
	"errors"
	"fmt"

	"detcd/kv/auth"
	"detcd/kv/lease"
	"detcd/kv/v2"
	"detcd/storage/archive"
	"detcd/storage/vfs"
)

// ErrDamaged says that bytes are not a checkpoint of a Store.
var ErrDamaged = errors.New("kv: not a checkpoint")

// formatVersion is the highest first byte of a checkpoint. Version 5:
//
//	┌────────────┬─────────┬───────────────────────────────────────────────────────┐
//	│ version: 5 │ digest  │ leases, mvcc, alarms, auth, downgrade, tree, of each: │
//	│ 1 byte     │ 8 bytes │ length in uvarint, bytes                              │
//	└────────────┴─────────┴───────────────────────────────────────────────────────┘
//
// The digest is little-endian. A later version may add parts behind these. Version 1, without
// alarms and auth, and version 2, without auth, are still read; version 4, without the tree of v2,
// is written as long as that was not used, and version 3 while no downgrade is under way either.
const formatVersion = 5

// parts are what a checkpoint consists of.
type parts struct {
	digest                     digest
	leases, mvcc, alarms, auth []byte
	downgrade, tree            []byte
}

func (p *parts) encode() []byte {
	version := byte(formatVersion)
	if len(p.tree) == 0 {
		if version--; len(p.downgrade) == 0 {
			version--
		}
	}
	out := make([]byte, 0, 1+8+6*binary.MaxVarintLen64+
		len(p.leases)+len(p.mvcc)+len(p.alarms)+len(p.auth)+len(p.downgrade)+len(p.tree))
	out = append(out, version)
	out = binary.LittleEndian.AppendUint64(out, uint64(p.digest))
	for _, part := range p.list(version) {
		out = append(binary.AppendUvarint(out, uint64(len(*part))), *part...)
	}
	return out
}

// list lists the parts that a version has, in their order.
func (p *parts) list(version byte) []*[]byte {
	all := []*[]byte{&p.leases, &p.mvcc, &p.alarms, &p.auth, &p.downgrade, &p.tree}
	return all[:version+1]
}

func decodeParts(state []byte) (p parts, err error) {
	if len(state) < 9 || state[0] == 0 || state[0] > formatVersion {
		return p, fmt.Errorf("%w: %d bytes, or of another version than %d",
			ErrDamaged, len(state), formatVersion)
	}
	p.digest = digest(binary.LittleEndian.Uint64(state[1:]))
	rest := state[9:]
	for _, part := range p.list(state[0]) {
		length, n := binary.Uvarint(rest)
		if n <= 0 || length > uint64(len(rest)-n) {
			return p, fmt.Errorf("%w: it ends too early", ErrDamaged)
		}
		*part, rest = rest[n:n+int(length)], rest[n+int(length):]
	}
	if len(rest) > 0 {
		return p, fmt.Errorf("%w: %d bytes follow its end", ErrDamaged, len(rest))
	}
	return p, nil
}

// Checkpoint gives the state as of the last Apply, the segments that belong to it, and the step
// that makes those durable. It costs what mvcc's does, some 20 bytes a lease, and all users and
// roles: some 100 bytes a user, and the keys of the permissions; and the whole tree of v2 with its
// window, which are bounded (v2.BytesMax, v2.EventBytesMax).
func (s *Store) Checkpoint() (state []byte, segments []archive.Segment, flush *archive.Step) {
	history, segments, flush := s.mvcc.Checkpoint()
	p := parts{digest: s.digest, leases: s.leases.Checkpoint(), mvcc: history,
		alarms: s.alarms.Load().encode(), auth: s.auth.Checkpoint(),
		downgrade: []byte(s.Downgrade()), tree: s.treeState()}
	return p.encode(), segments, flush
}

// Restore replaces everything by what a checkpoint describes; a nil state is that of a new cluster.
// The store does not lead afterwards. After an error it is of no use but to Restore.
func (s *Store) Restore(fs vfs.FS, dir string, state []byte, segments []archive.Segment) error {
	s.leases, s.digest, s.trimmed, s.view = &lease.Book{}, 0, -1, nil
	s.auth, s.tree = auth.New(), v2.New()
	s.tokens.Clear()
	raised := alarms(nil)
	var p parts
	if state != nil {
		var err error
		if p, err = decodeParts(state); err != nil {
			return err
		}
		if s.leases, err = lease.Restore(p.leases); err != nil {
			return fmt.Errorf("kv: restore: %w", err)
		}
		if raised, err = decodeAlarms(p.alarms); err != nil {
			return err
		}
		if p.auth != nil {
			if s.auth, err = auth.Restore(p.auth); err != nil {
				return fmt.Errorf("kv: restore: %w", err)
			}
		}
		if err := Downgrade(p.downgrade).valid(); err != nil {
			return err
		}
		if s.tree, err = v2.Restore(p.tree); err != nil {
			return fmt.Errorf("kv: restore: %w", err)
		}
		s.digest = p.digest
	}
	s.alarms.Store(&raised)
	downgrade := Downgrade(p.downgrade)
	s.downgrade.Store(&downgrade)
	s.published.Store(s.auth.View())
	orphan := lease.None
	err := s.mvcc.Restore(fs, dir, p.mvcc, segments, func(key []byte, owner int64) {
		switch id := lease.ID(owner); {
		case id == lease.None:
		case s.leases.Has(id):
			s.leases.Attach(id, key)
		default:
			orphan = id
		}
	})
	if err != nil {
		return fmt.Errorf("kv: restore: %w", err)
	}
	if orphan != lease.None {
		return fmt.Errorf("%w: a key belongs to lease %x, which is not there",
			ErrDamaged, uint64(orphan))
	}
	return nil
}

// Saved says that a durable checkpoint names exactly these segments.
func (s *Store) Saved(segments []archive.Segment) { s.mvcc.Saved(segments) }

// StorageStep gives the next step of background storage work, nil when there is none. It ends the
// member when what a compaction left to be done could not be done.
func (s *Store) StorageStep() *archive.Step {
	step := s.mvcc.StorageStep()
	must(s.mvcc.Failed())
	return step
}

// StorageStepDone says that a StorageStep, or the flush of a checkpoint, was executed.
func (s *Store) StorageStepDone(step *archive.Step) { s.mvcc.StorageStepDone(step) }
