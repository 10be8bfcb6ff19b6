package archive

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"detcd/storage/vfs"
)

// Open rebuilds the archive that a checkpoint named; no segments make an empty one. It calls each
// for every record in ascending order; the bytes of head are valid during the call only. Then it
// deletes segments that are not named, and cuts the unsealed one to its named length.
//
// Damage is a *vfs.CorruptionError, a newer format ErrVersion, and an error of each is returned as
// it is; then nothing was changed.
//
// It opens a file for each segment. After vfs.ErrNoSpace none is left open, and it may be repeated.
func Open(fs vfs.FS, dir string, segments []Segment, options Options,
	each func(id ID, head []byte, bodyLength int) error) (_ *Archive, err error) {
	if err := checkList(segments); err != nil {
		return nil, err
	}
	names, err := prepare(fs, dir)
	if err != nil {
		return nil, err
	}
	l := &loader{fs: fs, dir: dir, each: each}
	defer func() {
		if err != nil { // which says more than what closing could add
			l.close()
		}
	}()
	a := &Archive{dir: dir, options: options.withDefaults(), number: nextNumber(names),
		saved: slices.Clone(segments)}
	a.active = a.newDraft()
	var sealed []*segment
	for _, named := range segments {
		if !named.Sealed {
			if a.active, err = l.unsealed(named); err != nil {
				return nil, err
			}
			continue
		}
		s, err := l.sealed(named)
		if err != nil {
			return nil, err
		}
		sealed = append(sealed, s)
	}
	if err := a.clean(fs, names, segments); err != nil {
		return nil, err
	}
	a.setSealed(sealed)
	if a.active.table.data() >= a.options.SegmentSize {
		a.roll()
	}
	return a, nil
}

func checkList(segments []Segment) error {
	for i, s := range segments {
		if !s.Sealed && i < len(segments)-1 {
			return fmt.Errorf("archive: %s is unsealed and not the last", s.Name)
		}
	}
	return nil
}

// list returns the names of all segments in the directory.
func list(fs vfs.FS, dir string) ([]string, error) {
	names, err := fs.List(dir)
	if err != nil {
		return nil, fmt.Errorf("archive: list %s: %w", dir, err)
	}
	return slices.DeleteFunc(names, func(name string) bool {
		return !strings.HasSuffix(name, ".seg")
	}), nil
}

// prepare is list, of a directory that is there and stays.
func prepare(fs vfs.FS, dir string) ([]string, error) {
	if err := vfs.MakeDir(fs, dir); err != nil {
		return nil, fmt.Errorf("archive: make %s: %w", dir, err)
	}
	return list(fs, dir)
}

// nextNumber is above that of every name that is there, so that no name is used twice.
func nextNumber(names []string) uint64 {
	next := uint64(1)
	for _, name := range names {
		digits := strings.TrimSuffix(strings.TrimPrefix(name, "s"), ".seg")
		if n, err := strconv.ParseUint(digits, 16, 64); err == nil {
			next = max(next, n+1)
		}
	}
	return next
}

// clean makes the directory what the checkpoint named.
func (a *Archive) clean(fs vfs.FS, names []string, segments []Segment) error {
	for _, name := range names {
		if !isNamed(segments, name) {
			if err := fs.Remove(path.Join(a.dir, name)); err != nil {
				return fmt.Errorf("archive: remove %s: %w", path.Join(a.dir, name), err)
			}
		}
	}
	if d := a.active; d.file != nil {
		if err := d.file.Truncate(d.written); err != nil {
			return fmt.Errorf("archive: cut %s: %w", d.path, err)
		}
	}
	return nil
}

// loader reads segments in order and tells each about their records.
type loader struct {
	fs   vfs.FS
	dir  string
	each func(id ID, head []byte, bodyLength int) error
	last ID // of the records so far
	any  bool
	room []byte // for footers

	opened []vfs.File
}

func (l *loader) close() error {
	var failed []error
	for _, file := range l.opened {
		failed = append(failed, file.Close())
	}
	l.opened = nil
	return errors.Join(failed...)
}

// begin opens a file and checks its header; an unsealed one may be longer than it is named.
func (l *loader) begin(s Segment) (vfs.File, error) {
	name := path.Join(l.dir, s.Name)
	file, err := l.fs.Open(name)
	if errors.Is(err, iofs.ErrNotExist) {
		return nil, &vfs.CorruptionError{File: name, Reason: "the file is missing"}
	}
	if err != nil {
		return nil, fmt.Errorf("archive: open %s: %w", name, err)
	}
	l.opened = append(l.opened, file)
	size, err := file.Size()
	if err != nil {
		return nil, fmt.Errorf("archive: size of %s: %w", name, err)
	}
	if size < s.Length || s.Sealed && size != s.Length || s.Length < headerSize {
		return nil, &vfs.CorruptionError{File: name, Offset: min(size, s.Length),
			Reason: fmt.Sprintf("%d bytes were named, the file has %d", s.Length, size)}
	}
	h := make([]byte, headerSize)
	if err := readAt(file, name, h, 0); err != nil {
		return nil, err
	}
	reason, err := checkHeader(h)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if reason != "" {
		return nil, &vfs.CorruptionError{File: name, Reason: reason}
	}
	return file, nil
}

