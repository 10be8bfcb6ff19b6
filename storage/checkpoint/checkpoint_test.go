package checkpoint_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"detcd/storage/checkpoint"
	"detcd/storage/vfs"
	"detcd/storage/vfs/vfstest"
)

const dir = "member/checkpoint"

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func name(number uint64) string { return fmt.Sprintf("%s/%016x.checkpoint", dir, number) }

func save(t *testing.T, fs vfs.FS, number uint64, blob string) {
	t.Helper()
	must(t, checkpoint.Save(fs, dir, number, []byte(blob)))
}

func wantLoad(t *testing.T, fs vfs.FS, number uint64, blob string) {
	t.Helper()
	gotNumber, got, err := checkpoint.Load(fs, dir)
	if err != nil || gotNumber != number || string(got) != blob {
		t.Errorf("Load: %d, %q, %v; want %d, %q", gotNumber, got, err, number, blob)
	}
}

func TestThereIsNoneAtFirst(t *testing.T) {
	memory := vfs.NewMemory()
	wantLoad(t, memory, 0, "")
	report, err := checkpoint.Check(memory, dir)
	if err != nil || report != (checkpoint.Report{}) {
		t.Errorf("%+v, %v", report, err)
	}
}

func TestTheNewestIsLoadedAndOlderOnesAreGone(t *testing.T) {
	large := strings.Repeat("large ", 10_000)
	for _, fs := range []vfs.FS{vfs.NewMemory(), vfs.OS(t.TempDir())} {
		save(t, fs, 7, "seven")
		wantLoad(t, fs, 7, "seven")
		save(t, fs, 7, "")
		wantLoad(t, fs, 7, "")
		save(t, fs, 1<<40, large)
		wantLoad(t, fs, 1<<40, large)
		names, err := fs.List(dir)
		must(t, err)
		if !slices.Equal(names, []string{"0000010000000000.checkpoint"}) {
			t.Errorf("%q", names)
		}
		report, err := checkpoint.Check(fs, dir)
		want := checkpoint.Report{Number: 1 << 40, Bytes: int64(len(large) + 40)}
		if err != nil || report != want {
			t.Errorf("%+v, %v", report, err)
		}
	}
}

func TestNumbersDoNotGoBack(t *testing.T) {
	memory := vfs.NewMemory()
	save(t, memory, 7, "seven")
	for _, number := range []uint64{0, 6} {
		if err := checkpoint.Save(memory, dir, number, nil); err == nil {
			t.Errorf("%d was saved after 7", number)
		}
	}
	wantLoad(t, memory, 7, "seven")
}

func TestOtherFilesAreLeftAlone(t *testing.T) {
	memory := vfs.NewMemory()
	must(t, memory.MkdirAll(dir))
	others := []string{"0000000000000000.checkpoint", "000000000000000F.checkpoint", "9.checkpoint",
		"0000000000000009.checkpoint.bak"}
	for _, other := range others {
		vfstest.WriteFile(t, memory, dir+"/"+other, nil)
	}
	save(t, memory, 1, "one")
	save(t, memory, 2, "two")
	wantLoad(t, memory, 2, "two")
	names, err := memory.List(dir)
	must(t, err)
	if len(names) != len(others)+1 {
		t.Errorf("%q", names)
	}
}

// A history is what the caller of Save knows.
type history struct {
	acked, inflight uint64
}

func blob(number uint64) string {
	return strings.Repeat(fmt.Sprintf("the state at %d. ", number), int(number%5)*30)
}

// load judges what is found: what was vouched for, or what was being saved. From then on that is
// vouched for.
func (h *history) load(t *testing.T, fs vfs.FS) {
	t.Helper()
	report, err := checkpoint.Check(fs, dir)
	must(t, err)
	number, got, err := checkpoint.Load(fs, dir)
	must(t, err)
	if number != h.acked && number != h.inflight {
		t.Fatalf("found %d, want %d or %d", number, h.acked, h.inflight)
	}
	if number > 0 && string(got) != blob(number) || report.Number != number {
		t.Fatalf("%d: %q, %+v", number, got, report)
	}
	h.acked, h.inflight = number, number
}

