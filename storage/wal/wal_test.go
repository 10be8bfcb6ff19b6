package wal_test

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"detcd/storage/vfs"
	"detcd/storage/vfs/vfstest"
	"detcd/storage/wal"
)

const dir = "member/wal"

// small makes a segment hold about three batches of the tests.
var small = wal.Options{SegmentSize: 256}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, fs vfs.FS, from wal.Sequence) (*wal.Log, *wal.Recovery) {
	t.Helper()
	log, recovery, err := wal.Open(fs, dir, from, small)
	must(t, err)
	return log, recovery
}

func add(t *testing.T, log *wal.Log, batch ...string) {
	t.Helper()
	must(t, log.Append(toBatch(batch)))
}

func toBatch(batch []string) (data [][]byte) {
	for _, s := range batch {
		data = append(data, []byte(s))
	}
	return data
}

// show writes records as "1:a 2:b".
func show(records []wal.Record) string {
	var b strings.Builder
	for _, r := range records {
		fmt.Fprintf(&b, "%d:%s ", r.Sequence, r.Data)
	}
	return strings.TrimSpace(b.String())
}

func wantLog(t *testing.T, fs vfs.FS, from wal.Sequence, want string) {
	t.Helper()
	log, recovery := open(t, fs, from)
	defer log.Close()
	if got := show(recovery.Records); got != want {
		t.Errorf("records from %d are %q, want %q", from, got, want)
	}
	if recovery.Torn != nil {
		t.Errorf("torn: %+v", *recovery.Torn)
	}
}

func wantCorruption(t *testing.T, err error, file string, offset int64, reason string) {
	t.Helper()
	var damaged *vfs.CorruptionError
	if !errors.As(err, &damaged) {
		t.Errorf("the error is %v, want damage of %s", err, file)
		return
	}
	if damaged.File != file || damaged.Offset != offset || !strings.Contains(damaged.Reason, reason) {
		t.Errorf("%v, want %s at %d: %s", damaged, file, offset, reason)
	}
}

func segment(number int) string { return fmt.Sprintf("%s/%016x.wal", dir, number) }

func segments(t *testing.T, fs vfs.FS) []string {
	t.Helper()
	names, err := fs.List(dir)
	must(t, err)
	return names
}

func TestANewLogIsEmpty(t *testing.T) {
	memory := vfs.NewMemory()
	for range 3 {
		wantLog(t, memory, 1, "")
	}
	log, _ := open(t, memory, 0)
	if log.Next() != 1 || !log.HasHeadroom() {
		t.Errorf("next %d, roomy %v", log.Next(), log.HasHeadroom())
	}
}

func TestWhatWasAppendedIsReadAgain(t *testing.T) {
	for _, fs := range []vfs.FS{vfs.NewMemory(), vfs.OS(t.TempDir())} {
		log, _ := open(t, fs, 1)
		add(t, log, "a", "", "ccc")
		add(t, log)
		add(t, log, "d")
		if log.Next() != 5 {
			t.Errorf("next is %d", log.Next())
		}
		must(t, log.Close())
		must(t, log.Close())
		wantLog(t, fs, 0, "1:a 2: 3:ccc 4:d")
		wantLog(t, fs, 3, "3:ccc 4:d")
		wantLog(t, fs, 5, "")
		log, _ = open(t, fs, 5)
		add(t, log, "e")
		must(t, log.Close())
		wantLog(t, fs, 1, "1:a 2: 3:ccc 4:d 5:e")
	}
}

func TestABatchIsOneWriteAndOneSync(t *testing.T) {
	var ops []string
	fs := vfs.Wrap(vfs.NewMemory(), func(op vfs.Op) vfs.Verdict {
		ops = append(ops, op.Kind.String())
		return vfs.Verdict{}
	})
	log, _, err := wal.Open(fs, dir, 1, wal.Options{})
	must(t, err)
	for range 50 { // the first begins a segment
		ops = nil
		add(t, log, "a", "b")
		if !slices.Equal(ops, []string{"Write", "Sync"}) {
			t.Fatalf("an append did %v", ops)
		}
	}
}

