//go:build !linux

package nemesis

import "errors"

// errLinux is what this system cannot do.
var errLinux = errors.New("nemesis: this needs Linux")

// Enclose fails: it needs Linux.
func Enclose(bool) error { return errLinux }

// Enclosed tells whether this process is in a world of its own, which it never is.
func Enclosed() bool { return false }

func allStopped(int) (bool, error)  { return false, errLinux }
func mountDisk(string, int64) error { return errLinux }
func unmountDisk(string) error      { return errLinux }
func fillDisk(string) error         { return errLinux }
func emptyDisk(string) error        { return errLinux }
