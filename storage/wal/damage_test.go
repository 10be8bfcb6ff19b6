package wal_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"detcd/storage/vfs"
	"detcd/storage/vfs/vfstest"
	"detcd/storage/wal"
)

// A sample is a small log on a healthy disk: its records, how many of them are in the last batch,
// and where what was written with that batch begins.
type sample struct {
	memory     *vfs.Memory
	records    []string
	last       int
	lastFile   string
	lastOffset int
}

// newSample makes a log with some batches of one to three records.
func newSample(t *testing.T, batches int) sample {
	t.Helper()
	s := sample{memory: vfs.NewMemory()}
	fs := vfs.Wrap(s.memory, func(op vfs.Op) vfs.Verdict {
		if op.Kind == vfs.Write {
			s.lastOffset = int(op.Offset)
		}
		return vfs.Verdict{}
	})
	log, _ := open(t, fs, 1)
	for i := range batches {
		var batch []string
		for j := range 1 + i%3 {
			batch = append(batch, fmt.Sprintf("batch %d record %d", i, j))
		}
		add(t, log, batch...)
		s.records, s.last = append(s.records, batch...), len(batch)
	}
	must(t, log.Close())
	must(t, s.memory.SyncDir(dir))
	for _, base := range segments(t, s.memory) {
		if vfstest.ReadFile(t, s.memory, dir+"/"+base)[0] != 0 {
			s.lastFile = dir + "/" + base
		}
	}
	if s.lastFile < segment(2) {
		t.Fatal("the sample is too small")
	}
	return s
}

// samples end at the first, second and third batch of a segment, without a spare and with one.
func samples(t *testing.T) []sample {
	t.Helper()
	var all []sample
	kinds := map[string]bool{}
	for batches := 5; batches < 8; batches++ {
		s := newSample(t, batches)
		names := segments(t, s.memory)
		spare := dir+"/"+names[len(names)-1] != s.lastFile
		kinds[fmt.Sprintf("spare %v, first %v", spare, s.lastOffset == 0)] = true
		all = append(all, s)
	}
	if len(kinds) < 2 {
		t.Fatalf("the samples are too much alike: %v", kinds)
	}
	return all
}

// found opens a log and returns its records as strings.
func found(fs vfs.FS) (records []string, torn *wal.Torn, err error) {
	log, recovery, err := wal.Open(fs, dir, 1, small)
	if err != nil {
		return nil, nil, err
	}
	for _, r := range recovery.Records {
		records = append(records, string(r.Data))
	}
	return records, recovery.Torn, log.Close()
}

func TestEveryFlippedBitIsNoticed(t *testing.T) {
	for _, s := range samples(t) {
		for _, base := range segments(t, s.memory) {
			name := dir + "/" + base
			content := vfstest.ReadFile(t, s.memory, name)
			for bit := range 8 * len(content) {
				image := s.memory.CrashClone(nil)
				flipped := slices.Clone(content)
				flipped[bit/8] ^= 1 << (bit % 8)
				vfstest.WriteFile(t, image, name, flipped)
				s.judgeFlip(t, image, name, bit/8)
				if t.Failed() {
					t.Fatalf("%d records, %s, bit %d", len(s.records), base, bit)
				}
			}
		}
	}
}

func (s sample) judgeFlip(t *testing.T, image *vfs.Memory, name string, at int) {
	_, checkErr := wal.Check(image, dir)
	records, torn, err := found(image)
	var damaged *vfs.CorruptionError
	switch {
	case err != nil:
		if !errors.As(err, &damaged) || damaged.File != name || damaged.Offset > int64(at) {
			t.Errorf("byte %d: %v", at, err)
		}
		if !errors.As(checkErr, &damaged) {
			t.Errorf("Check: %v", checkErr)
		}
	case torn == nil:
		t.Errorf("byte %d was not noticed", at)
	default:
		kept, cut := s.records, s.records[:len(s.records)-s.last]
		if torn.File != name || int(torn.Offset) > at || int(torn.Offset+torn.Length) <= at {
			t.Errorf("byte %d: torn %+v", at, *torn)
		}
		inside := name == s.lastFile && at >= s.lastOffset
		if !slices.Equal(records, kept) && !(inside && slices.Equal(records, cut)) {
			t.Errorf("byte %d: records %q", at, records)
		}
	}
}

func TestEveryTruncationIsNoticedOrHarmless(t *testing.T) {
	for _, s := range samples(t) {
		for _, base := range segments(t, s.memory) {
			name := dir + "/" + base
			content := vfstest.ReadFile(t, s.memory, name)
			unused := strings.Trim(string(content), "\x00") == ""
			for size := range content {
				image := s.memory.CrashClone(nil)
				vfstest.WriteFile(t, image, name, content[:size])
				records, torn, err := found(image)
				var damaged *vfs.CorruptionError
				switch {
				case err == nil && torn == nil && unused:
					if !slices.Equal(records, s.records) {
						t.Fatalf("%s cut to %d: records %q", base, size, records)
					}
				case err == nil || !errors.As(err, &damaged) || damaged.File != name:
					t.Fatalf("%s cut to %d: %v, torn %v", base, size, err, torn)
				}
			}
		}
	}
}

