package main

import (
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	slackDefault = 50 * time.Microsecond // the kernel's
	slack        = 200 * time.Microsecond
)

// relax lets the kernel end the short sleeps of this process later, so that it need not wake up
// for each alone (decision 0510). A thread has the slack of the one that started it, and the thread
// that matters was started before main. So the program starts itself anew, once: the slack stays.
// One that somebody else chose, systemd for example, is kept; without any all works as well.
func relax() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	now, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil || time.Duration(now) != slackDefault {
		return
	}
	self, err := os.Executable()
	if err != nil || unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(slack), 0, 0, 0) != nil {
		return
	}
	_ = syscall.Exec(self, os.Args, os.Environ()) // returns only when it failed
}
