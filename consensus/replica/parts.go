package replica

import (
	"errors"
	"fmt"
	"io/fs"
	"math"

	"detcd/storage/archive"
	"detcd/storage/checkpoint"
	"detcd/storage/vfs"
	"detcd/storage/wal"
)

// A data directory has three parts, and each may be lost, kept from an earlier time, or taken from
// somebody else without the others: a log on a disk of its own that was not mounted, a checkpoint
// that a backup brought back. What is left would often make a member that starts, and has
// forgotten. So the parts know each other:
//
//	log          begins with the start of its member's first run, and has the start of each run
//	checkpoint   names a position of the log that was durable when it was made
//	archive      has in "start" the position of the log behind the start of the last run
//
// The log is what a member promises by, so it leads: a run appends its start to the log, then
// notes the position behind that in the archive, then saves the checkpoint anew, with that
// position. A position is found in no other log, and not in a copy that is older than the run. So
// the log is refused unless it has been where the two others saw it; a checkpoint or an archive
// that is older than the log is as good as a newer one, if the log still reaches back to it.
//
//  1. The log of a member moves to another disk, a copy of it stays behind.
//  2. The member runs, then is started without --wal-dir: it finds the copy.
//  3. The archive names the start of the run in between. The copy does not have it.
//
// A new directory is made in the same order, and the checkpoint is last. So where there is none,
// nothing was promised unless the log has more than starts: then the checkpoint was lost.
//
// All parts together may be an older copy; nothing in them can tell. A leader that hears of it
// knows (see receiveRaft). Nor is it seen that the last segments of a log are gone, if the start of
// the last run and the last checkpoint are older than they.

// startDir is where the archive has the position of the log behind the start of the last run.
const startDir = archiveDir + "/start"

// startVersion is the version of what is written there.
const startVersion = 1

// parts are what the parts of a directory say of each other.
type parts struct {
	saved  *checkpointState // the checkpoint; nil: no member began here
	run    uint64           // the number under which the archive has a start; 0: it has none
	passed []wal.Position   // where the log must have been
	begun  bool             // all parts know of the present run
}

// readParts reads what the checkpoint and the archive say, and changes nothing. It refuses a
// directory in which one of them, or the log, must have been lost; what they say of the log is for
// who opens it.
func readParts(o *Options) (p parts, err error) {
	number, blob, err := checkpoint.Load(o.FS, checkpointDir)
	if err != nil {
		return p, fmt.Errorf("load the checkpoint: %w", err)
	}
	var start []byte
	if p.run, start, err = checkpoint.Load(o.FS, startDir); err != nil {
		return p, fmt.Errorf("load the start of the last run: %w", err)
	}
	var by identity
	if p.run > 0 {
		var at wal.Position
		if by, at, err = decodeStart(start); err != nil {
			return p, err
		}
		p.passed = append(p.passed, at)
	}
	if number == 0 {
		return p, p.checkUnused(o)
	}
	if p.saved, err = decodeCheckpoint(blob); err != nil {
		return p, err
	}
	p.saved.number = number
	if p.run == 0 {
		return p, p.checkOld(o)
	}
	if by != p.saved.identity {
		return p, fmt.Errorf("%w: the archive is of %s, and the checkpoint of %s", ErrParts, by,
			p.saved.identity)
	}
	p.passed = append(p.passed, p.saved.passed)
	return p, nil
}

// checkUnused refuses a directory without a checkpoint unless no member began there.
func (p *parts) checkUnused(o *Options) error {
	records, err := wal.Read(o.WAL, o.WALDir, p.passed...)
	if err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	for _, record := range records {
		if _, ok := decodeStartRecord(record.Data); !ok {
			return fmt.Errorf("%w: there is a log, with records up to %d, and no checkpoint", ErrParts,
				records[len(records)-1].Sequence)
		}
	}
	report, err := archive.Check(o.FS, archiveDir, nil)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err == nil && len(report.Unnamed) > 0:
		err = fmt.Errorf("%w: there is an archive of %d segments and no checkpoint, which was lost, "+
			"or a restore was interrupted", ErrParts, len(report.Unnamed))
	}
	return err
}