func (h *history) live(t *testing.T, fs vfs.FS, saves int) error {
	h.load(t, fs)
	for range saves {
		h.inflight = h.acked + 3
		if err := checkpoint.Save(fs, dir, h.inflight, []byte(blob(h.inflight))); err != nil {
			return err
		}
		h.acked = h.inflight
	}
	return nil
}

func TestACrashLeavesTheOneBeforeOrTheNewOne(t *testing.T) {
	memory := vfs.NewMemory()
	h := &history{}
	fs, done := vfstest.CrashEverywhere(t, memory, 8, func(t *testing.T, image *vfs.Memory) {
		h := *h
		fs, done := vfstest.CrashEverywhere(t, image, 4, func(t *testing.T, image *vfs.Memory) {
			h := h
			must(t, h.live(t, image, 1))
			h.load(t, image)
		})
		must(t, h.live(t, fs, 1))
		done()
	})
	must(t, h.live(t, fs, 6))
	if moments := done(); moments < 40 {
		t.Errorf("only %d moments", moments)
	}
}

func TestEverySyncOfADirectoryCounts(t *testing.T) {
	n := vfstest.EverySyncCounts(t, 0, func() (func(vfs.FS) error, func(*vfs.Memory) error) {
		h := &history{}
		work := func(fs vfs.FS) error { return h.live(t, fs, 3) }
		intact := func(image *vfs.Memory) error {
			number, _, err := checkpoint.Load(image, dir)
			if err == nil && number < h.acked {
				err = fmt.Errorf("found %d, want %d", number, h.acked)
			}
			return err
		}
		return work, intact
	})
	if n != 5 { // two directories, three checkpoints
		t.Errorf("%d syncs", n)
	}
}

var errFailed = errors.New("failed")

// TestAFailedSaveLeavesTheOneBeforeOrTheNewOne also stands for a killed process: the next one loads
// a checkpoint that may not be synced yet, acts on it, and then the system crashes.
func TestAFailedSaveLeavesTheOneBeforeOrTheNewOne(t *testing.T) {
	for _, partial := range []int{0, 20} {
		for fail, done := 0, false; !done; fail++ {
			memory := vfs.NewMemory()
			h := &history{}
			must(t, h.live(t, memory, 2))
			ops := 0
			fs := vfs.Wrap(memory, func(op vfs.Op) vfs.Verdict {
				if ops++; ops > fail {
					return vfs.Verdict{Err: errFailed, Partial: partial}
				}
				return vfs.Verdict{}
			})
			h.inflight = h.acked + 3
			err := checkpoint.Save(fs, dir, h.inflight, []byte(blob(h.inflight)))
			if err != nil && !errors.Is(err, errFailed) {
				t.Fatal(err)
			}
			done = err == nil
			h.load(t, memory)
			h.load(t, memory.CrashClone(nil))
			must(t, h.live(t, memory, 1))
			if t.Failed() {
				t.Fatalf("failed at operation %d", fail)
			}
		}
	}
}

func TestAReadErrorIsNotDamage(t *testing.T) {
	memory := vfs.NewMemory()
	save(t, memory, 1, "one")
	for _, kind := range []vfs.Kind{vfs.List, vfs.Open, vfs.Size, vfs.Read, vfs.SyncDir} {
		fs := vfs.Wrap(memory, func(op vfs.Op) vfs.Verdict {
			if op.Kind == kind {
				return vfs.Verdict{Err: errFailed}
			}
			return vfs.Verdict{}
		})
		var damaged *vfs.CorruptionError
		_, _, err := checkpoint.Load(fs, dir)
		if !errors.Is(err, errFailed) || errors.As(err, &damaged) {
			t.Errorf("%v: %v", kind, err)
		}
	}
}

