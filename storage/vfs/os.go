package vfs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// OS returns the tree below a directory of the operating system, which MakePath makes. Unlike the
// rest of this package it may be used by several goroutines.
func OS(root string) FS { return osFS{root} }

type osFS struct{ root string }

type osFile struct{ *os.File }

func (o osFS) path(op, name string) (string, error) {
	if !fs.ValidPath(name) {
		return "", &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	return filepath.Join(o.root, filepath.FromSlash(name)), nil
}

func (o osFS) open(op, name string, flag int) (File, error) {
	path, err := o.path(op, name)
	if err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_RDWR|flag, 0o600)
	if err != nil {
		return nil, withNoSpace(err)
	}
	return osFile{file}, nil
}

func (o osFS) Create(name string) (File, error) {
	return o.open("create", name, os.O_CREATE|os.O_EXCL)
}

func (o osFS) Open(name string) (File, error) {
	return o.open("open", name, 0)
}

func (o osFS) Remove(name string) error {
	path, err := o.path("remove", name)
	if err != nil {
		return err
	}
	return os.Remove(path)
}

func (o osFS) Rename(oldName, newName string) error {
	from, err := o.path("rename", oldName)
	if err != nil {
		return err
	}
	to, err := o.path("rename", newName)
	if err != nil {
		return err
	}
	if filepath.Dir(from) != filepath.Dir(to) {
		return &fs.PathError{Op: "rename", Path: newName, Err: fs.ErrInvalid}
	}
	return os.Rename(from, to)
}

func (o osFS) List(dir string) ([]string, error) {
	path, err := o.path("list", dir)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, withNoSpace(err)
	}
	names, err := file.Readdirnames(-1)
	slices.Sort(names)
	return names, errors.Join(err, file.Close())
}

func (o osFS) MkdirAll(dir string) error {
	path, err := o.path("mkdir", dir)
	if err != nil {
		return err
	}
	return withNoSpace(os.MkdirAll(path, 0o700))
}

// MakePath makes a directory of the operating system and its parents, each durable before the next
// is made in it. The name of one that is there is made durable too, for who made it may have died
// before that; but not where the directory that holds it belongs to somebody else.
func MakePath(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	parent := filepath.Dir(dir)
	if isDir(dir) {
		if err := syncDir(parent); !errors.Is(err, fs.ErrPermission) {
			return err
		}
		return nil
	}
	if parent != dir {
		if err := MakePath(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !isDir(dir) { // another process may be faster
		return withNoSpace(err)
	}
	return syncDir(parent)
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func (o osFS) SyncDir(dir string) error {
	path, err := o.path("syncdir", dir)
	if err != nil {
		return err
	}
	return syncDir(path)
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return withNoSpace(err)
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// Sync leaves out what no reader needs, as the time of the last change, where the system can.
func (f osFile) Sync() error { return syncData(f.File) }

func (f osFile) Allocate(size int64) error {
	return withNoSpace(allocate(f.File, size))
}

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// noSpaceError is an error of the system that means ErrNoSpace, and perhaps ErrTooManyFiles.
type noSpaceError struct{ error }

func (e noSpaceError) Unwrap() error { return e.error }

func (e noSpaceError) Is(target error) bool {
	return target == ErrNoSpace || target == ErrTooManyFiles && isTooManyFiles(e.error)
}

func withNoSpace(err error) error {
	if isNoSpace(err) {
		return noSpaceError{err}
	}
	return err
}

// allocateByWriting reserves blocks on systems that have no call for it.
func allocateByWriting(file *os.File, size int64) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	before := info.Size()
	zeros := make([]byte, 1<<16)
	for at := before; at < size; at += int64(len(zeros)) {
		part := zeros[:min(int64(len(zeros)), size-at)]
		if _, err := file.WriteAt(part, at); err != nil {
			return errors.Join(err, file.Truncate(before))
		}
	}
	return nil
}
