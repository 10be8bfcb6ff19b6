package vfs

import (
	"io"
	"math/rand/v2"
)

// OS returns the tree below a directory of the operating system.
func OS(root string) FS { panic("not written") }

// Memory is an FS in memory that can crash.
type Memory struct{ FS }

// NewMemory returns an empty Memory.
func NewMemory() *Memory { panic("not written") }

// CrashClone returns what a device would hold after a crash now.
func (m *Memory) CrashClone(choose *rand.Rand) *Memory { panic("not written") }

// LockDir takes the one lock of a directory of the operating system.
func LockDir(path string) (io.Closer, error) { panic("not written") }