func TestSegmentsFollowEachOther(t *testing.T) {
	memory := vfs.NewMemory()
	log, _ := open(t, memory, 1)
	var all []string
	for i := range 40 {
		add(t, log, fmt.Sprintf("number %d", i))
		all = append(all, fmt.Sprintf("%d:number %d", i+1, i))
		must(t, log.Close())
		for from := range 2 + i {
			wantLog(t, memory, wal.Sequence(from+1), strings.Join(all[from:], " "))
		}
		log, _ = open(t, memory, 1)
	}
	if names := segments(t, memory); len(names) < 8 || names[0] != "0000000000000001.wal" {
		t.Errorf("segments: %q", names)
	}
	report, err := wal.Check(memory, dir)
	must(t, err)
	if report.First != 1 || report.Next != 41 || report.Torn != nil ||
		report.Bytes != int64(256*report.Segments) {
		t.Errorf("%+v", report)
	}
}

func TestABatchLargerThanASegmentGetsItsOwn(t *testing.T) {
	memory := vfs.NewMemory()
	log, _ := open(t, memory, 1)
	large := strings.Repeat("x", 5000)
	add(t, log, "a")
	add(t, log, large, "b")
	add(t, log, "c")
	wantLog(t, memory, 1, "1:a 2:"+large+" 3:b 4:c")
	add(t, log, large)
	wantLog(t, memory, 4, "4:c 5:"+large)
}

func TestReleaseDeletesWholeSegmentsOnly(t *testing.T) {
	memory := vfs.NewMemory()
	log, _ := open(t, memory, 1)
	starts := []wal.Sequence{1} // of the segments
	for len(starts) < 5 {
		add(t, log, fmt.Sprintf("number %d", log.Next()))
		next := segment(len(starts) + 1)
		exists := slices.Contains(segments(t, memory), path.Base(next))
		if exists && vfstest.ReadFile(t, memory, next)[0] != 0 {
			starts = append(starts, log.Next()-1)
		}
	}
	for i, start := range starts {
		if start > 1 {
			must(t, log.Release(start-1))
			if got := segments(t, memory)[0]; dir+"/"+got != segment(i) {
				t.Errorf("after Release(%d) the first segment is %s", start-1, got)
			}
		}
		must(t, log.Release(start))
		if got := segments(t, memory)[0]; dir+"/"+got != segment(i+1) {
			t.Errorf("after Release(%d) the first segment is %s", start, got)
		}
		report, err := wal.Check(memory, dir)
		if err != nil || report.First != start || report.Next != log.Next() {
			t.Errorf("%+v, %v", report, err)
		}
	}
	must(t, log.Release(log.Next()+100))
	must(t, log.Close())
	_, _, err := wal.Open(memory, dir, starts[4]-1, small)
	wantCorruption(t, err, segment(5), 0, "is wanted, but records are gone before this segment")
	_, recovery := open(t, memory, starts[4])
	if len(recovery.Records) == 0 || recovery.Records[0].Sequence != starts[4] {
		t.Errorf("recovered %s", show(recovery.Records))
	}
}

func TestOpenRefusesToBeginBeyondTheEnd(t *testing.T) {
	memory := vfs.NewMemory()
	_, _, err := wal.Open(memory, dir, 2, small)
	wantCorruption(t, err, dir, 0, "record 2 is wanted, but records are missing from 1 on")
	log, _ := open(t, memory, 1)
	add(t, log, "a")
	_, _, err = wal.Open(memory, dir, 3, small)
	wantCorruption(t, err, segment(1), 48+40, "record 3 is wanted, but records are missing from 2 on")
}

