package wal_test

import (
	"errors"
	"slices"
	"testing"

	"detcd/storage/vfs"
	"detcd/storage/vfs/vfstest"
	"detcd/storage/wal"
)

// FuzzOpen gives recovery two segments of any bytes. What it accepts must be a log: read the same
// again, and ready for more.
func FuzzOpen(f *testing.F) {
	memory := vfs.NewMemory()
	log, _, err := wal.Open(memory, dir, 1, small)
	if err != nil {
		f.Fatal(err)
	}
	for _, batch := range [][]string{{"a"}, {"b", "c"}, {}, {"a much longer record"}, {"d"}, {"e"}} {
		if err := log.Append(toBatch(batch)); err != nil {
			f.Fatal(err)
		}
	}
	read := func(name string) []byte {
		file, err := memory.Open(name)
		if err != nil {
			f.Fatal(err)
		}
		data := make([]byte, small.SegmentSize)
		if _, err := file.ReadAt(data, 0); err != nil {
			f.Fatal(err)
		}
		return data
	}
	one, two := read(segment(1)), read(segment(2))
	f.Add(one, two)
	f.Add(one, make([]byte, 256))
	f.Add(one[:100], two)
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(t *testing.T, one, two []byte) {
		memory := vfs.NewMemory()
		must(t, memory.MkdirAll(dir))
		vfstest.WriteFile(t, memory, segment(1), one)
		if len(two) > 0 {
			vfstest.WriteFile(t, memory, segment(2), two)
		}
		report, checkErr := wal.Check(memory, dir)
		log, recovery, err := wal.Open(memory, dir, 1, small)
		if (err == nil) != (checkErr == nil) {
			t.Fatalf("Open says %v, Check %v", err, checkErr)
		}
		var damaged *vfs.CorruptionError
		var newer *vfs.VersionError
		if err != nil {
			if !errors.As(err, &damaged) && !errors.As(err, &newer) {
				t.Fatal(err)
			}
			return
		}
		if report.Next != log.Next() || log.Next() != wal.Sequence(len(recovery.Records)+1) {
			t.Fatalf("next is %d, %+v, %d records", log.Next(), report, len(recovery.Records))
		}
		records := show(recovery.Records)
		must(t, log.Append([][]byte{[]byte("more")}))
		must(t, log.Close())
		again, recovery, err := wal.Open(memory, dir, 1, small)
		must(t, err)
		last := len(recovery.Records) - 1
		if recovery.Torn != nil || show(recovery.Records[:last]) != records ||
			string(recovery.Records[last].Data) != "more" {
			t.Fatalf("%s, then %s, torn %v", records, show(recovery.Records), recovery.Torn)
		}
		must(t, again.Close())
	})
}

// FuzzDamage changes any bytes of a healthy log: three bytes of the patch are a segment, an offset
// and what is added there. What recovery reads then is what was written, as far as it goes.
func FuzzDamage(f *testing.F) {
	f.Add([]byte{0, 60, 1})
	f.Add([]byte{1, 0, 255, 1, 100, 1})
	f.Add([]byte{2, 255, 7, 0, 200, 255, 1, 3, 3})
	f.Fuzz(func(t *testing.T, patch []byte) {
		s := newSample(t, 7)
		names := segments(t, s.memory)
		for len(patch) >= 3 {
			name := dir + "/" + names[int(patch[0])%len(names)]
			content := vfstest.ReadFile(t, s.memory, name)
			content[int(patch[1])%len(content)] += patch[2]
			vfstest.WriteFile(t, s.memory, name, content)
			patch = patch[3:]
		}
		records, _, err := found(s.memory)
		if err == nil && !slices.Equal(records, s.records[:min(len(records), len(s.records))]) {
			t.Fatalf("records %q", records)
		}
	})
}
