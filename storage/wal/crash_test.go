package wal_test

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"detcd/storage/vfs"
	"detcd/storage/vfs/vfstest"
	"detcd/storage/wal"
)

// luck is how many crash images there are for a moment, besides the one that lost all it could.
var luck = flag.Int("luck", 4, "crash images by chance for each moment")

// A history is what a caller of the log knows.
type history struct {
	from     wal.Sequence // what the caller still needs
	acked    []string     // every record that Append or Open has vouched for; the first is 1
	inflight []string     // the batch that Append has not returned yet
	lives    int          // times the log was opened
}

func (h *history) clone() *history {
	c := *h
	c.acked, c.inflight = slices.Clone(h.acked), slices.Clone(h.inflight)
	return &c
}

// open opens the log and judges what it finds: all that was vouched for, and of the batch under way
// all or nothing. From then on that is vouched for.
func (h *history) open(t *testing.T, fs vfs.FS) *wal.Log {
	t.Helper()
	report, err := wal.Check(fs, dir)
	if err != nil {
		t.Fatalf("Check: %v", err)
	}
	log, recovery, err := wal.Open(fs, dir, h.from, small)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	var found []string
	for i, record := range recovery.Records {
		if record.Sequence != h.from+wal.Sequence(i) {
			t.Fatalf("record %d has the sequence %d", i, record.Sequence)
		}
		found = append(found, string(record.Data))
	}
	want := h.acked[h.from-1:]
	if len(found) > len(want) {
		want = slices.Concat(want, h.inflight)
	}
	if !slices.Equal(found, want) {
		t.Fatalf("from %d found %q\nwant %q\nor with the batch under way %q",
			h.from, found, h.acked[h.from-1:], h.inflight)
	}
	h.acked, h.inflight = slices.Concat(h.acked[:h.from-1], found), nil
	if report.Next != log.Next() || log.Next() != wal.Sequence(len(h.acked)+1) {
		t.Fatalf("next is %d, Check says %d", log.Next(), report.Next)
	}
	if (report.Torn == nil) != (recovery.Torn == nil) {
		t.Fatalf("Check says torn %v, Open %v", report.Torn, recovery.Torn)
	}
	h.lives++
	return log
}

// append adds a batch whose records tell their sequence and life, so that a remnant of an earlier
// life cannot pass for another record.
func (h *history) append(log *wal.Log, records int) error {
	h.inflight = nil
	for i := range records {
		s := fmt.Sprintf("%d in life %d ", len(h.acked)+i+1, h.lives)
		h.inflight = append(h.inflight, s+strings.Repeat("x", 13*i))
	}
	err := log.Append(toBatch(h.inflight))
	if err == nil {
		h.acked, h.inflight = append(h.acked, h.inflight...), nil
	}
	return err
}

// live opens the log, appends some batches of different sizes and releases what it can.
func (h *history) live(t *testing.T, fs vfs.FS, batches int) error {
	log := h.open(t, fs)
	for i := range batches {
		if err := h.append(log, 1+i%4); err != nil {
			return err
		}
		if i%5 == 4 {
			h.from = log.Next() - wal.Sequence(i%7) - 1
			if err := log.Release(h.from); err != nil {
				return err
			}
		}
	}
	return log.Close()
}

// TestNoCrashLosesWhatWasAcknowledged crashes a life of the log before each of its operations, the
// life after that again, and looks at what a third one finds.
func TestNoCrashLosesWhatWasAcknowledged(t *testing.T) {
	memory := vfs.NewMemory()
	h := &history{from: 1}
	second := func(t *testing.T, image *vfs.Memory) {
		h := h.clone()
		fs, done := vfstest.CrashEverywhere(t, image, *luck/4, func(t *testing.T, image *vfs.Memory) {
			h := h.clone()
			must(t, h.live(t, image, 1))
			h.open(t, image)
		})
		must(t, h.live(t, fs, 3))
		done()
	}
	fs, done := vfstest.CrashEverywhere(t, memory, *luck, second)
	must(t, h.live(t, fs, 25))
	must(t, h.live(t, fs, 4))
	if moments := done(); moments < 80 {
		t.Errorf("only %d moments", moments)
	}
	if h.from < 20 || len(segments(t, memory)) > 5 {
		t.Errorf("nothing was released: from %d, segments %q", h.from, segments(t, memory))
	}
}

var errKilled = errors.New("killed")

// TestWhatARestartFoundStaysThoughTheSystemCrashesLater kills the process, not the system, at each
// operation, also in the middle of a write. The next process finds what the first had not yet
// synced, acts on it, and then the system crashes.
func TestWhatARestartFoundStaysThoughTheSystemCrashesLater(t *testing.T) {
	for kill, done := 0, false; !done; kill++ {
		choose := rand.New(rand.NewPCG(uint64(kill), 3))
		memory := vfs.NewMemory()
		ops := 0
		fs := vfs.Wrap(memory, func(op vfs.Op) vfs.Verdict {
			if op.Kind.Changes() {
				ops++
			}
			if ops <= kill {
				return vfs.Verdict{}
			}
			partial := 0
			if op.Kind == vfs.Write && ops == kill+1 {
				partial = choose.IntN(op.Length + 1)
			}
			return vfs.Verdict{Err: errKilled, Partial: partial}
		})
		h := &history{from: 1}
		done = survive(t, h, fs)
		h.open(t, memory)
		for seed := range uint64(4) {
			choose := rand.New(rand.NewPCG(uint64(kill), seed))
			if seed == 0 {
				choose = nil
			}
			image := memory.CrashClone(choose)
			h := h.clone()
			must(t, h.live(t, image, 3))
			h.open(t, image.CrashClone(nil))
		}
		if t.Failed() {
			t.Fatalf("killed at operation %d", kill)
		}
	}
}

// survive lives until it is killed; true: it was not.
func survive(t *testing.T, h *history, fs vfs.FS) bool {
	log, _, err := wal.Open(fs, dir, 1, small)
	for i := 0; i < 12 && err == nil; i++ {
		err = h.append(log, 1+i%3)
	}
	if err != nil && !errors.Is(err, errKilled) && !strings.Contains(err.Error(), "killed") {
		t.Fatal(err)
	}
	return err == nil
}
