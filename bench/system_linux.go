package bench

import (
	"io/fs"
	"os"
	"syscall"
	"time"
)

// diskBlock is the unit in which stat(2) counts what a file occupies.
const diskBlock = 512

// occupied returns the bytes of disk behind a file, with what is reserved and without holes.
func occupied(info fs.FileInfo) int64 {
	if stat, known := info.Sys().(*syscall.Stat_t); known {
		return stat.Blocks * diskBlock
	}
	return info.Size()
}

// syncData makes what was written durable, as a log does.
func syncData(file *os.File) error { return syscall.Fdatasync(int(file.Fd())) }

// sleep is time.Sleep, but ends within microseconds of its time.
func sleep(d time.Duration) {
	wait := syscall.NsecToTimespec(int64(d))
	_ = syscall.Nanosleep(&wait, nil) // an interruption only makes it shorter
}