// record takes note of the next record; the reason says why it cannot be one.
func (l *loader) record(id ID, head []byte, body int) (reason string, err error) {
	if l.any && !l.last.Less(id) {
		return "the records do not ascend", nil
	}
	l.last, l.any = id, true
	return "", l.each(id, head, body)
}

// sealed loads a sealed segment from its footer; the records are not read.
func (l *loader) sealed(named Segment) (*segment, error) {
	file, err := l.begin(named)
	if err != nil {
		return nil, err
	}
	s := &segment{name: named.Name, path: path.Join(l.dir, named.Name), file: file,
		table: newTable(), length: named.Length, checksum: named.Checksum}
	rest, t, err := s.footer(&l.room)
	if err != nil {
		return nil, err
	}
	s.table.entries = make([]entry, 0, min(int64(t.count), int64(len(rest)/4)))
	for e := (entries{rest: rest}); len(e.rest) > 0; {
		at := named.Length - trailerSize - int64(len(e.rest))
		n, head, ok := e.next()
		id := ID{n.major, n.minor}
		if !ok || !s.table.fits(id) {
			return nil, s.damaged(at, "there is no entry of a footer")
		}
		reason, err := l.record(id, head, n.body)
		if err != nil {
			return nil, err
		}
		if reason != "" {
			return nil, s.damaged(at, reason)
		}
		s.table.add(id, n.recordSize())
	}
	if s.table.length() == 0 || uint64(s.table.length()) != uint64(t.count) ||
		s.table.end != named.Length-trailerSize-int64(len(rest)) {
		return nil, s.damaged(s.table.end, "the footer does not match the records")
	}
	return s, nil
}

// footer reads and verifies the footer, and returns its entries, which are in the room.
func (s *segment) footer(room *[]byte) ([]byte, trailer, error) {
	end := s.length - trailerSize
	if end < headerSize {
		return nil, trailer{}, s.damaged(0, "the file is too short for a sealed segment")
	}
	last := make([]byte, trailerSize)
	if err := readAt(s.file, s.path, last, end); err != nil {
		return nil, trailer{}, err
	}
	t := cutTrailer(last)
	if t.checksum != s.checksum {
		return nil, trailer{}, s.damaged(end, "the trailer has not the checksum that was named")
	}
	if t.entries > uint64(end-headerSize) {
		return nil, trailer{}, s.damaged(end, "the footer is longer than the file")
	}
	start := end - int64(t.entries)
	if size := int(s.length - start); cap(*room) < size {
		*room = make([]byte, size)
	}
	data := (*room)[:s.length-start]
	if err := readAt(s.file, s.path, data, start); err != nil {
		return nil, trailer{}, err
	}
	if checksum(data[:len(data)-4]) != t.checksum {
		return nil, trailer{}, s.damaged(start, "the checksum of the footer does not match")
	}
	return data[:t.entries], t, nil
}

// unsealed loads the last segment, which grows on, by reading all of it.
func (l *loader) unsealed(named Segment) (*draft, error) {
	file, err := l.begin(named)
	if err != nil {
		return nil, err
	}
	d := &draft{memory: memory{table: newTable()}, name: named.Name,
		path: path.Join(l.dir, named.Name), file: file, written: named.Length}
	data := make([]byte, named.Length)
	if err := readAt(file, d.path, data, 0); err != nil {
		return nil, err
	}
	d.chunks = []chunk{{data: data}}
	damaged := func(reason string) error {
		return &vfs.CorruptionError{File: d.path, Offset: d.table.end, Reason: reason}
	}
	for d.table.end < named.Length {
		r, size, reason := verifyRecord(data[d.table.end:])
		if reason == "" && !d.table.fits(r.ID) {
			reason = "the record does not belong into this segment"
		}
		if reason == "" {
			reason, err = l.record(r.ID, r.Head, len(r.Body))
		}
		if err != nil {
			return nil, err
		}
		if reason != "" {
			return nil, damaged(reason)
		}
		d.footer.add(r, data[d.table.end:])
		d.table.add(r.ID, int64(size))
	}
	if d.table.length() == 0 || d.footer.chain != named.Checksum {
		return nil, damaged("the records have not the checksum that was named")
	}
	return d, nil
}
