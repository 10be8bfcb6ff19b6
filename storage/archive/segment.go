package archive

import (
	"errors"
	"fmt"
	"io"

	"detcd/storage/vfs"
)

// segment is a sealed file of records. Nothing of it changes but the dead, and those are the
// owner's alone: views share segments and never look at them.
type segment struct {
	name     string // base name
	path     string // below the root of the file system
	file     vfs.File
	table    table
	length   int64  // of the file
	checksum uint32 // of the footer
	dead     graves
}

func (s *segment) records() *table { return &s.table }

func (s *segment) live() int64 { return s.table.data() - s.dead.bytes }

func (s *segment) listed() Segment {
	return Segment{Name: s.name, Length: s.length, Sealed: true, Checksum: s.checksum}
}

// buffer is memory that blocks are read into, again and again.
type buffer struct {
	bytes []byte
	size  int64 // what is read at a time; more only if one record has more
}

// block reads whole records from the file into the buffer: from..to-1, or as many of the first of
// them as fit, but at least one. Without a buffer it makes one that fits all.
func (s *segment) block(from, to int, b *buffer) ([]byte, error) {
	offset := s.table.offset(from)
	all := s.table.offset(to) - offset
	if b == nil {
		b = &buffer{size: all}
	}
	size := s.table.offset(s.table.upTo(from, to, b.size)) - offset
	if int64(cap(b.bytes)) < size {
		b.bytes = make([]byte, min(all, max(size, b.size)))
	}
	data := b.bytes[:size]
	return data, readAt(s.file, s.path, data, offset)
}

// decode takes record i from the front of data, which was read from the file, and verifies it.
func (s *segment) decode(data []byte, i int) (Record, error) {
	r, size, reason := verifyRecord(data[:s.table.size(i)])
	if reason == "" && (r.ID != s.table.id(i) || int64(size) != s.table.size(i)) {
		reason = "it is not the record that the footer names"
	}
	if reason != "" {
		return Record{}, s.damaged(s.table.offset(i), reason)
	}
	return r, nil
}

func (s *segment) damaged(offset int64, reason string) error {
	return &vfs.CorruptionError{File: s.path, Offset: offset, Reason: reason}
}

// readAt fills data; a file that ends too early is damaged.
func readAt(file vfs.File, path string, data []byte, offset int64) error {
	n, err := file.ReadAt(data, offset)
	if n == len(data) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return &vfs.CorruptionError{File: path, Offset: offset + int64(n),
			Reason: "the file ends too early"}
	}
	return fmt.Errorf("archive: read %s: %w", path, err)
}
