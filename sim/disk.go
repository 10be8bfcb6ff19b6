package sim

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"detcd/consensus/replica"
	"detcd/storage/vfs"
)

// disk is what one member stores on: crashable memory behind a judge that makes it slow, full,
// failing or wrong.
//
// Many fields: each way of being wrong is one.
type disk struct {
	world       *world
	member      *member
	memory      *vfs.Memory
	fs          vfs.FS
	incarnation uint64 // of the next data directory that is made on it

	slow      time.Duration // every operation takes longer
	syncSlow  time.Duration // so do those of the log
	bulkSlow  time.Duration // and those of the background lane
	stalled   bool
	readError int64 // percent
	writeErr  int64
	syncError int64
	misdirect int64
	full      bool
	healsAt   int64 // errors of a while ago still explain an end
	cut       int   // a crash comes after so many changes; negative: none
	trap      *trap
	trapped   bool // it sprang: the member crashes when the operation returns

	damaged bool // bits were flipped or moved: it may be refused
	forgot  bool // it was wiped or put back: it must be refused
	wiped   bool // it was wiped: it may promise nothing more
}

var (
	errDisk = errors.New("input/output error")
	errCut  = errors.New("the machine crashes")
)

func (d *disk) format(w *world, m *member) {
	d.world, d.member = w, m
	d.memory, d.incarnation, d.cut = vfs.NewMemory(), m.random.Uint64(), -1
	d.fs = vfs.Wrap((*view)(d), d.judge)
}

// view passes operations on to the memory of the moment: a crash replaces it.
type view disk

func (v *view) Create(name string) (vfs.File, error) { return v.memory.Create(name) }
func (v *view) Open(name string) (vfs.File, error)   { return v.memory.Open(name) }
func (v *view) Remove(name string) error             { return v.memory.Remove(name) }
func (v *view) Rename(from, to string) error         { return v.memory.Rename(from, to) }
func (v *view) List(dir string) ([]string, error)    { return v.memory.List(dir) }
func (v *view) MkdirAll(dir string) error            { return v.memory.MkdirAll(dir) }
func (v *view) SyncDir(dir string) error             { return v.memory.SyncDir(dir) }

// judge decides what becomes of an operation.
func (d *disk) judge(op vfs.Op) vfs.Verdict {
	if d.trapped {
		return vfs.Verdict{Err: errCut}
	}
	if d.trap != nil && d.trap.springs(op) {
		after := d.trap.after
		d.trap, d.trapped = nil, true
		if !after {
			return vfs.Verdict{Err: errCut}
		}
		return vfs.Verdict{}
	}
	if d.cut >= 0 && op.Kind.Changes() {
		if d.cut == 0 {
			partial := 0
			if op.Length > 0 {
				partial = d.world.diskRandom.IntN(op.Length)
			}
			return vfs.Verdict{Err: errCut, Partial: partial}
		}
		d.cut--
	}
	if d.plantSync(op) {
		return vfs.Verdict{Lie: true}
	}
	chance := func(percent int64) bool {
		return percent > 0 && d.world.diskRandom.Int64N(100) < percent
	}
	switch op.Kind {
	case vfs.Read:
		if chance(d.readError) {
			return vfs.Verdict{Err: errDisk}
		}
	case vfs.Write:
		if chance(d.writeErr) {
			return vfs.Verdict{Err: errDisk, Partial: d.world.diskRandom.IntN(op.Length + 1)}
		}
		if chance(d.misdirect) && strings.HasPrefix(op.Name, "archive/") {
			d.damaged = true
			return vfs.Verdict{Shift: 512}
		}
	case vfs.Sync, vfs.SyncDir:
		if chance(d.syncError) {
			return vfs.Verdict{Err: errDisk}
		}
	case vfs.Allocate, vfs.Create:
		if d.full {
			return vfs.Verdict{Err: vfs.ErrNoSpace}
		}
	}
	return vfs.Verdict{}
}

// failing says whether an error of the disk is no surprise.
func (d *disk) failing() bool {
	return d.readError+d.writeErr+d.syncError > 0 || d.full || d.cut >= 0 || d.trapped ||
		d.world.now < d.healsAt
}

