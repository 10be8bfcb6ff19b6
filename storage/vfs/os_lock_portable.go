//go:build !unix || solaris || illumos || aix

package vfs

import (
	"errors"
	"fmt"
	"io"
	"syscall"
)

// LockDir has no lock to take on this system: it always fails.
func LockDir(path string) (io.Closer, error) {
	return nil, fmt.Errorf("lock %s: %w", path, errors.ErrUnsupported)
}

func isNoSpace(err error) bool { return errors.Is(err, syscall.ENOSPC) }

func isTooManyFiles(error) bool { return false }
