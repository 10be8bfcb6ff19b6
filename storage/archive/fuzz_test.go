package archive

import (
	"bytes"
	"encoding/binary"
	"testing"

	"detcd/storage/vfs"
)

// FuzzRecord gives the reader of records any bytes, with a checksum that fits: what it makes of
// them must come out the same when it is written and read again.
func FuzzRecord(f *testing.F) {
	for _, r := range []Record{{}, {ID: ID{300, 2}, Head: []byte("key"), Body: []byte("value")}} {
		data := r.append(nil)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, size := cutRecord(data)
		if size == 0 {
			return
		}
		binary.LittleEndian.PutUint32(data, checksum(data[4:size]))
		if _, _, reason := verifyRecord(data); reason != "" {
			t.Fatalf("refused: %s", reason)
		}
		again := r.append(nil)
		if int64(len(again)) != r.numbers().recordSize() {
			t.Fatalf("%v takes %d bytes", r, len(again))
		}
		r2, size2, reason := verifyRecord(again)
		if reason != "" || size2 != len(again) || !equal([]Record{r}, []Record{r2}) {
			t.Fatalf("%v became %v: %s", r, r2, reason)
		}
	})
}

// FuzzFooter opens files with any data and any entries, between a header and a trailer that fit.
// Each is refused or read without a panic, and no record is read that the file does not hold.
func FuzzFooter(f *testing.F) {
	s := newSmall(f)
	for k := range 2 {
		_, file := s.file(f, k)
		last := cutTrailer(file[len(file)-trailerSize:])
		start := len(file) - trailerSize - int(last.entries)
		f.Add(file[headerSize:start], file[start:len(file)-trailerSize], last.count, last.chain)
	}
	f.Fuzz(func(t *testing.T, data, entries []byte, count, chain uint32) {
		whole := append(header(), data...)
		foot := footer{bytes: bytes.Clone(entries), count: count, chain: chain}
		sum := foot.finish()
		whole = append(whole, foot.bytes...)
		named := Segment{Name: "s.seg", Length: int64(len(whole)), Sealed: true, Checksum: sum}
		openAndRead(t, whole, named)
	})
}

// FuzzUnsealed does the same with the data of an unsealed segment.
func FuzzUnsealed(f *testing.F) {
	s := newSmall(f)
	_, file := s.file(f, 2)
	f.Add(file[headerSize:], s.segments[2].Checksum)
	f.Fuzz(func(t *testing.T, data []byte, chain uint32) {
		whole := append(header(), data...)
		named := Segment{Name: "s.seg", Length: int64(len(whole)), Checksum: chain}
		openAndRead(t, whole, named)
	})
}

func openAndRead(t *testing.T, whole []byte, named Segment) {
	fs := vfs.NewMemory()
	if err := fs.MkdirAll("archive"); err != nil {
		t.Fatal(err)
	}
	file, err := fs.Create("archive/" + named.Name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteAt(whole, 0); err != nil {
		t.Fatal(err)
	}
	var ids []ID
	_, checked := Check(fs, "archive", []Segment{named})
	a, err := Open(fs, "archive", []Segment{named}, Options{},
		func(id ID, _ []byte, _ int) error { ids = append(ids, id); return nil })
	if err != nil {
		if checked == nil {
			t.Fatalf("check found nothing, open says %v", err)
		}
		return
	}
	if err := a.valid(); err != nil {
		t.Fatal(err)
	}
	failed := checked
	for _, id := range ids {
		r, err := a.View().Get(id)
		if err != nil {
			failed = err
			continue
		}
		if !bytes.Contains(whole, r.append(nil)) {
			t.Fatalf("%v is not in the file", r)
		}
	}
	if failed != nil && checked == nil {
		t.Fatalf("check found nothing, a read says %v", failed)
	}
}
