package bench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A ProcessUse is what a process has used of the machine.
type ProcessUse struct {
	PID int `json:"pid"`
	// CPUSeconds is the processor time, in user and in kernel mode, to 10 ms.
	CPUSeconds float64 `json:"cpu_seconds"`
	// ResidentBytes is the memory that the process holds now.
	ResidentBytes int64 `json:"resident_bytes"`
	// PeakBytes is the most that it held since it began.
	PeakBytes int64 `json:"peak_bytes"`
	// WrittenBytes is what it has caused to be written to disks; 0 where the system does not tell.
	WrittenBytes int64 `json:"written_bytes"`
}

// Linux counts processor time for user space in hundredths of a second, on every architecture.
const clockTicksPerSecond = 100

// ReadProcess reads what a process has used so far, from /proc.
func ReadProcess(pid int) (ProcessUse, error) {
	use := ProcessUse{PID: pid}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return use, fmt.Errorf("bench: process %d: %w", pid, err)
	}
	ticks, err := cpuTicks(stat)
	if err != nil {
		return use, fmt.Errorf("bench: process %d: %w", pid, err)
	}
	use.CPUSeconds = float64(ticks) / clockTicksPerSecond
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return use, fmt.Errorf("bench: process %d: %w", pid, err)
	}
	use.ResidentBytes = statusBytes(string(status), "VmRSS:")
	use.PeakBytes = statusBytes(string(status), "VmHWM:")
	// Not every system counts it, and only the owner of a process may read it.
	if io, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid)); err == nil {
		_, rest, _ := strings.Cut("\n"+string(io), "\nwrite_bytes: ")
		line, _, _ := strings.Cut(rest, "\n")
		use.WrittenBytes, _ = strconv.ParseInt(line, 10, 64)
	}
	return use, nil
}

// cpuTicks finds utime and stime, fields 14 and 15 of proc(5)'s stat. The second field is the
// name of the program in parentheses, which may hold spaces and parentheses itself: what counts
// is behind the last one.
func cpuTicks(stat []byte) (int64, error) {
	end := bytes.LastIndexByte(stat, ')')
	fields := strings.Fields(string(stat[end+1:]))
	if end < 0 || len(fields) < 13 {
		return 0, fmt.Errorf("cannot read stat %q", stat)
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("cannot read stat: %w", err)
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("cannot read stat: %w", err)
	}
	return user + system, nil
}

// statusBytes finds a line such as "VmRSS:  1234 kB"; 0 when there is none.
func statusBytes(status, name string) int64 {
	_, rest, found := strings.Cut(status, name)
	fields := strings.Fields(rest)
	if !found || len(fields) == 0 {
		return 0
	}
	kilobytes, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		return 0
	}
	return kilobytes << 10
}

// ownCPU is the processor time of this process.
func ownCPU() time.Duration {
	var use syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &use) != nil {
		return 0
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}
