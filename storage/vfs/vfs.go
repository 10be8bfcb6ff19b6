package vfs

import (
	"errors"
	"fmt"
	"io"
)

// ErrNoSpace says that the device has no room left. It wraps no bytes: a call that returns it has
// changed nothing that a reader can see.
var ErrNoSpace = errors.New("vfs: no space left on device")

// File is random access to the bytes of one file. A handle stays usable after its name was removed
// or replaced.
//
// Many methods: a log, an archive and their checks each need most of them.
type File interface {
	io.ReaderAt
	io.WriterAt
	// Sync makes the data and the size of the file durable.
	Sync() error
	// Truncate sets the size; a longer file reads as zeros in its new part.
	Truncate(size int64) error
	// Allocate reserves blocks up to size, which becomes the size if the file was shorter; the new
	// part reads as zeros. It returns ErrNoSpace when the device is full.
	Allocate(size int64) error
	// Size returns the length in bytes.
	Size() (int64, error)
	// Close releases the handle. It makes nothing durable.
	Close() error
}

// FS is one directory tree. Names are slash-separated paths below its root.
//
// Many methods: it is the whole of what storage asks of an operating system.
type FS interface {
	// Create makes a new file; io/fs.ErrExist when the name is taken.
	Create(name string) (File, error)
	// Open opens a file for reading and writing; io/fs.ErrNotExist when there is none.
	Open(name string) (File, error)
	// Remove deletes a name. It is durable after SyncDir.
	Remove(name string) error
	// Rename gives a file a new name, replacing what had it. It is atomic, and durable after SyncDir.
	Rename(oldName, newName string) error
	// List returns the sorted base names in a directory; io/fs.ErrNotExist when there is none.
	List(dir string) ([]string, error)
	// MkdirAll makes a directory and its parents.
	MkdirAll(dir string) error
	// SyncDir makes the entries of a directory durable.
	SyncDir(dir string) error
}

// CorruptionError says that stored bytes are not what was written.
type CorruptionError struct {
	File   string // name below the root of the FS
	Offset int64  // first byte of what is wrong
	Reason string // one clause, as in "the checksum of the batch does not match"
}

// Error names file, offset and reason.
func (e *CorruptionError) Error() string {
	return fmt.Sprintf("%s: damaged at offset %d: %s", e.File, e.Offset, e.Reason)
}
