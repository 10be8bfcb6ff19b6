package vfs_test

import (
	"errors"
	"strings"
	"testing"

	"detcd/storage/vfs"
)

func TestLockDirIsHeldByOneAtATime(t *testing.T) {
	dir := t.TempDir()
	lock, err := vfs.LockDir(dir)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	must(t, err)
	_, err = vfs.LockDir(dir)
	if err == nil || !strings.Contains(err.Error(), "in use by another") {
		t.Errorf("a second lock: %v", err)
	}
	must(t, lock.Close())
	lock, err = vfs.LockDir(dir)
	must(t, err)
	must(t, lock.Close())
}

func TestLockDirNeedsTheDirectory(t *testing.T) {
	if _, err := vfs.LockDir(t.TempDir() + "/none"); err == nil {
		t.Error("a directory that is not there was locked")
	}
}
