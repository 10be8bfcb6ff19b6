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
func (h *history) open(t *testing.T, fs vfs.FS) (*wal.Log, error) {
	t.Helper()
	report, err := wal.Check(fs, dir)
	if err != nil {
		return nil, err
	}
	log, recovery, err := wal.Open(fs, dir, h.from, small)
	if err != nil {
		return nil, err
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
	return log, nil
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
	t.Helper()
	log, err := h.open(t, fs)
	if err != nil {
		return err
	}
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
			must(t, h.live(t, image, 0))
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

// TestWhatARestartFoundStaysThoughTheSystemCrashesLater kills the process, not the system, at each
// operation, also in the middle of a write. The next process finds what the first had not yet
// synced, acts on it, and then the system crashes.
func TestWhatARestartFoundStaysThoughTheSystemCrashesLater(t *testing.T) {
	errKilled := errors.New("killed")
	for kill, done := 0, false; !done; kill++ {
		choose := rand.New(rand.NewPCG(uint64(kill), 3))
		memory := vfs.NewMemory()
		ops := 0
		killing := vfs.Wrap(memory, func(op vfs.Op) vfs.Verdict {
			if op.Kind.Changes() {
				ops++
			}
			v := vfs.Verdict{}
			if ops > kill {
				v.Err = errKilled
			}
			if ops == kill+1 && op.Kind == vfs.Write {
				v.Partial = choose.IntN(op.Length + 1)
			}
			return v
		})
		h := &history{from: 1}
		err := h.live(t, killing, 17)
		if err != nil && !strings.Contains(err.Error(), "killed") {
			t.Fatal(err)
		}
		done = err == nil
		fs, crashed := vfstest.CrashEverywhere(t, memory, *luck, func(t *testing.T, image *vfs.Memory) {
			must(t, h.clone().live(t, image, 0))
		})
		must(t, h.live(t, fs, 6))
		crashed()
		if t.Failed() {
			t.Fatalf("killed at operation %d", kill)
		}
	}
}

// TestAKilledReleaseLeavesNoGap is the worst moment of the test above, with more luck: a process
// was killed after it removed a segment and before that was durable. The next process removes the
// next segment. If only the second removal survived a crash, a segment would be missing in
// between.
func TestAKilledReleaseLeavesNoGap(t *testing.T) {
	memory := vfs.NewMemory()
	h := &history{from: 1}
	log, err := h.open(t, memory)
	must(t, err)
	for range 9 {
		must(t, h.append(log, 1))
	}
	if names := segments(t, memory); len(names) != 3 { // else Open makes a spare, and syncs for it
		t.Fatalf("the log has %q", names)
	}
	must(t, memory.Remove(segment(1)))
	h.from = wal.Sequence(len(h.acked) + 1)
	fs, done := vfstest.CrashEverywhere(t, memory, 40, func(t *testing.T, image *vfs.Memory) {
		must(t, h.clone().live(t, image, 0))
	})
	log, err = h.open(t, fs)
	must(t, err)
	must(t, log.Release(h.from))
	done()
	if names := segments(t, memory); len(names) != 1 {
		t.Errorf("the log still has %q", names)
	}
}

// TestEverySyncOfADirectoryCounts leaves out one after the other. Only the last spare segment waits
// for something to rest upon it. There are several batches in a segment: none hides behind the sync
// for the next spare.
func TestEverySyncOfADirectoryCounts(t *testing.T) {
	n := vfstest.EverySyncCounts(t, 1, func() (func(vfs.FS) error, func(*vfs.Memory) error) {
		acked := 0
		work := func(fs vfs.FS) error {
			log, _, err := wal.Open(fs, dir, 1, wal.Options{SegmentSize: 500})
			for err == nil && acked < 40 {
				if err = log.Append(toBatch([]string{"some record"})); err == nil {
					acked++
				}
			}
			return err
		}
		intact := func(image *vfs.Memory) error {
			_, recovery, err := wal.Open(image, dir, 1, small)
			if err == nil && len(recovery.Records) < acked {
				err = errors.New("records are missing")
			}
			return err
		}
		return work, intact
	})
	if n < 6 {
		t.Errorf("only %d syncs", n)
	}
}
