package wal

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"path"

	"detcd/storage/vfs"
)

// Sequence is the number of a record since the log was created; the first is 1.
type Sequence uint64

// Options sizes a log.
type Options struct {
	// SegmentSize is how many bytes are reserved on the device at a time; 0 means 64 MiB. A batch
	// that is larger gets a segment of its own size.
	SegmentSize int64
	// Passed are positions that the log had when the caller wrote them down. One that never was
	// there is refused: it is another log, or an older copy, or has lost its end.
	Passed []Position
}

// Record is one entry of the log. Data shares memory with all records of its segment: copy what is
// kept for long.
type Record struct {
	Sequence Sequence
	Data     []byte
}

// Torn is what a crash left of a batch that was being written, which Open has cut away.
type Torn struct {
	File           string
	Offset, Length int64
	Reason         string
}

// Recovery is what Open found.
type Recovery struct {
	Records []Record // in order and without a gap, from the wanted one on
	Torn    *Torn    // nil when the log ended cleanly
}

// Report is what Check found.
type Report struct {
	First, Next Sequence // the log holds the records First to Next-1
	Segments    int
	Bytes       int64 // on the device
	Torn        *Torn // what Open would cut
}

// Log appends batches of records to a directory of segments. It belongs to one goroutine.
//
//  1. All batches before next are durable.
//  2. From offset on the current segment reads as zeros; up to written they were really written.
//  3. At most one segment comes after the current one: the spare, which reads as zeros. Its name,
//     its size and its blocks are durable once it is ready.
type Log struct {
	fs          vfs.FS
	dir         string
	segmentSize int64

	next    Position
	older   []segment // those before the current one
	current segment   // number 0: no segment is begun
	offset  int64     // where the next batch goes
	written int64
	spare   segment
	ready   bool

	buffer []byte
	lack   error // why there was no room for a spare the last time
	failed error // why nothing more can be appended
}

// A segment is one file of the log.
type segment struct {
	number uint64
	start  Position // of its first batch
	size   int64
	file   vfs.File // of the current one and the spare
}

// zeroAhead is how many zeros are written behind a batch when it comes to blocks that were only
// reserved. The system notes for each block whether it was ever written, and a sync must write that
// note too; this way it does for one batch of many. The buffer is that much longer than a batch.
const zeroAhead = 256 << 10

// bufferKeep is the largest buffer that waits for the next batch.
const bufferKeep = 8 << 20

// Open reads the log in dir from the record with the sequence from on, and makes it ready for
// Append. It creates an empty log when dir has none, from is at most 1 and nothing was passed. A
// missing record, a from beyond the next record, a log that was not at a position that it must have
// passed, and any damage but a torn last batch, is a *vfs.CorruptionError; a log of a newer program
// is a *vfs.VersionError. Where it is refused nothing is changed.
func Open(fs vfs.FS, dir string, from Sequence, options Options) (*Log, *Recovery, error) {
	l := &Log{fs: fs, dir: dir, segmentSize: segmentSizeDefault}
	if options.SegmentSize > 0 {
		l.segmentSize = min(max(options.SegmentSize, segmentSizeMin), segmentSizeMax)
	}
	recovery, err := l.open(from, options.Passed)
	if err == nil {
		err = l.reserve()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("wal: open %s: %w", dir, errors.Join(err, l.Close()))
	}
	return l, recovery, nil
}

func (l *Log) open(from Sequence, passed []Position) (*Recovery, error) {
	segments, err := list(l.fs, l.dir)
	if err != nil {
		return nil, err
	}
	r := reader{fs: l.fs, dir: l.dir, segments: segments, keep: from, passed: passed}
	if err := r.read(from); err != nil {
		return nil, err
	}
	if err := vfs.MakeDir(l.fs, l.dir); err != nil {
		return nil, err
	}
	err = l.fs.Remove(path.Join(l.dir, unnamed))
	if err != nil && !errors.Is(err, iofs.ErrNotExist) {
		return nil, err
	}
	if err := l.settle(&r); err != nil {
		return nil, err
	}
	return &Recovery{r.records, r.torn}, nil
}

// settle makes durable what was read. A process may have died, and not the system, between a write
// and its sync: then recovery sees bytes and names that a later crash of the system could still
// take away, although the replica has acted on them.
func (l *Log) settle(r *reader) (err error) {
	if err := l.fs.SyncDir(l.dir); err != nil {
		return err
	}
	l.next = r.at
	for i, s := range r.segments {
		known := segment{number: s.number, start: s.header.start, size: s.size}
		if i >= r.last {
			if known.file, err = l.fs.Open(s.name); err != nil {
				return err
			}
		}
		switch {
		case i < r.last:
			l.older = append(l.older, known)
		case i == r.last:
			l.current, l.offset, l.written = known, r.offset, r.offset
		default:
			l.spare = known
		}
		if r.torn != nil && r.torn.File == s.name {
			if err := erase(known.file, r.torn); err != nil {
				return err
			}
		}
	}
	if r.last < 0 {
		return nil
	}
	return l.current.file.Sync()
}

// erase puts zeros where a torn batch was. It is durable before the next batch is written, or else
// a crash could mix the two: settle syncs the current segment, and makeSpare the spare.
func erase(file vfs.File, torn *Torn) error {
	_, err := file.WriteAt(make([]byte, torn.Length), torn.Offset)
	return err
}

// Next returns the sequence that the next record will get.
func (l *Log) Next() Sequence { return l.next.Sequence }

// Position returns where the next batch will go: every batch before it is durable.
func (l *Log) Position() Position { return l.next }

