package wal

import (
	"slices"
	"testing"

	"detcd/storage/vfs"
)

// FuzzBody gives the parser of a batch any body, with the checksum that makes it look right.
func FuzzBody(f *testing.F) {
	f.Add(uint32(0), []byte{})
	f.Add(uint32(1), []byte{1, 0, 0})
	f.Add(uint32(1), []byte{1, 0, 0, 0})
	f.Add(uint32(1), []byte{1, 0, 0, 0, 'a', 0, 0, 0})
	f.Add(uint32(2), []byte{1, 0, 0, 0, 'a', 0, 0, 0, 0})
	f.Add(uint32(1), []byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add(uint32(1<<32-1), []byte{255, 255, 255, 255, 'a'})
	f.Fuzz(func(t *testing.T, count uint32, body []byte) {
		before := []Record{{Sequence: 6}}
		h := batchHeader{start: Position{Sequence: 7}, count: count, body: vfs.Checksum(0, body)}
		records, ok := h.records(body, before)
		if !ok {
			if len(records) != 1 {
				t.Errorf("refused, but there are %d records", len(records))
			}
			return
		}
		if uint32(len(records)-1) != count {
			t.Fatalf("%d records, want %d", len(records)-1, count)
		}
		for i, r := range records {
			if r.Sequence != Sequence(6+i) {
				t.Errorf("record %d has the sequence %d", i, r.Sequence)
			}
			if i == 0 {
				continue
			}
			length := len(r.Data)
			if !slices.Equal(body[4:4+length], r.Data) || cap(r.Data) != length {
				t.Errorf("record %d is %q", i, r.Data)
			}
			body = body[4+length:]
		}
		if len(body) >= alignment {
			t.Errorf("%d bytes are left", len(body))
		}
	})
}
