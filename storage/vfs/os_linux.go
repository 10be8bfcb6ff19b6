package vfs

import (
	"errors"
	"os"
	"syscall"
)

func syncData(file *os.File) error {
	return control("sync", file, syscall.Fdatasync)
}

// allocate reserves blocks without writing them, in the holes of the file too.
func allocate(file *os.File, size int64) error {
	err := control("allocate", file, func(fd int) error { return syscall.Fallocate(fd, 0, 0, size) })
	if errors.Is(err, syscall.EOPNOTSUPP) {
		return allocateByWriting(file, size)
	}
	return err
}

// control calls the system with the descriptor of an open file, again when a signal interrupts.
func control(op string, file *os.File, call func(fd int) error) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		for failed = syscall.EINTR; failed == syscall.EINTR; {
			failed = call(int(fd))
		}
	})
	if err != nil {
		failed = os.ErrClosed
	}
	if failed != nil {
		return &os.PathError{Op: op, Path: file.Name(), Err: failed}
	}
	return nil
}
