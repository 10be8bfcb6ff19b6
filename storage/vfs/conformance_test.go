package vfs_test

import (
	"testing"

	"detcd/storage/vfs"
	"detcd/storage/vfs/vfstest"
)

func TestOSConforms(t *testing.T) {
	vfstest.Run(t, func(t *testing.T) vfs.FS { return vfs.OS(t.TempDir()) })
}

func TestMemoryConforms(t *testing.T) {
	vfstest.Run(t, func(t *testing.T) vfs.FS { return vfs.NewMemory() })
}

func TestCrashImageConforms(t *testing.T) {
	vfstest.Run(t, func(t *testing.T) vfs.FS { return vfs.NewMemory().CrashClone(nil) })
}

func TestWrappedConforms(t *testing.T) {
	vfstest.Run(t, func(t *testing.T) vfs.FS {
		return vfs.Wrap(vfs.NewMemory(), func(vfs.Op) vfs.Verdict { return vfs.Verdict{} })
	})
}