// writeTime is how long a write of the log takes.
func (d *disk) writeTime(write *replica.Write) time.Duration {
	v, size := &d.world.options.World, 0
	for _, record := range write.Records {
		size += len(record)
	}
	low := v.duration(SyncTime)
	took := d.time(between(d.world.diskRandom, low, 10*low) + v.diskTime(size) + d.syncSlow)
	d.world.sawIf(took > v.electionTimeout(), "disk-late")
	return took
}

// bulkTime is how long a step in the background takes.
func (d *disk) bulkTime(bulk *replica.BackgroundTask) time.Duration {
	v, size := &d.world.options.World, 0
	if bulk.Stage != nil {
		size = len(bulk.Stage.Data)
	} else if bulk.Checkpoint == nil {
		size = int(v[ArchiveStep])
	}
	low := v.duration(BulkTime)
	return d.time(between(d.world.diskRandom, low, 8*low) + v.diskTime(size) + d.bulkSlow)
}

// diskTime is how long a disk writes so many bytes.
func (v *Surroundings) diskTime(size int) time.Duration {
	if v[DiskBandwidth] == 0 {
		return 0
	}
	return time.Duration(int64(size) * s / v[DiskBandwidth])
}

func (d *disk) time(base time.Duration) time.Duration {
	if d.stalled { // what hangs goes on when all heals
		until := min(d.healsAt, int64(d.world.options.Duration))
		base += time.Duration(max(until-d.world.now, 0))
	}
	return base + d.slow
}

// crash leaves what the device would hold. An operation that was under way got to some point of
// its work: what it wrote until then is on the device, as far as choose lets it survive.
func (d *disk) crash(choose *rand.Rand) {
	d.memory, d.trapped = d.memory.CrashClone(choose), false
}

// interrupt carries out a part of what is under way, before a crash.
func (d *disk) interrupt(random *rand.Rand) {
	m := d.member
	if m.write != nil && random.IntN(2) == 0 {
		d.cut = random.IntN(4)
		_ = m.driver.Do(m.write)
	}
	if m.bulk != nil && random.IntN(2) == 0 {
		d.cut = random.IntN(12)
		_ = m.driver.DoBackground(m.bulk)
	}
	d.cut = -1
}

// wipe puts an empty disk in its place.
func (d *disk) wipe() {
	d.memory, d.incarnation = vfs.NewMemory(), d.member.random.Uint64()
	d.damaged, d.forgot, d.wiped = false, true, true
}

// restoreCopy puts the disk back to an earlier state.
func (d *disk) restoreCopy(copied *vfs.Memory) { d.memory, d.forgot = copied, true }

// torn is told that recovery cut the end of the log. After damage that may be more than a crash
// would have torn: acknowledged entries may be gone, unseen. No member can know; the budget counts
// it as lost, so its operator replaces it before it speaks.
func (d *disk) torn() {
	if d.damaged {
		d.member.end("the end of its damaged log was cut")
	}
}

// flip flips a bit in the middle of one of the files of a directory. It returns the name of the
// file, empty when there was none.
func (d *disk) flip(dir string, random *rand.Rand) string {
	names, err := d.memory.List(dir)
	names = slices.DeleteFunc(names, func(name string) bool { // one that is a directory
		_, err := d.memory.List(dir + "/" + name)
		return err == nil
	})
	if err != nil || len(names) == 0 {
		return ""
	}
	name := dir + "/" + names[random.IntN(len(names))]
	file, err := d.memory.Open(name)
	if err != nil {
		return ""
	}
	size, err := file.Size()
	if err != nil || size == 0 {
		return ""
	}
	offset := random.Int64N(size)
	b := make([]byte, 1)
	if _, err := file.ReadAt(b, offset); err != nil {
		return ""
	}
	b[0] ^= 1 << random.IntN(8)
	if _, err := file.WriteAt(b, offset); err != nil || file.Sync() != nil {
		return ""
	}
	d.damaged = true
	return name
}
