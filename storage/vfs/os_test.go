package vfs_test

import (
	"errors"
	"os"
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

func TestMakePathMakesWhatIsMissing(t *testing.T) {
	root := t.TempDir()
	for range 2 {
		must(t, vfs.MakePath(root+"/a/b"))
		must(t, vfs.OS(root+"/a/b").MkdirAll("c"))
	}
	must(t, os.WriteFile(root+"/f", nil, 0o600))
	for _, path := range []string{"/f", "/f/g"} {
		if err := vfs.MakePath(root + path); err == nil {
			t.Errorf("a directory was made of %s", path)
		}
	}
}

// A directory may be given to us in one that is not ours to read.
func TestMakePathLeavesAloneWhatItMayNotOpen(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may open everything")
	}
	parent := t.TempDir() + "/parent"
	must(t, os.MkdirAll(parent+"/data", 0o700))
	must(t, os.Chmod(parent, 0o100))
	t.Cleanup(func() { must(t, os.Chmod(parent, 0o700)) })
	must(t, vfs.MakePath(parent+"/data"))
	must(t, vfs.MakePath(parent+"/data/member"))
}