func TestAMissingSegmentIsDamage(t *testing.T) {
	memory := vfs.NewMemory()
	log, _ := open(t, memory, 1)
	for i := range 20 {
		add(t, log, fmt.Sprintf("number %d", i))
	}
	must(t, memory.Remove(segment(3)))
	_, _, err := wal.Open(memory, dir, 1, small)
	wantCorruption(t, err, segment(3), 0, "the segment is missing")
	_, err = wal.Check(memory, dir)
	wantCorruption(t, err, segment(3), 0, "the segment is missing")
}

func TestOtherFilesAreLeftAlone(t *testing.T) {
	memory := vfs.NewMemory()
	must(t, memory.MkdirAll(dir))
	others := []string{"0000000000000000.wal", "00000000000000001.wal", "000000000000000A.wal",
		"0000000000000002.wal.bak", "notes"}
	for _, name := range others {
		vfstest.WriteFile(t, memory, dir+"/"+name, []byte("mine"))
	}
	log, _ := open(t, memory, 1)
	add(t, log, "a")
	wantLog(t, memory, 1, "1:a")
	for _, name := range others {
		if got := vfstest.ReadFile(t, memory, dir+"/"+name); string(got) != "mine" {
			t.Errorf("%s holds %q", name, got)
		}
	}
}

func TestAfterAFailedWriteNothingIsAppended(t *testing.T) {
	errDisk := errors.New("the disk failed")
	for _, kind := range []vfs.Kind{vfs.Write, vfs.Sync} {
		for _, cause := range []error{errDisk, vfs.ErrNoSpace} {
			armed := false
			fs := vfs.Wrap(vfs.NewMemory(), func(op vfs.Op) vfs.Verdict {
				if armed && op.Kind == kind {
					return vfs.Verdict{Err: cause}
				}
				return vfs.Verdict{}
			})
			log, _ := open(t, fs, 1)
			add(t, log, "a")
			armed = true
			err := log.Append(toBatch([]string{"b"}))
			if err == nil || !strings.Contains(err.Error(), cause.Error()) {
				t.Errorf("%v: %v", kind, err)
			}
			if errors.Is(err, vfs.ErrNoSpace) {
				t.Errorf("%v: the error looks as if Append could be repeated", kind)
			}
			armed = false
			if again := log.Append(toBatch([]string{"b"})); again != err {
				t.Errorf("after a failed %v: %v", kind, again)
			}
		}
	}
}

func TestAFullDeviceIsNoticedEarlyAndOverWhenItHasRoom(t *testing.T) {
	memory := vfs.NewMemory()
	full := false
	fs := vfs.Wrap(memory, func(op vfs.Op) vfs.Verdict {
		if full && (op.Kind == vfs.Allocate || op.Kind == vfs.Create) {
			return vfs.Verdict{Err: fmt.Errorf("allocate: %w", vfs.ErrNoSpace)}
		}
		return vfs.Verdict{}
	})
	log, _ := open(t, fs, 1)
	full = true
	var want []string
	for log.HasHeadroom() {
		add(t, log, "roomy")
		want = append(want, fmt.Sprintf("%d:roomy", len(want)+1))
	}
	for err := error(nil); err == nil; { // what is under way still finds its place
		err = log.Append(toBatch([]string{"late"}))
		if err == nil {
			want = append(want, fmt.Sprintf("%d:late", len(want)+1))
		} else if !errors.Is(err, vfs.ErrNoSpace) {
			t.Fatal(err)
		}
	}
	if len(want) < 4 || log.Next() != wal.Sequence(len(want)+1) {
		t.Errorf("%q, next is %d", want, log.Next())
	}
	wantLog(t, memory, 1, strings.Join(want, " "))
	full = false
	add(t, log)
	if !log.HasHeadroom() {
		t.Error("an empty batch did not make room")
	}
	add(t, log, "again")
	want = append(want, fmt.Sprintf("%d:again", len(want)+1))
	must(t, log.Close())
	wantLog(t, memory, 1, strings.Join(want, " "))
}

