package vfs

import (
	"errors"
	"io"
	"path"
)

// ErrNoSpace says that there is no room: on the device, where Allocate and Create need it, or in
// the table of open files, where Create, Open, List and SyncDir do. Then nothing that a reader can
// see has changed, and the same may be tried again. A WriteAt or a sync that runs out of room on
// the device fails in its own way.
var ErrNoSpace = errors.New("vfs: no space left on device")

// ErrTooManyFiles is the ErrNoSpace of the table of open files.
var ErrTooManyFiles error = tooManyFiles{}

type tooManyFiles struct{}

// Error has the words of the system.
func (tooManyFiles) Error() string { return "vfs: too many open files" }

// Is says that it is a lack of room.
func (tooManyFiles) Is(target error) bool { return target == ErrNoSpace }

// ErrLocked says that another process holds a directory.
var ErrLocked = errors.New("the directory is in use by another process")

// File is random access to the bytes of one file. A handle stays usable after its name was removed
// or replaced.
//
// Many methods: a log, an archive and their checks each need most of them.
type File interface {
	io.ReaderAt
	io.WriterAt
	// Sync makes the data and the size of the file durable, not its name.
	Sync() error
	// Truncate sets the size; a longer file reads as zeros in its new part.
	Truncate(size int64) error
	// Allocate reserves blocks up to size, which becomes the size if the file was shorter; the new
	// part reads as zeros. It returns ErrNoSpace when the device is full.
	Allocate(size int64) error
	// Size returns the length in bytes.
	Size() (int64, error)
	// Close releases the handle; using it again gives io/fs.ErrClosed. It makes nothing durable.
	Close() error
}

// FS is one directory tree. Names are slash-separated paths below its root, as io/fs.ValidPath
// wants them; "." is the root. What a name means is durable after SyncDir of its directory.
//
// Many methods: it is the whole of what storage asks of an operating system.
type FS interface {
	// Create makes a new file; io/fs.ErrExist when the name is taken.
	Create(name string) (File, error)
	// Open opens a file for reading and writing; io/fs.ErrNotExist when there is none.
	Open(name string) (File, error)
	// Remove deletes the name of a file; io/fs.ErrNotExist when there is none.
	Remove(name string) error
	// Rename gives a file a new name in the same directory, replacing what had it. It is atomic: a
	// crash leaves it done or not done.
	Rename(oldName, newName string) error
	// List returns the sorted base names in a directory; io/fs.ErrNotExist when there is none.
	List(dir string) ([]string, error)
	// MkdirAll makes a directory and its parents. One that exists is no error. Each is an entry of
	// its parent, and durable as those are; MakeDir sees to that.
	MkdirAll(dir string) error
	// SyncDir makes the entries of a directory durable.
	SyncDir(dir string) error
}

// MakeDir makes a directory and its parents, durably up to the root of the tree: a directory that a
// crash takes away takes along all files that were synced in it. Those that are there are synced as
// well, for who made them may have died before that.
func MakeDir(tree FS, dir string) error {
	if err := tree.MkdirAll(dir); err != nil {
		return err
	}
	for ; dir != "."; dir = path.Dir(dir) {
		if err := tree.SyncDir(path.Dir(dir)); err != nil {
			return err
		}
	}
	return nil
}
