package nemesis

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// fillName is the file that fills a disk.
const fillName = "filler"

// mountDisk makes a disk of so many bytes, in memory, at a directory.
func mountDisk(dir string, bytes int64) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	options := fmt.Sprintf("size=%d,mode=0700", bytes)
	if err := syscall.Mount("detcd", dir, "tmpfs", 0, options); err != nil {
		return fmt.Errorf("nemesis: disk at %s: %w", dir, err)
	}
	return nil
}

// unmountDisk takes it away, with what it holds.
func unmountDisk(dir string) error {
	if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
		return fmt.Errorf("nemesis: disk at %s: %w", dir, err)
	}
	return nil
}

// fillDisk leaves no room on a disk.
func fillDisk(dir string) error {
	file, err := os.Create(filepath.Join(dir, fillName))
	if err != nil {
		return err
	}
	defer file.Close()
	var size int64
	for step := int64(1 << 30); step > 0; {
		err := syscall.Fallocate(int(file.Fd()), 0, size, step)
		switch {
		case errors.Is(err, syscall.ENOSPC):
			step /= 2
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return fmt.Errorf("nemesis: fill %s: %w", dir, err)
		default:
			size += step
		}
	}
	return nil
}

// emptyDisk gives the room back.
func emptyDisk(dir string) error { return os.Remove(filepath.Join(dir, fillName)) }
