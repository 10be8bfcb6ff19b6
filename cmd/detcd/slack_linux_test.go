package main

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"detcd/cmd/detcd/testbed"
)

// All threads have the slack, those too that Go starts before main; one that was chosen is kept.
func TestShortSleepsMayEndLater(t *testing.T) {
	for chosen, want := range map[time.Duration]time.Duration{
		slackDefault:          slack,
		77 * time.Microsecond: 77 * time.Microsecond,
	} {
		done := make(chan struct{})
		go func() { // with a thread that nobody uses again
			defer close(done)
			runtime.LockOSThread()
			if err := unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(chosen), 0, 0, 0); err != nil {
				t.Error(err)
				return
			}
			dir := filepath.Join(t.TempDir(), "data")
			serveUntilReady(t, testbed.Detcd(t), dir, func(p *os.Process) {
				checkSlack(t, p.Pid, want)
				p.Signal(unix.SIGTERM)
			})
		}()
		<-done
	}
}

func checkSlack(t *testing.T, pid int, want time.Duration) {
	tasks, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(pid), "task"))
	if err != nil || len(tasks) < 2 {
		t.Errorf("%d threads: %v", len(tasks), err)
	}
	for _, task := range tasks {
		text, err := os.ReadFile(filepath.Join("/proc", task.Name(), "timerslack_ns"))
		if errors.Is(err, os.ErrPermission) {
			t.Log("who may not see the slack of others cannot test it")
			return
		}
		got, errNumber := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
		if err == nil && errNumber == nil && time.Duration(got) != want {
			t.Errorf("a thread has a slack of %s, want %s", time.Duration(got), want)
		}
	}
}
