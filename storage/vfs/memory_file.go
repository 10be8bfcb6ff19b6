package vfs

import (
	"io"
	"io/fs"
	"slices"
)

const (
	pageSize   = 4096
	sectorSize = 512 // what a device writes whole, or so most of them promise
)

// A page holds part of a file. Several files may share one, each the crash image of another; only
// the file whose owner it carries may write to it, the others copy it first.
type page struct {
	owner *owner
	bytes [pageSize]byte
}

// An owner is nothing but an identity.
type owner struct{ _ byte }

// A node is a file apart from its names, or stands for a directory and has nothing else.
//
//  1. A page that is nil reads as zeros, and so do all bytes of pages at or beyond size.
//  2. Undoing the changes from the last to the first gives what the last Sync left.
//  3. undo holds what the changes overwrote, in their order, nothing else.
type node struct {
	directory bool
	owner     *owner
	pages     []*page
	size      int64
	changes   []change
	undo      []byte
}

// A change is one unsynced change of the bytes or the size of a file.
type change struct {
	offset, length int64 // bytes written; length 0: only the size changes
	before, after  int64 // sizes
	undo           int64 // how many bytes, from offset on, stand in node.undo
}

// write puts p at offset and remembers what was there.
func (n *node) write(p []byte, offset int64) {
	end := offset + int64(len(p))
	c := change{offset: offset, length: int64(len(p)), before: n.size, after: max(n.size, end)}
	c.undo = max(0, min(end, n.size)-offset)
	n.remember(c)
	n.size = c.after
	n.put(p, offset)
}

// resize sets the size and remembers what is cut off.
func (n *node) resize(size int64) {
	n.remember(change{offset: size, before: n.size, after: size, undo: max(0, n.size-size)})
	n.setSize(size)
}

func (n *node) remember(c change) {
	n.changes = append(n.changes, c)
	length := len(n.undo)
	n.undo = slices.Grow(n.undo, int(c.undo))[:length+int(c.undo)]
	n.get(n.undo[length:], c.offset)
}

func (n *node) sync() {
	const keep = 1 << 20 // a larger buffer is not worth its memory until the next change
	n.changes, n.undo = n.changes[:0], n.undo[:0]
	if cap(n.undo) > keep {
		n.undo = nil
	}
}

// setSize keeps invariant 1 and remembers nothing.
func (n *node) setSize(size int64) {
	if size < n.size {
		last := int((size + pageSize - 1) / pageSize)
		n.pages = n.pages[:min(last, len(n.pages))]
		if rest := size % pageSize; rest != 0 && last == len(n.pages) && n.pages[last-1] != nil {
			clear(n.own(last - 1)[rest:])
		}
	}
	n.size = size
}

// put writes below size and remembers nothing.
func (n *node) put(p []byte, offset int64) {
	for len(p) > 0 {
		bytes := n.own(int(offset / pageSize))
		copied := copy(bytes[offset%pageSize:], p)
		p, offset = p[copied:], offset+int64(copied)
	}
}

// get fills p, with zeros at or beyond size.
func (n *node) get(p []byte, offset int64) {
	for len(p) > 0 {
		i, start := int(offset/pageSize), int(offset%pageSize)
		part := p[:min(len(p), pageSize-start)]
		if i < len(n.pages) && n.pages[i] != nil {
			copy(part, n.pages[i].bytes[start:])
		} else {
			clear(part)
		}
		p, offset = p[len(part):], offset+int64(len(part))
	}
}

// own returns a page for writing.
func (n *node) own(i int) *[pageSize]byte {
	for i >= len(n.pages) {
		n.pages = append(n.pages, nil)
	}
	if p := n.pages[i]; p == nil {
		n.pages[i] = &page{owner: n.owner}
	} else if p.owner != n.owner {
		n.pages[i] = &page{owner: n.owner, bytes: p.bytes}
	}
	return &n.pages[i].bytes
}

// A memoryFile is a handle.
type memoryFile struct {
	node   *node
	name   string
	closed bool
}

func (f *memoryFile) ReadAt(p []byte, offset int64) (int, error) {
	if err := f.usable("read", offset); err != nil {
		return 0, err
	}
	rest := f.node.size - offset
	if rest >= int64(len(p)) {
		f.node.get(p, offset)
		return len(p), nil
	}
	p = p[:max(0, rest)]
	f.node.get(p, offset)
	return len(p), io.EOF
}

func (f *memoryFile) WriteAt(p []byte, offset int64) (int, error) {
	if err := f.usable("write", offset); err != nil {
		return 0, err
	}
	if len(p) > 0 {
		f.node.write(p, offset)
	}
	return len(p), nil
}

func (f *memoryFile) Sync() error {
	if err := f.usable("sync", 0); err != nil {
		return err
	}
	f.node.sync()
	return nil
}

func (f *memoryFile) Truncate(size int64) error {
	if err := f.usable("truncate", size); err != nil {
		return err
	}
	if size != f.node.size {
		f.node.resize(size)
	}
	return nil
}

func (f *memoryFile) Allocate(size int64) error {
	if err := f.usable("allocate", size); err != nil {
		return err
	}
	if size > f.node.size {
		f.node.resize(size)
	}
	return nil
}

func (f *memoryFile) Size() (int64, error) {
	return f.node.size, f.usable("size", 0)
}

func (f *memoryFile) Close() error {
	err := f.usable("close", 0)
	f.closed = true
	return err
}

func (f *memoryFile) usable(op string, offset int64) error {
	switch {
	case f.closed:
		return &fs.PathError{Op: op, Path: f.name, Err: fs.ErrClosed}
	case offset < 0:
		return &fs.PathError{Op: op, Path: f.name, Err: fs.ErrInvalid}
	}
	return nil
}