// checkOld looks at a directory whose archive has no start: a program that did not write any made
// it, and its checkpoint says nothing of the log but from where it is needed.
func (p *parts) checkOld(o *Options) error {
	if p.saved.passed != (wal.Position{}) {
		return fmt.Errorf("%w: there is a checkpoint and no archive that belongs to it", ErrParts)
	}
	exists, err := wal.Exists(o.WAL, o.WALDir)
	if err == nil && !exists {
		err = fmt.Errorf("%w: there is a checkpoint and no log", ErrParts)
	}
	return err
}

// beginRun tells all parts that a run begins. An error before the log has it changes nothing.
func (o *Options) beginRun(log *wal.Log, c *checkpointState, run uint64) error {
	if err := log.Append([][]byte{appendStartRecord(nil, c.identity, o.SessionID)}); err != nil {
		return fmt.Errorf("write the log: %w", err)
	}
	c.passed = log.Position()
	if err := checkpoint.Save(o.FS, startDir, run, encodeStart(c.identity, c.passed)); err != nil {
		return err
	}
	return checkpoint.Save(o.FS, checkpointDir, c.number, c.encode())
}

// resume begins a run of a member that was there before. On a full device the parts stay as they
// are, and belong together as before.
func (p *parts) resume(o *Options, log *wal.Log) error {
	if p.begun {
		return nil
	}
	p.saved.number++
	err := o.beginRun(log, p.saved, p.run+1)
	if errors.Is(err, vfs.ErrNoSpace) {
		return nil
	}
	p.begun = err == nil
	return err
}

// makeDirectory makes the parts of a new member.
func (o *Options) makeDirectory(run uint64, first *checkpointState) (*wal.Log, error) {
	for _, dir := range []string{checkpointDir, archiveDir} {
		if err := vfs.MakeDir(o.FS, dir); err != nil {
			return nil, err
		}
	}
	log, _, err := wal.Open(o.WAL, o.WALDir, 1, o.WALOptions)
	if err != nil {
		return nil, fmt.Errorf("make the log: %w", err)
	}
	first.walFrom = log.Next()
	if err := o.beginRun(log, first, run); err != nil {
		return nil, joinClose(err, log)
	}
	return log, nil
}

func (i identity) String() string {
	return fmt.Sprintf("member %x of cluster %x, incarnation %x", uint64(i.member), i.cluster,
		i.incarnation)
}

func (w *writer) identity(i identity) {
	w.fixed(i.cluster)
	w.fixed(uint64(i.member))
	w.fixed(i.incarnation)
}

func (r *reader) identity() identity {
	return identity{r.fixed(), MemberID(r.fixed()), r.fixed()}
}

func (w *writer) position(p wal.Position) {
	w.uvarint(uint64(p.Sequence))
	w.uvarint(uint64(p.Chain))
}

func (r *reader) position() wal.Position {
	sequence, chain := r.uvarint(), r.uvarint()
	r.bad = r.bad || chain > math.MaxUint32
	return wal.Position{Sequence: wal.Sequence(sequence), Chain: uint32(chain)}
}

func encodeStart(by identity, at wal.Position) []byte {
	w := writer{}
	w.byte(startVersion)
	w.identity(by)
	w.position(at)
	return w.bytes
}

func decodeStart(blob []byte) (identity, wal.Position, error) {
	r := reader{bytes: blob}
	if version := r.byte(); version != startVersion {
		return identity{}, wal.Position{}, fmt.Errorf("%w: the start of a run, of version %d, this "+
			"program knows %d", ErrVersion, version, startVersion)
	}
	by, at := r.identity(), r.position()
	if r.bad || len(r.bytes) > 0 {
		return by, at, fmt.Errorf("replica: malformed start of a run, of %d bytes", len(blob))
	}
	return by, at, nil
}

// appendStartRecord makes the record of the log with which a run begins. The number of the run
// makes it unlike any other, and so every position behind it.
func appendStartRecord(buffer []byte, by identity, boot uint64) []byte {
	w := writer{buffer}
	w.byte(recordStart)
	w.identity(by)
	w.fixed(boot)
	return w.bytes
}

func decodeStartRecord(data []byte) (by identity, ok bool) {
	r := reader{bytes: data}
	if r.byte() != recordStart {
		return identity{}, false
	}
	by = r.identity()
	r.fixed()
	return by, !r.bad && len(r.bytes) == 0
}
