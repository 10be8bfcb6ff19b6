package nemesis

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Linux gives every process a page of code, the vDSO, with which it reads the clocks without asking
// the kernel. Go, and the C library, read all clocks there. The page belongs to the process alone
// as soon as it is written to: so the clock of one process can be set, without root, and without a
// library that a static binary would not load.

// clockCode replaces clock_gettime: it asks the kernel, and adds an offset to the time of day. The
// offset stands behind it, in seconds and nanoseconds.
const clockCode = "" +
	"\xb8\xe4\x00\x00\x00" + //          mov  eax, 228         clock_gettime
	"\x0f\x05" + //                      syscall
	"\x85\xc0\x75\x30" + //              test eax, eax; jne end
	"\x85\xff\x75\x2c" + //              test edi, edi; jne end    not CLOCK_REALTIME
	"\x48\x8b\x0d\x2a\x00\x00\x00" + //  mov  rcx, [seconds]
	"\x48\x01\x0e" + //                  add  [rsi], rcx
	"\x48\x8b\x0d\x28\x00\x00\x00" + //  mov  rcx, [nanoseconds]
	"\x48\x03\x4e\x08" + //              add  rcx, [rsi+8]
	"\x48\x81\xf9\x00\xca\x9a\x3b" + //  cmp  rcx, 1000000000
	"\x72\x0a" + //                      jb   store
	"\x48\x81\xe9\x00\xca\x9a\x3b" + //  sub  rcx, 1000000000
	"\x48\xff\x06" + //                  inc  qword [rsi]
	"\x48\x89\x4e\x08" + //       store: mov  [rsi+8], rcx
	"\xc3" + //                     end: ret
	"\xcc\xcc\xcc\xcc" //                up to a multiple of 8

// setClock puts the time of day of a process ahead by an offset, or back. The process must have
// been stopped. Other clocks stay as they are.
func setClock(pid int, offset time.Duration) error {
	begin, end, err := findVDSO(pid)
	if err != nil {
		return err
	}
	memory, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", pid), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer memory.Close()
	image := make([]byte, end-begin)
	if _, err := memory.ReadAt(image, int64(begin)); err != nil {
		return err
	}
	at, size, err := findFunction(image, "__vdso_clock_gettime")
	if err != nil {
		return err
	}
	patch := append([]byte(clockCode), make([]byte, 16)...)
	seconds := offset.Truncate(time.Second)
	if offset < seconds {
		seconds -= time.Second
	}
	binary.LittleEndian.PutUint64(patch[len(clockCode):], uint64(int64(seconds/time.Second)))
	binary.LittleEndian.PutUint64(patch[len(clockCode)+8:], uint64(offset-seconds))
	if size < uint64(len(patch)) {
		return fmt.Errorf("the vDSO has only %d bytes for clock_gettime", size)
	}
	if inside, err := anyInside(pid, begin, end); err != nil || inside {
		return errors.Join(err, errInClock)
	}
	_, err = memory.WriteAt(patch, int64(begin+at))
	return err
}

// errInClock says that a thread was stopped while it read the clock.
var errInClock = errors.New("a thread is reading the clock")

// findVDSO returns where the page is.
func findVDSO(pid int) (begin, end uint64, err error) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(maps)) {
		if fields := strings.Fields(line); fields[len(fields)-1] == "[vdso]" {
			_, err := fmt.Sscanf(fields[0], "%x-%x", &begin, &end)
			return begin, end, err
		}
	}
	return 0, 0, errors.New("the process has no vDSO")
}

// findFunction returns where a function is in the image of the page, and how long it is.
func findFunction(image []byte, name string) (at, size uint64, err error) {
	file, err := elf.NewFile(bytes.NewReader(image))
	if err != nil {
		return 0, 0, err
	}
	symbols, err := file.DynamicSymbols()
	if err != nil {
		return 0, 0, err
	}
	for _, s := range symbols {
		if s.Name == name && s.Value+s.Size <= uint64(len(image)) {
			return s.Value, s.Size, nil
		}
	}
	return 0, 0, fmt.Errorf("the vDSO has no %s", name)
}

// anyInside tells whether a thread of a stopped process is inside a range of code. The last field
// of proc(5)'s syscall is where it will go on.
func anyInside(pid int, begin, end uint64) (bool, error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", pid))
	if err != nil || len(threads) == 0 {
		return false, errors.New("no threads")
	}
	for _, thread := range threads {
		text, err := os.ReadFile(thread)
		if err != nil {
			if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
				continue // a thread that has ended
			}
			return false, err
		}
		fields := strings.Fields(string(text))
		at, err := strconv.ParseUint(fields[len(fields)-1], 0, 64)
		if err != nil || at >= begin && at < end {
			return true, nil // also when it runs
		}
	}
	return false, nil
}

// setsClocks says that setClock works on this system.
const setsClocks = true
