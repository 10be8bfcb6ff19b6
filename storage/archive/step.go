package archive

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"path"

	"detcd/storage/vfs"
)

// Step is a piece of work for the disk, decided by the owner. Between Step and Done it belongs to who
// executes it; everything it points to never changes.
type Step struct {
	writes []*write // each to another file
	remove []string // base names
}

// write is the bytes for one file: some from memory, then some copied from a segment.
type write struct {
	draft  *draft // for Done; the owner's alone
	name   string
	create bool
	file   vfs.File // if create, Execute leaves it here
	offset int64
	data   [][]byte
	copy   *copying // nil: none
	end    int64    // offset behind all of it
}

// writes is the next bytes of a draft that are in memory, at most size of them.
func (d *draft) writes(size int64) *write {
	end := min(d.written+size, d.size())
	return &write{draft: d, name: d.name, create: d.file == nil, file: d.file,
		offset: d.written, data: d.stretches(d.written, end), end: end}
}

// copies is the records of a draft that come from another segment and are in its table already.
func (d *draft) copies(c *copying) *write {
	w := &write{draft: d, name: d.name, create: d.file == nil, file: d.file,
		offset: d.written, copy: c, end: d.table.end}
	if d.written == 0 {
		w.data = [][]byte{header()}
	}
	return w
}

// copying is the live records of a stretch of one sealed segment.
type copying struct {
	source   *segment
	from, to int    // records to read
	keep     []int  // those of them to copy
	footer   footer // of the file written; Execute puts the new one into result
	result   footer
}

// Execute does a step: it is the only thing that writes. Execute of nil does nothing. After
// vfs.ErrNoSpace the same step may be executed again; after any other error the archive must be
// opened anew.
func Execute(fs vfs.FS, dir string, s *Step) error {
	if s == nil {
		return nil
	}
	created := false
	for _, w := range s.writes {
		if err := w.execute(fs, dir); err != nil {
			return fmt.Errorf("archive: write %s: %w", path.Join(dir, w.name), err)
		}
		created = created || w.create
	}
	if created {
		if err := fs.SyncDir(dir); err != nil {
			return fmt.Errorf("archive: sync %s: %w", dir, err)
		}
	}
	for _, name := range s.remove {
		if err := fs.Remove(path.Join(dir, name)); err != nil && !errors.Is(err, iofs.ErrNotExist) {
			return fmt.Errorf("archive: remove %s: %w", path.Join(dir, name), err)
		}
	}
	return nil
}

func (w *write) execute(fs vfs.FS, dir string) error {
	data := w.data
	if w.copy != nil {
		copied, err := w.copy.execute()
		if err != nil {
			return err
		}
		data = append(data[:len(data):len(data)], copied)
	}
	if w.file == nil {
		file, err := fs.Create(path.Join(dir, w.name))
		if err != nil {
			return err
		}
		w.file = file
	}
	if err := w.file.Allocate(w.end); err != nil { // lack of room shows here, before any byte
		return err
	}
	offset := w.offset
	for _, stretch := range data {
		if _, err := w.file.WriteAt(stretch, offset); err != nil {
			return err
		}
		offset += int64(len(stretch))
	}
	if offset != w.end {
		panic("archive: a step wrote another number of bytes than was decided")
	}
	return w.file.Sync()
}

// execute reads and verifies the records, and returns the bytes of those to keep. It can be repeated.
func (c *copying) execute() ([]byte, error) {
	t := &c.source.table
	start := t.offset(c.from)
	data, err := c.source.block(c.from, c.to, &buffer{size: t.offset(c.to) - start})
	if err != nil {
		return nil, err
	}
	c.result = c.footer
	kept := data[:0] // records only move to the front, over what was read already
	for _, i := range c.keep {
		bytes := data[t.offset(i)-start : t.offset(i+1)-start]
		r, sum, err := c.source.decode(bytes, i)
		if err != nil {
			return nil, err
		}
		c.result.add(r, sum)
		kept = append(kept, bytes...)
	}
	return kept, nil
}