func TestEveryLostSectorIsNoticed(t *testing.T) {
	const sector = 32 // smaller than real ones, as the segments are
	for _, s := range samples(t) {
		for _, base := range segments(t, s.memory) {
			name := dir + "/" + base
			content := vfstest.ReadFile(t, s.memory, name)
			for at := 0; at < len(content); at += sector {
				lost := slices.Clone(content)
				clear(lost[at : at+sector])
				if slices.Equal(lost, content) {
					continue
				}
				image := s.memory.CrashClone(nil)
				vfstest.WriteFile(t, image, name, lost)
				records, torn, err := found(image)
				var damaged *vfs.CorruptionError
				cut := s.records[:len(s.records)-s.last]
				inLast := name == s.lastFile && at+sector > s.lastOffset
				switch {
				case errors.As(err, &damaged) && damaged.File == name:
				case err == nil && inLast && slices.Equal(records, cut):
				default:
					t.Fatalf("%s without sector %d: %v, torn %v, %q", base, at, err, torn, records)
				}
			}
		}
	}
}

func TestANewerVersionIsRefused(t *testing.T) {
	for _, number := range []int{1, 2} {
		s := newSample(t, 6)
		content := vfstest.ReadFile(t, s.memory, segment(number))
		copy(content, vfs.AppendPreamble(nil, "detcdWAL", 2))
		vfstest.WriteFile(t, s.memory, segment(number), content)
		_, checkErr := wal.Check(s.memory, dir)
		_, _, err := wal.Open(s.memory, dir, 1, small)
		want := segment(number) + ": the file has format version 2, this program reads up to version 1"
		for _, err := range []error{err, checkErr} {
			var newer *vfs.VersionError
			if !errors.As(err, &newer) || newer.Error() != want {
				t.Errorf("%v", err)
			}
		}
	}
}

func TestSegmentsOfAnotherLogAreRefused(t *testing.T) {
	s := newSample(t, 9)
	other := vfs.NewMemory()
	log, _ := open(t, other, 1)
	for log.Next() < 20 {
		add(t, log, "something", "else")
	}
	vfstest.WriteFile(t, s.memory, segment(2), vfstest.ReadFile(t, other, segment(2)))
	_, _, err := wal.Open(s.memory, dir, 1, small)
	var damaged *vfs.CorruptionError
	if !errors.As(err, &damaged) || !strings.Contains(err.Error(), "does not continue the log") {
		t.Error(err)
	}
	vfstest.WriteFile(t, s.memory, segment(2), vfstest.ReadFile(t, s.memory, segment(1)))
	_, _, err = wal.Open(s.memory, dir, 1, small)
	wantCorruption(t, err, segment(2), vfs.PreambleSize, "the segment has the number 1")
}

func TestTheFirstSegmentMayBeDamagedWhereItIsNotNeeded(t *testing.T) {
	s := newSample(t, 9)
	log, _ := open(t, s.memory, 1)
	must(t, log.Release(10))
	must(t, log.Close())
	report, err := wal.Check(s.memory, dir)
	must(t, err)
	name := dir + "/" + segments(t, s.memory)[0]
	content := vfstest.ReadFile(t, s.memory, name)
	content[40] ^= 1
	vfstest.WriteFile(t, s.memory, name, content)
	const reason = "the checksum of the segment's header does not match"
	_, err = wal.Check(s.memory, dir)
	wantCorruption(t, err, name, vfs.PreambleSize, reason)
	_, _, err = wal.Open(s.memory, dir, report.First, small)
	wantCorruption(t, err, name, vfs.PreambleSize, reason)
	_, recovery := open(t, s.memory, report.Next)
	if len(recovery.Records) != 0 {
		t.Errorf("records %s", show(recovery.Records))
	}
}

func TestAStainIsFoundFarBehindTheEnd(t *testing.T) {
	const size = 1 << 20
	for _, at := range []int{300, 4095, 4096, size/2 - 1, size - 5000, size - 1} {
		memory := vfs.NewMemory()
		options := wal.Options{SegmentSize: size}
		log, _, err := wal.Open(memory, dir, 1, options)
		must(t, err)
		must(t, log.Append([][]byte{make([]byte, size*2/3)}))
		must(t, log.Close())
		for number := 2; number > 0; number-- {
			offset := max(at, (2-number)*size*3/4)
			content := vfstest.ReadFile(t, memory, segment(number))
			content[offset] = 1
			image := memory.CrashClone(nil)
			vfstest.WriteFile(t, image, segment(number), content)
			log, recovery, err := wal.Open(image, dir, 1, options)
			must(t, err)
			torn := recovery.Torn
			if torn == nil || torn.File != segment(number) || torn.Offset+torn.Length != int64(offset+1) {
				t.Errorf("segment %d at %d: torn %+v", number, offset, torn)
			}
			must(t, log.Close())
		}
	}
}

func TestAReadErrorIsNotDamage(t *testing.T) {
	s := newSample(t, 9)
	errDisk := errors.New("the disk failed")
	for _, kind := range []vfs.Kind{vfs.Open, vfs.Read, vfs.Size, vfs.List} {
		fs := vfs.Wrap(s.memory, func(op vfs.Op) vfs.Verdict {
			if op.Kind == kind {
				return vfs.Verdict{Err: errDisk}
			}
			return vfs.Verdict{}
		})
		var damaged *vfs.CorruptionError
		if _, err := wal.Check(fs, dir); !errors.Is(err, errDisk) || errors.As(err, &damaged) {
			t.Errorf("%v: Check: %v", kind, err)
		}
		_, _, err := found(fs)
		if !errors.Is(err, errDisk) || errors.As(err, &damaged) {
			t.Errorf("%v: Open: %v", kind, err)
		}
	}
}
