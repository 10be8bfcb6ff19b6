package sim

import (
	"strings"
	"time"

	"detcd/faults"
	"detcd/storage/vfs"
)

func (f *fates) disk(fault faults.Fault) bool {
	m := f.one(fault, running)
	if m == nil {
		return false
	}
	d := &m.disk
	ms := time.Duration(fault.Amount) * time.Millisecond
	switch fault.Kind {
	case faults.DiskSlow:
		d.slow = ms
		return f.lasting(fault, func() { d.slow = 0 })
	case faults.SyncSlow:
		d.syncSlow = ms
		return f.lasting(fault, func() { d.syncSlow = 0 })
	case faults.BulkSlow:
		d.bulkSlow = ms
		return f.lasting(fault, func() { d.bulkSlow = 0 })
	case faults.DiskStall:
		d.stalled, d.healsAt = true, f.world.now+int64(fault.For)
		return f.lasting(fault, func() { d.stalled = false })
	case faults.DiskFull:
		d.full = true
		return f.lasting(fault, func() { d.full = false; d.late() })
	case faults.ReadError:
		return f.errors(fault, d, &d.readError)
	case faults.WriteError:
		return f.errors(fault, d, &d.writeErr)
	case faults.SyncError:
		return f.errors(fault, d, &d.syncError)
	}
	return f.damage(fault, m)
}

// late remembers that the disk was failing until now: an error may show a little later.
func (d *disk) late() { d.healsAt = d.world.now + int64(5*time.Second) }

func (f *fates) errors(fault faults.Fault, d *disk, value *int64) bool {
	*value = fault.Amount
	return f.lasting(fault, func() { *value = 0; d.late() })
}

// damage changes bytes behind the member's back. It is found at the latest when the member starts
// again, which it does soon; then it is replaced.
func (f *fates) damage(fault faults.Fault, m *member) bool {
	w := f.world
	dirs := map[faults.Kind]string{faults.FlipLog: "wal", faults.FlipArchive: "archive",
		faults.FlipCheckpoint: "checkpoint"}
	if dir, ok := dirs[fault.Kind]; ok {
		name := m.disk.flip(dir, w.diskRandom)
		if name == "" {
			return false
		}
		fault.For = time.Second
	} else {
		m.disk.misdirect = fault.Amount
	}
	f.careful++
	f.lasting(fault, func() {
		f.careful--
		m.disk.misdirect = 0
		if present(m) && m.disk.damaged {
			m.end("its operator knows of the damage")
			w.replaceLater(m)
		}
	})
	return true
}

// trap makes a member crash where it reaches a certain operation of its disk: just before it, or
// when it is done and nothing after it has happened.
type trap struct {
	kind   vfs.Kind
	prefix string // of the name
	after  bool
	skip   int // so many of them first
}

func (t *trap) springs(op vfs.Op) bool {
	if op.Kind != t.kind || !strings.HasPrefix(op.Name, t.prefix) {
		return false
	}
	t.skip--
	return t.skip < 0
}

// failpoint sets a trap for a member. It counts as fired when it springs.
func (f *fates) failpoint(fault faults.Fault) {
	w := f.world
	m := f.one(fault, running)
	if m == nil {
		return
	}
	m.sprung = func() {
		w.fired[fault.Kind]++
		w.event(eventFault, m.number, uint64(fault.Kind), 0, fault.String)
		w.restartLater(m, fault.For)
	}
	switch fault.Kind {
	case faults.FailBeforeSync:
		m.disk.trap = &trap{kind: vfs.Sync, prefix: "wal"}
	case faults.FailAfterSync:
		m.disk.trap = &trap{kind: vfs.Sync, prefix: "wal", after: true}
	case faults.FailBeforeCheckpoint:
		m.disk.trap = &trap{kind: vfs.Create, prefix: "checkpoint"}
	case faults.FailAfterCheckpoint:
		m.disk.trap = &trap{kind: vfs.Rename, prefix: "checkpoint", after: true}
	case faults.FailInStage:
		m.disk.trap = &trap{kind: vfs.Write, prefix: "archive/r", skip: w.faultRandom.IntN(4)}
		f.fallBehind(m)
	case faults.FailBeforeInstall:
		m.disk.trap = &trap{kind: vfs.Sync, prefix: "archive/r"}
		f.fallBehind(m)
	case faults.FailAfterInstall:
		m.disk.trap = &trap{kind: vfs.SyncDir, prefix: "archive", after: true}
	case faults.FailInMerge:
		m.disk.trap = &trap{kind: vfs.Remove, prefix: "archive"}
	case faults.FailInRecovery:
		f.crash(m, w.diskRandom, false)
		m.disk.trap = &trap{kind: vfs.Read, skip: w.faultRandom.IntN(6)}
		w.restartLater(m, 10*time.Millisecond)
	default:
		m.armed = fault.Kind
	}
}

// fallBehind keeps a member away for so long that it will need a snapshot.
func (f *fates) fallBehind(m *member) {
	f.crash(m, f.world.diskRandom, false)
	f.world.restartLater(m, between(f.world.faultRandom, 3*time.Second, 8*time.Second))
}
