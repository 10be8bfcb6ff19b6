//go:build unix && !solaris && !illumos && !aix

package vfs

import (
	"errors"
	"syscall"
	"testing"
)

// A process that may open no more files is told so as of a full device: to try again.
func TestTooManyOpenFilesAreAWantOfRoom(t *testing.T) {
	tree := OS(t.TempDir())
	file, err := tree.Create("a")
	if err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	none := limit
	none.Cur = 0
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	_, opened := tree.Open("a")
	_, created := tree.Create("b")
	_, listed := tree.List(".")
	synced, made := tree.SyncDir("."), MakeDir(tree, "c")
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"Open": opened, "Create": created, "List": listed, "SyncDir": synced, "MakeDir": made,
	} {
		if !errors.Is(err, ErrNoSpace) || !errors.Is(err, ErrTooManyFiles) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, retried := range []error{tree.SyncDir("."), MakeDir(tree, "c")} {
		if retried != nil {
			t.Error(retried)
		}
	}
}
