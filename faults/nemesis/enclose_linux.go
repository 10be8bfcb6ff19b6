package nemesis

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
)

// enclosedName is set for a process that Enclose has put into a world of its own.
const enclosedName = "DETCD_ENCLOSED"

// Enclose executes this program again, with the same arguments, with mounts of its own and, if
// wanted, a network of its own; there it returns. So everything that is mounted and every device
// that is made is gone with this process, however it ends, and meets nothing that the machine has.
// It needs root. A process that is enclosed already stays as it is. It must be called before
// anything is started.
func Enclose(network bool) error {
	if Enclosed() {
		return nil
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("nemesis: disks and networks of its own need root")
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("nemesis: enclose: %w", err)
	}
	runtime.LockOSThread() // the namespaces are those of this thread, which survives the Exec
	flags := syscall.CLONE_NEWNS
	if network {
		flags |= syscall.CLONE_NEWNET
	}
	if err := syscall.Unshare(flags); err != nil {
		return fmt.Errorf("nemesis: enclose: %w", err)
	}
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("nemesis: enclose: mounts: %w", err)
	}
	err = syscall.Exec(self, os.Args, append(os.Environ(), enclosedName+"=1"))
	return fmt.Errorf("nemesis: enclose: %w", err)
}

// Enclosed tells whether this process is in a world of its own.
func Enclosed() bool { return os.Getenv(enclosedName) != "" }
