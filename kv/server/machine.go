package server

import (
	"log/slog"
	"sync/atomic"
	"time"

	"detcd/kv"
	"detcd/storage/archive"
	"detcd/storage/vfs"
)

// A machine is the store, and publishes its sizes when they have changed. Only the owner may ask
// the store, and anyone may ask for a status.
type machine struct {
	*kv.Store
	sizes  atomic.Pointer[sizes]
	latest atomic.Int64 // revision
	bytes  int          // of commands since the sizes were published
	timer  *stopwatch
	log    *slog.Logger
	ended  int64 // the compaction of which it was told last that it is finished

	compactions compactions
}

// sizes are what the store takes.
type sizes struct {
	archive.Stats
	used     int64  // of the quota
	released uint64 // records that compactions have let go of
}

func newMachine(options kv.Options, timer *stopwatch, log *slog.Logger) *machine {
	m := &machine{Store: kv.New(options), timer: timer, log: log}
	m.sizes.Store(new(sizes))
	return m
}

func (m *machine) publish() {
	m.sizes.Store(&sizes{m.Store.Stats(), m.Store.Used(), m.Store.Released()})
	m.bytes = 0
}

// revision is that of the last write. Any goroutine may ask for it.
func (m *machine) revision() int64 { return m.latest.Load() }

// publishBytes is after how much news is passed on, so that a quota is not exceeded by much.
const publishBytes = 16 << 10

// Apply passes the news on from time to time.
func (m *machine) Apply(index uint64, command []byte, local bool) any {
	begun := time.Now()
	answer := m.Store.Apply(index, command, local)
	m.timer.ran(command, time.Since(begun), answer)
	m.latest.Store(m.Store.Revision())
	m.compactions.began(m.Compacted(), begun)
	if m.bytes += len(command); m.bytes > publishBytes {
		m.publish()
	}
	return answer
}

// Due passes the news on at every tick of a leader.
func (m *machine) Due(now int64) [][]byte {
	m.publish()
	return m.Store.Due(now)
}

// StorageStep passes the news on that a compaction has made room. A member that is full applies
// nothing that would.
func (m *machine) StorageStep() *archive.Step {
	begun := time.Now()
	step := m.Store.StorageStep()
	if m.compactions.revision > m.ended {
		m.compactions.pauses.Add(compactionScale, time.Since(begun))
	}
	if m.Used() < m.sizes.Load().used {
		m.publish()
	}
	m.tellFinished()
	return step
}

// tellFinished tells of a compaction that has let go of everything, in etcd's words.
func (m *machine) tellFinished() {
	revision, hash := m.Finished()
	if revision <= m.ended {
		return
	}
	m.ended = revision
	m.compactions.finished()
	stats := m.Stats()
	m.log.Info("finished scheduled compaction", slog.Int64("compact-revision", revision),
		slog.Uint64("hash", uint64(hash)),
		slog.Int64("current-db-size-bytes", stats.Disk+stats.Unwritten),
		slog.Int64("current-db-size-in-use-bytes", stats.Live))
}

// StorageStepDone passes the news on: a step changes what is on disk.
func (m *machine) StorageStepDone(step *archive.Step) {
	m.Store.StorageStepDone(step)
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
	m.latest.Store(m.Store.Revision())
	m.ended, _ = m.Finished()
	m.compactions.revision = m.Compacted()
	m.publish()
	return nil
}
