package wal

import (
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"math"
	"path"
	"slices"

	"detcd/storage/vfs"
)

// A found is a segment as recovery finds it.
type found struct {
	name   string
	number uint64
	size   int64
	header header
	err    error // why the header is not valid
}

// A reader reads a log from one of its segments to the end, and changes nothing.
type reader struct {
	fs       vfs.FS
	dir      string
	segments []found
	keep     Sequence // which records to keep: those from this one on
	passed   []Position

	records []Record
	first   Position // where reading began
	at      Position // behind the last good batch
	met     int      // how many of passed were found
	last    int      // index of the segment where the log ends; -1: no segment is begun
	offset  int64    // where it ends there
	torn    *Torn    // what follows
}

// list finds the segments of dir and reads their headers.
func list(fs vfs.FS, dir string) ([]found, error) {
	names, err := fs.List(dir)
	if errors.Is(err, iofs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var segments []found
	for _, base := range names { // sorted, so by number
		number, ok := parseName(base)
		if !ok {
			continue
		}
		if n := len(segments); n > 0 && number != segments[n-1].number+1 {
			return nil, &vfs.CorruptionError{File: segmentName(dir, segments[n-1].number+1),
				Reason: "the segment is missing, there are some before and behind it"}
		}
		s, err := inspect(fs, segmentName(dir, number), number)
		if err != nil {
			return nil, err
		}
		segments = append(segments, s)
	}
	return segments, nil
}

// Exists says whether there is any segment of a log in dir.
func Exists(fs vfs.FS, dir string) (bool, error) {
	names, err := fs.List(dir)
	if errors.Is(err, iofs.ErrNotExist) {
		return false, nil
	}
	return slices.ContainsFunc(names, func(name string) bool {
		_, ok := parseName(name)
		return ok
	}), err
}

// Delete removes every segment of the log in dir, if there is one. It is for what was made in vain.
func Delete(fs vfs.FS, dir string) error {
	names, err := fs.List(dir)
	if errors.Is(err, iofs.ErrNotExist) {
		return nil
	}
	for _, name := range names {
		if _, ok := parseName(name); err == nil && (ok || name == unnamed) {
			err = fs.Remove(path.Join(dir, name))
		}
	}
	return err
}

// inspect reads the header of a segment. A header that is valid but not true is damage: no crash
// does that. One that is not valid is for the table to judge.
func inspect(fs vfs.FS, name string, number uint64) (s found, err error) {
	file, err := fs.Open(name)
	if err != nil {
		return s, err
	}
	defer closing(file, &err)
	s = found{name: name, number: number}
	if s.size, err = file.Size(); err != nil {
		return s, err
	}
	b := make([]byte, min(s.size, segmentHeaderSize))
	if _, err := file.ReadAt(b, 0); err != nil && err != io.EOF {
		return s, err
	}
	s.header, s.err = parseHeader(name, b)
	var newer *vfs.VersionError
	switch {
	case errors.As(s.err, &newer):
		return s, s.err
	case s.size < segmentSizeMin:
		return s, &vfs.CorruptionError{File: name, Offset: s.size,
			Reason: "the segment is too short for a batch"}
	case s.size > segmentSizeMax:
		return s, &vfs.CorruptionError{File: name, Offset: segmentSizeMax,
			Reason: "no segment is so long"}
	case s.err == nil && s.header.size != s.size:
		return s, &vfs.CorruptionError{File: name, Offset: min(s.size, s.header.size),
			Reason: fmt.Sprintf("the segment has %d bytes, not %d", s.size, s.header.size)}
	case s.err == nil && s.header.number != number:
		return s, &vfs.CorruptionError{File: name, Offset: vfs.PreambleSize,
			Reason: fmt.Sprintf("the segment has the number %d", s.header.number)}
	}
	return s, nil
}

func closing(file vfs.File, err *error) { *err = errors.Join(*err, file.Close()) }

// read goes through the log from the segment that holds the record from.
func (r *reader) read(from Sequence) error {
	r.at = Position{Sequence: 1}
	r.last = -1
	for i, s := range r.segments {
		if s.err == nil && s.header.start.Sequence <= from {
			r.last, r.at = i, s.header.start
		}
	}
	if r.last < 0 && len(r.segments) > 0 && r.segments[0].number > 1 {
		if err := r.segments[0].err; err != nil {
			return err
		}
		return r.missing(from, "are gone before this segment")
	}
	r.first = r.at
	r.meet()
	var data []byte
	var err error
	if r.last >= 0 {
		data, err = r.load(r.last)
	}
	for err == nil {
		var more bool
		if data, more, err = r.advance(data); !more {
			break
		}
	}
	for len(r.records) > 0 && r.records[0].Sequence < r.keep { // in the batch of the first
		r.records = r.records[1:]
	}
	if err == nil {
		err = r.judgePassed()
	}
	if err == nil && from > r.at.Sequence {
		err = r.missing(from, fmt.Sprintf("are missing from %d on", r.at.Sequence))
	}
	return err
}

// meet counts the positions that reading has come to.
func (r *reader) meet() {
	for _, p := range r.passed {
		if p == r.at {
			r.met++
		}
	}
}

// judgePassed refuses a log that was not at a position which it must have passed. One before the
// first record that was read is taken for granted.
func (r *reader) judgePassed() error {
	wanted, reason := 0, ""
	for _, p := range r.passed {
		switch {
		case p == Position{} || p.Sequence < r.first.Sequence:
			continue
		case r.last < 0:
			reason = "there is no log, and there was one"
		case p.Sequence > r.at.Sequence:
			reason = fmt.Sprintf("the log ends before record %d, and was written up to record %d: "+
				"it is an older copy, or has lost its end", r.at.Sequence, p.Sequence-1)
		}
		wanted++
	}
	if reason == "" && r.met < wanted {
		reason = "it is another log: its records are not those that were written"
	}
	if reason == "" {
		return nil
	}
	name := r.dir
	if r.last >= 0 {
		name = r.segments[r.last].name
	}
	return &vfs.CorruptionError{File: name, Offset: r.offset, Reason: reason}
}

func (r *reader) missing(from Sequence, where string) error {
	name := r.dir
	if len(r.segments) > 0 {
		name = r.segments[max(0, r.last)].name
	}
	return &vfs.CorruptionError{File: name, Offset: r.offset,
		Reason: fmt.Sprintf("record %d is wanted, but records %s", from, where)}
}

// advance reads the batches of the segment r.last, whose bytes are data, and does what the table
// says about its end. With more, it goes on with the bytes of the next segment.
func (r *reader) advance(data []byte) (next []byte, more bool, err error) {
	h, b := blank, nothing
	if r.last >= 0 {
		h, b = r.batches(data)
	}
	n, next, err := r.beyond()
	if err != nil {
		return nil, false, err
	}
	row := decide(h, b, n)
	switch row.verdict {
	case onward:
		r.last++
		return next, true, nil
	case cutHere:
		length := stained(data[r.offset:])
		r.torn = &Torn{r.segments[r.last].name, r.offset, length, row.reason}
	case cutNext:
		r.torn = &Torn{r.segments[r.last+1].name, 0, stained(next), row.reason}
	case damagedHere:
		name := r.segments[max(0, r.last)].name
		return nil, false, &vfs.CorruptionError{File: name, Offset: r.offset, Reason: row.reason}
	case damagedNext:
		name := r.segments[r.last+1].name
		return nil, false, &vfs.CorruptionError{File: name, Offset: 0, Reason: row.reason}
	}
	return nil, false, nil
}

// batches reads the batches of a segment, and says what stands behind them.
func (r *reader) batches(data []byte) (here, behind) {
	seed := r.at.Chain
	r.offset = segmentHeaderSize
	for {
		h, ok := parseBatchHeader(data, seed, r.offset)
		if !ok {
			break
		}
		if h.start != r.at {
			return alien, nothing
		}
		end := r.offset + batchHeaderSize + int64(h.length)
		all, ok := h.records(data[r.offset+batchHeaderSize:end], r.records)
		if !ok && stained(data[end:]) > 0 {
			return broken, written
		}
		if !ok {
			break
		}
		r.at, r.offset = h.end(), end
		r.meet()
		if r.at.Sequence > r.keep {
			r.records = all
		}
	}
	switch {
	case stained(data[r.offset:]) == 0:
		return blank, nothing
	case findBatch(data, seed, r.offset+alignment):
		return broken, written
	}
	return broken, nothing
}

// findBatch says whether a valid batch header stands at or behind an offset.
func findBatch(data []byte, seed uint32, offset int64) bool {
	for end := stained(data); offset < end; offset += alignment {
		if _, ok := parseBatchHeader(data, seed, offset); ok {
			return true
		}
	}
	return false
}

// beyond looks at the segment after r.last, and returns its bytes too unless they are all zeros.
func (r *reader) beyond() (beyond, []byte, error) {
	i := r.last + 1
	if i == len(r.segments) {
		return none, nil, nil
	}
	s, last := r.segments[i], i == len(r.segments)-1
	if s.err != nil && last {
		if unused, err := allZeros(r.fs, s.name, s.size); unused || err != nil {
			return spare, nil, err
		}
	}
	data, err := r.load(i)
	switch {
	case err != nil:
		return none, nil, err
	case s.err == nil && s.header.start == r.at:
		return follows, data, nil
	case s.err == nil:
		return strays, data, nil
	case !last || findBatch(data, r.at.Chain, segmentHeaderSize+alignment):
		return begun, data, nil
	}
	return smeared, data, nil
}

// allZeros reads a file in pieces: a spare segment is large and not worth its memory.
func allZeros(fs vfs.FS, name string, size int64) (yes bool, err error) {
	file, err := fs.Open(name)
	if err != nil {
		return false, err
	}
	defer closing(file, &err)
	piece := make([]byte, min(size, 256<<10))
	for offset := int64(0); ; offset += int64(len(piece)) {
		n, err := file.ReadAt(piece, offset)
		switch {
		case err != nil && err != io.EOF:
			return false, err
		case stained(piece[:n]) > 0:
			return false, nil
		case err == io.EOF:
			return true, nil
		}
	}
}

// load reads a whole segment. Records that are read will point into it.
func (r *reader) load(i int) (data []byte, err error) {
	file, err := r.fs.Open(r.segments[i].name)
	if err != nil {
		return nil, err
	}
	defer closing(file, &err)
	data = make([]byte, r.segments[i].size)
	if n, err := file.ReadAt(data, 0); n < len(data) {
		return nil, fmt.Errorf("wal: read %s: %w", r.segments[i].name, err)
	}
	return data, nil
}

// Check reads every byte of the log in dir and changes none. Damage, and a log that was not at a
// position that it must have passed, is a *vfs.CorruptionError.
func Check(fs vfs.FS, dir string, passed ...Position) (Report, error) {
	segments, err := list(fs, dir)
	if err != nil {
		return Report{}, err
	}
	report := Report{First: 1, Segments: len(segments)}
	for i, s := range segments {
		report.Bytes += s.size
		if i == 0 && s.err == nil {
			report.First = s.header.start.Sequence
		}
	}
	r := reader{fs: fs, dir: dir, segments: segments, keep: math.MaxUint64, passed: passed}
	err = r.read(report.First)
	report.Next, report.Torn = r.at.Sequence, r.torn
	return report, err
}

// Read returns every record of the log in dir, none if there is no log, and changes nothing. Its
// errors are those of Open.
func Read(fs vfs.FS, dir string, passed ...Position) ([]Record, error) {
	segments, err := list(fs, dir)
	if err != nil {
		return nil, err
	}
	from := Sequence(1)
	if len(segments) > 0 && segments[0].err == nil {
		from = segments[0].header.start.Sequence
	}
	r := reader{fs: fs, dir: dir, segments: segments, keep: from, passed: passed}
	err = r.read(from)
	return r.records, err
}