// damage tests that a checkpoint whose file has this content is refused.
func damage(t *testing.T, what string, content []byte, at int) {
	t.Helper()
	memory := vfs.NewMemory()
	save(t, memory, 5, "older")
	vfstest.WriteFile(t, memory, name(6), content)
	_, checkErr := checkpoint.Check(memory, dir)
	_, _, err := checkpoint.Load(memory, dir)
	for _, err := range []error{err, checkErr} {
		var damaged *vfs.CorruptionError
		if !errors.As(err, &damaged) || damaged.File != name(6) || damaged.Offset > int64(at) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func sample(t *testing.T) []byte {
	t.Helper()
	memory := vfs.NewMemory()
	save(t, memory, 6, "a small blob")
	return vfstest.ReadFile(t, memory, name(6))
}

func TestEveryDamageIsNoticed(t *testing.T) {
	content := sample(t)
	for bit := range 8 * len(content) {
		flipped := bytes.Clone(content)
		flipped[bit/8] ^= 1 << (bit % 8)
		damage(t, fmt.Sprintf("bit %d flipped", bit), flipped, bit/8)
	}
	for size := range content {
		damage(t, fmt.Sprintf("cut to %d", size), content[:size], size)
	}
	damage(t, "one byte more", append(bytes.Clone(content), 0), len(content))
	damage(t, "nothing but zeros", make([]byte, len(content)), 0)
}

func TestACheckpointUnderAnotherNumberIsRefused(t *testing.T) {
	memory := vfs.NewMemory()
	save(t, memory, 5, "five")
	damage(t, "renamed", vfstest.ReadFile(t, memory, name(5)), 16)
}

func TestANewerVersionIsRefused(t *testing.T) {
	memory := vfs.NewMemory()
	content := sample(t)
	copy(content, vfs.AppendPreamble(nil, "detcdCKP", 7))
	save(t, memory, 5, "older")
	vfstest.WriteFile(t, memory, name(6), content)
	_, _, err := checkpoint.Load(memory, dir)
	var newer *vfs.VersionError
	want := name(6) + ": the file has format version 7, this program reads up to version 1"
	if !errors.As(err, &newer) || newer.Error() != want {
		t.Error(err)
	}
}

// TestTheFormatIsPinned compares the bytes of a small checkpoint with a golden file;
// docs/formats/checkpoint.md explains them. If they must differ, the version must too.
func TestTheFormatIsPinned(t *testing.T) {
	dump := hex.Dump(sample(t))
	const golden = "testdata/checkpoint.hex"
	if *rewrite {
		must(t, os.WriteFile(golden, []byte(dump), 0o644))
	}
	want, err := os.ReadFile(golden)
	must(t, err)
	if dump != string(want) {
		t.Errorf("the bytes are\n%s\nwant\n%s", dump, want)
	}
	page, err := os.ReadFile("../../docs/formats/checkpoint.md")
	must(t, err)
	if !strings.Contains(string(page), dump) {
		t.Error("docs/formats/checkpoint.md does not show them")
	}
}

// FuzzLoad gives Load any bytes: it refuses them, or they are what Save would have written.
func FuzzLoad(f *testing.F) {
	f.Add([]byte{})
	f.Add(make([]byte, 60))
	memory := vfs.NewMemory()
	if err := checkpoint.Save(memory, dir, 6, []byte("some blob")); err != nil {
		f.Fatal(err)
	}
	file, err := memory.Open(name(6))
	if err != nil {
		f.Fatal(err)
	}
	content := make([]byte, 49)
	if _, err := file.ReadAt(content, 0); err != nil {
		f.Fatal(err)
	}
	f.Add(content)
	f.Fuzz(func(t *testing.T, content []byte) {
		memory := vfs.NewMemory()
		must(t, memory.MkdirAll(dir))
		vfstest.WriteFile(t, memory, name(6), content)
		number, blob, err := checkpoint.Load(memory, dir)
		if err != nil {
			return
		}
		again := vfs.NewMemory()
		save(t, again, number, string(blob))
		if got := vfstest.ReadFile(t, again, name(number)); !bytes.Equal(got, content) {
			t.Errorf("loaded %x, written again it is %x", content, got)
		}
	})
}
