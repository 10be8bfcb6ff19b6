package server

import (
	"sync/atomic"

	"detcd/kv"
	"detcd/storage/archive"
	"detcd/storage/vfs"
)

// A machine is the store, and publishes its sizes when they have changed. Only the owner may ask
// the store, and anyone may ask for a status.
type machine struct {
	*kv.Store
	stats atomic.Pointer[archive.Stats]
}

func newMachine(options kv.Options) *machine {
	m := &machine{Store: kv.New(options)}
	m.stats.Store(new(archive.Stats))
	return m
}

func (m *machine) publish() {
	stats := m.Store.Stats()
	m.stats.Store(&stats)
}

// Due passes the news on at every tick of a leader.
func (m *machine) Due(now int64) [][]byte {
	m.publish()
	return m.Store.Due(now)
}

// BulkDone passes the news on: a step changes what is on disk.
func (m *machine) BulkDone(step *archive.Step) {
	m.Store.BulkDone(step)
	m.publish()
}

// Saved passes the news on: what no checkpoint names may go.
func (m *machine) Saved(segments []archive.Segment) {
	m.Store.Saved(segments)
	m.publish()
}

// Restore replaces everything.
func (m *machine) Restore(
	fs vfs.FS, dir string, state []byte, segments []archive.Segment,
) error {
	if err := m.Store.Restore(fs, dir, state, segments); err != nil {
		return err
	}
	m.publish()
	return nil
}
