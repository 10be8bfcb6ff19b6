package kv

import (
	"fmt"
	"slices"

	"detcd/kv/auth"
	"detcd/kv/lease"
	"detcd/kv/mvcc"
	"detcd/storage/archive"
	"detcd/storage/vfs"
)

// An Importer makes the state of a new cluster from what etcd has stored.
type Importer struct {
	history *mvcc.Importer
	leases  lease.Book
	alarms  alarms
	auth    *auth.Book
}

// NewImporter begins in a directory for the archive, which must be there and empty.
func NewImporter(fs vfs.FS, dir string, options Options) (*Importer, error) {
	history, err := mvcc.NewImporter(fs, dir, mvcc.Options{Archive: options.Archive})
	if err != nil {
		return nil, err
	}
	return &Importer{history: history, auth: auth.New()}, nil
}

// Grant adds a lease.
func (m *Importer) Grant(id lease.ID, ttl lease.Seconds) error {
	if _, err := m.leases.Grant(id, ttl); err != nil {
		return fmt.Errorf("kv: import lease %x: %w", uint64(id), err)
	}
	return nil
}

// Raise adds an alarm.
func (m *Importer) Raise(one Alarm) error {
	at, found := slices.BinarySearchFunc(m.alarms, one, compareAlarms)
	if !found {
		m.alarms = slices.Insert(m.alarms, at, one)
	}
	return nil
}

// Users says who may do what.
func (m *Importer) Users(book *auth.Book) { m.auth = book }

// Add takes the next change of history, as mvcc.Importer does.
func (m *Importer) Add(revision, change []byte) error { return m.history.Add(revision, change) }

// Revision is that of the last change.
func (m *Importer) Revision() int64 { return m.history.Revision() }

// Finish gives what Store.Restore needs, for a store at a revision and compacted at another.
func (m *Importer) Finish(
	revision, compacted int64,
) (state []byte, segments []archive.Segment, err error) {
	history, segments, err := m.history.Finish(revision, compacted)
	if err != nil {
		return nil, nil, err
	}
	p := parts{leases: m.leases.Checkpoint(), mvcc: history,
		alarms: m.alarms.encode(), auth: m.auth.Checkpoint()}
	return p.encode(), segments, nil
}
