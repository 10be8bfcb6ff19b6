package nemesis

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// processAttributes puts a child into a process group of its own, so that Ctrl-C at the terminal
// reaches only this process, which then ends its children in order; and has the kernel kill the
// child when this process dies without having done so.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// childSlack is what the unit for systemd gives a member (decision 0514).
const childSlack = 200 * time.Microsecond

// begin starts a child with the timer slack of a service. A thread has that of the one that started
// it, so it is set here for a moment.
func begin(cmd *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	own, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(childSlack), 0, 0, 0); err != nil {
		return err
	}
	err = cmd.Start()
	return errors.Join(err, unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(own), 0, 0, 0))
}

// stopWait bounds how long a process may take to stop.
const stopWait = 10 * time.Second

// awaitStopped waits until every thread of a process has stopped. SIGSTOP is only on its way when
// the call that sends it returns, and a thread on another processor still answers a request
// meanwhile.
func awaitStopped(pid int) error {
	for limit := time.Now().Add(stopWait); time.Now().Before(limit); {
		stopped, err := allStopped(pid)
		if stopped || err != nil {
			return err
		}
		time.Sleep(time.Millisecond)
	}
	return fmt.Errorf("it has not stopped after %v", stopWait)
}

// allStopped looks at the state of every thread: the field behind the name in proc(5)'s stat.
func allStopped(pid int) (bool, error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil || len(threads) == 0 {
		return false, fmt.Errorf("no threads of process %d", pid)
	}
	for _, thread := range threads {
		stat, err := os.ReadFile(thread)
		if err != nil {
			continue // a thread that has ended
		}
		if end := bytes.LastIndexByte(stat, ')'); end < 0 || !bytes.HasPrefix(stat[end:], []byte(") T")) {
			return false, nil
		}
	}
	return true, nil
}