func TestAFullDeviceLetsALogBeRead(t *testing.T) {
	for _, kind := range []vfs.Kind{vfs.Create, vfs.Allocate} {
		memory := vfs.NewMemory()
		full := false
		fs := vfs.Wrap(memory, func(op vfs.Op) vfs.Verdict {
			if full && op.Kind == kind {
				return vfs.Verdict{Err: vfs.ErrNoSpace}
			}
			return vfs.Verdict{}
		})
		log, _ := open(t, fs, 1)
		full = true
		for log.HasHeadroom() {
			add(t, log, "a")
		}
		must(t, log.Close())
		log, recovery := open(t, fs, 1)
		if got := show(recovery.Records); got != "1:a 2:a" {
			t.Errorf("recovered %s", got)
		}
		if log.HasHeadroom() {
			t.Errorf("%v fails and the log is roomy", kind)
		}
	}
}

func TestRecordsKeepTheirBytes(t *testing.T) {
	memory := vfs.NewMemory()
	log, _ := open(t, memory, 1)
	data := []byte("abc")
	must(t, log.Append([][]byte{data}))
	copy(data, "xyz")
	must(t, log.Append([][]byte{data}))
	_, recovery := open(t, memory, 1)
	if got := show(recovery.Records); got != "1:abc 2:xyz" {
		t.Error(got)
	}
	_ = append(recovery.Records[0].Data, "overflow"...)
	if !bytes.Equal(recovery.Records[1].Data, data) {
		t.Error("appending to a record overwrote the next")
	}
}

func TestBlocksAreWrittenBeforeTheyAreNeeded(t *testing.T) {
	const ahead = 256 << 10
	var lengths []int
	fs := vfs.Wrap(vfs.NewMemory(), func(op vfs.Op) vfs.Verdict {
		if op.Kind == vfs.Write {
			lengths = append(lengths, op.Length)
		}
		return vfs.Verdict{}
	})
	log, _, err := wal.Open(fs, dir, 1, wal.Options{SegmentSize: 2 * ahead})
	must(t, err)
	record := strings.Repeat("x", 65_500)
	for range 10 {
		add(t, log, record)
	}
	const batch = 65_536
	want := []int{48 + batch + ahead, batch, batch, batch, batch, 2*ahead - 48 - 5*batch, batch,
		48 + batch + ahead, batch, batch}
	if !slices.Equal(lengths, want) {
		t.Errorf("the writes are %d, want %d", lengths, want)
	}
}

func TestASegmentSizeMayChange(t *testing.T) {
	memory := vfs.NewMemory()
	var want []string
	for _, size := range []int64{1000, 200, 400, 1} {
		for i := range 12 {
			log, _, err := wal.Open(memory, dir, 1, wal.Options{SegmentSize: size})
			must(t, err)
			want = append(want, fmt.Sprintf("%d:%d of %d", log.Next(), i, size))
			add(t, log, fmt.Sprintf("%d of %d", i, size))
			must(t, log.Close())
			wantLog(t, memory, 1, strings.Join(want, " "))
		}
	}
}

// TestWhatAClientWritesIsNotTakenForABatch tears a batch whose record is the copy of an older one.
func TestWhatAClientWritesIsNotTakenForABatch(t *testing.T) {
	memory := vfs.NewMemory()
	log, _ := open(t, memory, 1)
	add(t, log, "an older batch")
	const first, size = 48, 56
	batch := vfstest.ReadFile(t, memory, segment(1))[first : first+size]
	add(t, log, "1234"+string(batch)) // as batches do, it begins at a multiple of 8
	content := vfstest.ReadFile(t, memory, segment(1))
	clear(content[first+size : first+size+8])
	vfstest.WriteFile(t, memory, segment(1), content)
	_, recovery := open(t, memory, 1)
	if recovery.Torn == nil || show(recovery.Records) != "1:an older batch" {
		t.Errorf("torn %v, records %s", recovery.Torn, show(recovery.Records))
	}
}
