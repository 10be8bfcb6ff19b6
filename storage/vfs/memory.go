package vfs

import (
	"io/fs"
	"maps"
	"path"
	"slices"
)

// Memory is an FS in memory that can crash. It belongs to one goroutine at a time, as the
// simulation does that it serves.
type Memory struct {
	dirs map[string]*directory
}

// A directory maps base names to files and directories. entries is what programs see; durable is
// what the last SyncDir left; pending leads from the one to the other. What is in a directory is
// found by its path.
type directory struct {
	entries map[string]*node
	durable map[string]*node
	pending []entryChange
}

// An entryChange is one unsynced change of a directory: target becomes the meaning of name, and
// gone, if not empty, stops to mean anything. A removal has no target.
type entryChange struct {
	name   string
	target *node
	gone   string
}

func newDirectory() *directory {
	return &directory{entries: map[string]*node{}, durable: map[string]*node{}}
}

// NewMemory returns an empty Memory.
func NewMemory() *Memory {
	return &Memory{dirs: map[string]*directory{".": newDirectory()}}
}

// Create makes a new empty file.
func (m *Memory) Create(name string) (File, error) {
	d, base, err := m.find("create", name)
	if err != nil {
		return nil, err
	}
	if d.entries[base] != nil {
		return nil, &fs.PathError{Op: "create", Path: name, Err: fs.ErrExist}
	}
	n := &node{owner: new(owner)}
	d.change(entryChange{name: base, target: n})
	return &memoryFile{node: n, name: name}, nil
}

// Open opens a file.
func (m *Memory) Open(name string) (File, error) {
	d, base, err := m.find("open", name)
	if err != nil {
		return nil, err
	}
	n := d.file(base)
	if n == nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &memoryFile{node: n, name: name}, nil
}

// Remove deletes the name of a file; open handles keep its bytes.
func (m *Memory) Remove(name string) error {
	d, base, err := m.find("remove", name)
	if err != nil {
		return err
	}
	if d.file(base) == nil {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	d.change(entryChange{gone: base})
	return nil
}

// Rename gives a file a new name in the same directory.
func (m *Memory) Rename(oldName, newName string) error {
	d, base, err := m.find("rename", oldName)
	if err != nil {
		return err
	}
	if path.Dir(oldName) != path.Dir(newName) || !fs.ValidPath(newName) || m.dirs[newName] != nil {
		return &fs.PathError{Op: "rename", Path: newName, Err: fs.ErrInvalid}
	}
	n := d.file(base)
	if n == nil {
		return &fs.PathError{Op: "rename", Path: oldName, Err: fs.ErrNotExist}
	}
	d.change(entryChange{name: path.Base(newName), target: n, gone: base})
	return nil
}

// List returns the sorted base names of the files and directories in a directory.
func (m *Memory) List(dir string) ([]string, error) {
	d := m.dirs[dir]
	if d == nil {
		return nil, &fs.PathError{Op: "list", Path: dir, Err: fs.ErrNotExist}
	}
	return slices.Sorted(maps.Keys(d.entries)), nil
}

// MkdirAll makes a directory and its parents.
func (m *Memory) MkdirAll(dir string) error {
	if !fs.ValidPath(dir) {
		return &fs.PathError{Op: "mkdir", Path: dir, Err: fs.ErrInvalid}
	}
	if m.dirs[dir] != nil {
		return nil
	}
	parent, base := path.Dir(dir), path.Base(dir)
	if err := m.MkdirAll(parent); err != nil {
		return err
	}
	if m.dirs[parent].entries[base] != nil {
		return &fs.PathError{Op: "mkdir", Path: dir, Err: fs.ErrExist}
	}
	m.dirs[dir] = newDirectory()
	m.dirs[parent].change(entryChange{name: base, target: &node{directory: true}})
	return nil
}

// SyncDir makes the entries of a directory durable.
func (m *Memory) SyncDir(dir string) error {
	d := m.dirs[dir]
	if d == nil {
		return &fs.PathError{Op: "syncdir", Path: dir, Err: fs.ErrNotExist}
	}
	for _, c := range d.pending {
		c.apply(d.durable)
	}
	d.pending = nil
	return nil
}

func (m *Memory) find(op, name string) (d *directory, base string, err error) {
	if !fs.ValidPath(name) || name == "." {
		return nil, "", &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	d = m.dirs[path.Dir(name)]
	if d == nil {
		return nil, "", &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
	}
	return d, path.Base(name), nil
}

// file returns the file of a name, nil when there is none.
func (d *directory) file(base string) *node {
	if n := d.entries[base]; n != nil && !n.directory {
		return n
	}
	return nil
}

func (d *directory) change(c entryChange) {
	c.apply(d.entries)
	d.pending = append(d.pending, c)
}

func (c entryChange) apply(entries map[string]*node) {
	if c.gone != "" {
		delete(entries, c.gone)
	}
	if c.target != nil {
		entries[c.name] = c.target
	}
}
