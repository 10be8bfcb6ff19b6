package archive

import (
	"fmt"
	"path"

	"detcd/storage/vfs"
)

// Step is a piece of work for the disk, decided by the owner. Until it is given to Done it belongs
// to who executes it; nothing changes what it points to.
type Step struct {
	writes []*write // each to another file
	remove []string // base names
}

// write is the next bytes of one file: some from memory, then some that are copied.
type write struct {
	draft  *draft // the owner's alone
	name   string
	file   vfs.File // nil: Execute creates it, and leaves it here
	create bool     // it was nil at first
	offset int64
	data   [][]byte
	copy   *copying // nil: none
	end    int64    // offset behind all of it
}

// copying is the living records of a stretch of a sealed segment.
type copying struct {
	source *segment
	keep   []int  // the records to copy
	footer footer // of the file that is written, before
	result footer // and after; Execute leaves it here
}

// writes is the next bytes of a draft that are in memory, at most size of them.
func (d *draft) writes(size int64) *write {
	end := min(d.written+size, d.size())
	return &write{draft: d, name: d.name, file: d.file, create: d.file == nil,
		offset: d.written, data: d.stretches(d.written, end), end: end}
}

// copies is the records that were just added to the table of a draft, and to nothing else of it.
func (d *draft) copies(c *copying) *write {
	w := &write{draft: d, name: d.name, file: d.file, create: d.file == nil,
		offset: d.written, copy: c, end: d.table.end}
	if d.written == 0 {
		w.data = [][]byte{header()}
	}
	return w
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
		if err := fs.Remove(path.Join(dir, name)); err != nil {
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
	if err := w.file.Allocate(w.end); err != nil { // lack of room shows before anything is written
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

// execute reads and verifies the stretch, and returns the bytes of the records to keep.
func (c *copying) execute() ([]byte, error) {
	t, first, last := &c.source.table, c.keep[0], c.keep[len(c.keep)-1]
	data, err := c.source.block(first, last+1, nil)
	if err != nil {
		return nil, err
	}
	c.result = c.footer
	kept := data[:0] // records only move to the front, over what was taken already
	for _, i := range c.keep {
		start := t.offset(i) - t.offset(first)
		record := data[start : start+t.size(i)]
		r, err := c.source.decode(record, i)
		if err != nil {
			return nil, err
		}
		c.result.add(r, record)
		kept = append(kept, record...)
	}
	return kept, nil
}
