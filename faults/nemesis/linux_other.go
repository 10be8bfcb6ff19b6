//go:build !linux

package nemesis

import "errors"

// What follows is never used: a spaced network cannot be made here.
const (
	clientPort = 2379
	peerPort   = 2380
)

func address(int) string                                                  { return "" }
func direct([]*Member, int, int, wire) error                              { return errLinux }
func (m *Member) inSpace(binary string, args []string) (string, []string) { return binary, args }

// errLinux is what this system cannot do.
var errLinux = errors.New("nemesis: this needs Linux")

// Enclose fails: it needs Linux.
func Enclose(bool) error { return errLinux }

// Enclosed tells whether this process is in a world of its own, which it never is.
func Enclosed() bool { return false }

func allStopped(int) (bool, error)  { return false, errLinux }
func makeSpaces([]*Member) error    { return errLinux }
func mountDisk(string, int64) error { return errLinux }
func unmountDisk(string) error      { return errLinux }
func fillDisk(string) error         { return errLinux }
func emptyDisk(string) error        { return errLinux }
