package archive

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"detcd/storage/vfs"
)

// bodyOf is what record n holds: a reader that sees anything else sees damage.
func bodyOf(n uint64) []byte {
	return bytes.Repeat([]byte{byte(n), byte(n >> 8), byte(n >> 16)}, 10+int(n%50))
}

// lane executes steps on a goroutine of its own, as a driver does.
type lane struct {
	steps, done chan *Step
	busy        bool
}

func newLane(t *testing.T, fs vfs.FS) *lane {
	l := &lane{steps: make(chan *Step, 1), done: make(chan *Step, 1)}
	go func() {
		for s := range l.steps {
			if err := Execute(fs, "archive", s); err != nil {
				t.Error(err)
			}
			l.done <- s
		}
	}()
	return l
}

// turn gives the owner's archive what is done and takes what it wants next.
func (l *lane) turn(a *Archive) {
	if l.busy {
		select {
		case s := <-l.done:
			a.Done(s)
			l.busy = false
		default:
			return
		}
	}
	if s := a.Step(); s != nil {
		l.steps <- s
		l.busy = true
	}
}

// handed is a view as a reader gets it; the records low..high-1 were alive when it was made.
type handed struct {
	view      *View
	low, high uint64
}

func (h handed) read(t *testing.T) {
	n := h.low
	err := h.view.Scan(ID{Major: h.low}, ID{Major: h.high}, func(r Record) bool {
		if r.ID.Major != n || !bytes.Equal(r.Body, bodyOf(n)) {
			t.Errorf("scan shows %v, want %d", r.ID, n)
		}
		n++
		return !t.Failed()
	})
	if err != nil || n != h.high {
		t.Errorf("scan ended at %d of %d: %v", n, h.high, err)
	}
	for n := h.low; n < h.high; n += 1 + (h.high-h.low)/20 {
		r, err := h.view.Get(ID{Major: n})
		if err != nil || !bytes.Equal(r.Body, bodyOf(n)) {
			t.Errorf("get %d: %v", n, err)
		}
	}
}

// An owner appends, kills and merges, a lane writes and removes files, and readers use views
// meanwhile, some of them late. With -race this also says that they share nothing that changes.
func TestViewsAreReadWhileTheOwnerGoesOn(t *testing.T) {
	fs := vfs.OS(t.TempDir())
	a, err := Open(fs, "archive", nil, Options{SegmentSize: 4000, StepSize: 1000, FlushSize: 500}, nil)
	if err != nil {
		t.Fatal(err)
	}
	l := newLane(t, fs)
	views := make(chan handed, 16)
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for h := range views {
				h.read(t)
			}
		})
	}
	low, high := uint64(1), uint64(1)
	for turn := 0; high < 8000 && !t.Failed(); turn++ {
		for range 7 {
			a.Append(ID{Major: high}, []byte("head"), bodyOf(high))
			high++
		}
		for ; low+300 < high; low++ {
			a.Kill(ID{Major: low})
		}
		l.turn(a)
		if turn%10 == 0 {
			views <- handed{a.View(), low, high}
		}
		if turn%50 == 0 && !l.busy { // a checkpoint
			segments, s := a.Flush()
			if err := Execute(fs, "archive", s); err != nil {
				t.Fatal(err)
			}
			a.Done(s)
			a.Saved(segments)
		}
	}
	close(views)
	readers.Wait()
	if l.busy {
		<-l.done
	}
	close(l.steps)
}

// A view needs no release: files that were removed stay readable while one refers to them, and are
// closed when none does.
func TestRemovedFilesCloseWhenNoViewRefersToThem(t *testing.T) {
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		t.Skip("this system does not show which files are open")
	}
	dir := t.TempDir()
	w := &world{options: Options{SegmentSize: 1000, FlushSize: 1}, fail: t.Fatalf, calm: true}
	a, err := Open(vfs.OS(dir), "archive", nil, w.options, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.archive, w.disk = a, vfs.OS(dir)
	for n := uint64(1); n <= 100; n++ {
		a.Append(ID{Major: n}, nil, bodyOf(n))
	}
	w.settle()
	h := handed{a.View(), 1, 101}
	for n := uint64(1); n <= 100; n++ {
		a.Kill(ID{Major: n})
	}
	w.settle()
	runtime.GC()
	if open := removedButOpen(t, dir); open == 0 {
		t.Error("no removed file is open, though a view refers to them")
	}
	h.read(t)
	h.view = nil
	for range 100 {
		runtime.GC()
		if removedButOpen(t, dir) == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d removed files are still open", removedButOpen(t, dir))
}

func removedButOpen(t *testing.T, dir string) int {
	t.Helper()
	links, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, link := range links {
		target, err := os.Readlink(link)
		if err == nil && strings.HasPrefix(target, dir) && strings.HasSuffix(target, "(deleted)") {
			count++
		}
	}
	return count
}