// Append makes a batch durable: all of it, or after a crash perhaps none. The batch may be empty:
// then nothing is written, but a missing spare segment is tried again. After an error the log is
// unusable, except one that is vfs.ErrNoSpace: then nothing was written and Append may be repeated.
func (l *Log) Append(batch [][]byte) error {
	if l.failed != nil {
		return l.failed
	}
	var err error
	if len(batch) > 0 {
		err = l.append(batch)
	}
	if err == nil {
		err = l.reserve()
	}
	if err != nil && !errors.Is(err, vfs.ErrNoSpace) {
		l.failed = err
	}
	return err
}

func (l *Log) append(batch [][]byte) error {
	size := batchSize(batch)
	if size > batchSizeMax {
		return fmt.Errorf("wal: a batch of %d bytes, %d are possible", size, int64(batchSizeMax))
	}
	if size > l.current.size-l.offset {
		if err := l.rotate(size); err != nil {
			return err
		}
	}
	b := l.buffer[:0]
	if l.offset == 0 {
		h := header{number: l.current.number, size: l.current.size, start: l.next}
		b = h.append(b)
	}
	at := l.offset + int64(len(b))
	b, next := appendBatch(b, l.next, l.current.start.Chain, at, batch)
	end := l.offset + int64(len(b))
	if end > l.written {
		l.written = min(end+zeroAhead, l.current.size)
		b = append(b, make([]byte, l.written-end)...)
	}
	l.buffer = b
	// What a failed write leaves is not known, so its error must not look like a harmless one.
	if _, err := l.current.file.WriteAt(b, l.offset); err != nil {
		return fmt.Errorf("wal: write segment %d: %v", l.current.number, err)
	}
	if err := l.current.file.Sync(); err != nil {
		return fmt.Errorf("wal: sync segment %d: %v", l.current.number, err)
	}
	if cap(l.buffer) > bufferKeep {
		l.buffer = nil
	}
	l.next, l.offset = next, end
	return nil
}

// rotate begins the spare segment, for a batch of some size. Nothing is written: the header goes
// with the batch.
func (l *Log) rotate(size int64) error {
	if err := l.makeSpare(max(l.segmentSize, segmentHeaderSize+size)); err != nil {
		return err
	}
	if l.current.number > 0 {
		if err := l.current.file.Close(); err != nil {
			return fmt.Errorf("wal: close segment %d: %v", l.current.number, err)
		}
		l.current.file = nil
		l.older = append(l.older, l.current)
	}
	l.current, l.spare, l.ready = l.spare, segment{}, false
	l.current.start = l.next
	l.offset, l.written = 0, 0
	return nil
}

// HasHeadroom says whether there is room for what is to come: half of the current segment, or a
// spare one. While there is not, new work is better refused. Each Append tries again to make room,
// also an empty one.
func (l *Log) HasHeadroom() bool { return l.ready || l.offset < l.current.size/2 }

// Lack is why there was no room the last time that it was looked for.
func (l *Log) Lack() error { return l.lack }

// reserve makes a spare segment when it is time to. It is no error when the device is full:
// HasHeadroom says so.
func (l *Log) reserve() error {
	if l.HasHeadroom() {
		return nil
	}
	err := l.makeSpare(l.segmentSize)
	if l.lack = err; errors.Is(err, vfs.ErrNoSpace) {
		return nil
	}
	return err
}

// makeSpare makes the spare segment ready, with at least some size. It gets its name when it has
// its size: so a segment that is too short for a batch was cut by no crash.
func (l *Log) makeSpare(size int64) error {
	if l.ready && l.spare.size >= size {
		return nil
	}
	name := path.Join(l.dir, unnamed)
	if l.spare.file == nil {
		file, err := l.fs.Create(name)
		if err != nil {
			return fmt.Errorf("wal: create %s: %w", name, err)
		}
		l.spare.file = file
	}
	size = max(size, l.spare.size)
	if err := l.spare.file.Allocate(size); err != nil {
		return fmt.Errorf("wal: allocate %s: %w", name, err)
	}
	if err := l.spare.file.Sync(); err != nil {
		return fmt.Errorf("wal: sync %s: %v", name, err)
	}
	if l.spare.number == 0 {
		l.spare.number = l.current.number + 1
		if err := l.fs.Rename(name, segmentName(l.dir, l.spare.number)); err != nil {
			return fmt.Errorf("wal: rename %s: %v", name, err)
		}
	}
	if err := l.fs.SyncDir(l.dir); err != nil {
		return fmt.Errorf("wal: sync %s: %w", l.dir, err)
	}
	l.spare.size, l.ready = size, true
	return nil
}

// Release deletes the segments whose records all come before the given one. Each is gone durably
// before the next is removed, so that a crash leaves no gap. After vfs.ErrNoSpace it may be
// repeated.
func (l *Log) Release(before Sequence) error {
	for len(l.older) > 0 {
		next := l.current
		if len(l.older) > 1 {
			next = l.older[1]
		}
		if next.start.Sequence > before {
			return nil
		}
		name := segmentName(l.dir, l.older[0].number)
		if err := l.fs.Remove(name); err != nil && !errors.Is(err, iofs.ErrNotExist) {
			return fmt.Errorf("wal: release %s: %w", name, err)
		}
		if err := l.fs.SyncDir(l.dir); err != nil {
			return fmt.Errorf("wal: release %s: %w", name, err)
		}
		l.older = l.older[1:]
	}
	return nil
}

// Close closes the files. It is idempotent.
func (l *Log) Close() error {
	var errs []error
	for _, s := range []*segment{&l.current, &l.spare} {
		if s.file != nil {
			errs = append(errs, s.file.Close())
			s.file = nil
		}
	}
	l.failed = errors.New("wal: the log is closed")
	return errors.Join(errs...)
}
