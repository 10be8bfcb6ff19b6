//go:build !linux

package nemesis

import (
	"os/exec"
	"syscall"
)

// processAttributes puts a child into a process group of its own, so that Ctrl-C at the terminal
// reaches only this process, which then ends its children in order.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}

// begin starts a child.
func begin(cmd *exec.Cmd) error { return cmd.Start() }

// awaitStopped does nothing: how to see that a process has stopped differs between systems.
func awaitStopped(int) error { return nil }
