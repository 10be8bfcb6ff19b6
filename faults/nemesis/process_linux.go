package nemesis

import "syscall"

// processAttributes puts a child into a process group of its own, so that Ctrl-C at the terminal
// reaches only this process, which then ends its children in order; and has the kernel kill the
// child when this process dies without having done so.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
