package wal

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"path"
	"strconv"
	"strings"

	"detcd/storage/vfs"
)

const (
	magic   = "detcdWAL"
	version = 1

	segmentHeaderSize = 48
	batchHeaderSize   = 32
	recordHeaderSize  = 4
	alignment         = 8 // of the batches

	segmentSizeDefault = 64 << 20
	segmentSizeMax     = 1 << 30
	segmentSizeMin     = segmentHeaderSize + batchHeaderSize + recordHeaderSize
	batchSizeMax       = segmentSizeMax - segmentHeaderSize // so that every batch fits in some segment

	suffix  = ".wal"
	unnamed = "spare" // a segment that has no number yet
)

// A Position is a place between two batches of one log, and of no other: the chain holds the sums
// of all batches before it, so two logs that have had different records, or copies of one log that
// went on differently, never have a position in common again. Zero is none.
type Position struct {
	Sequence Sequence // of the record behind it
	Chain    uint32   // sum of the batch before it; 0 at the start
}

// A header begins a segment. It is written together with the first batch, in one write.
type header struct {
	number uint64   // as in the name
	size   int64    // of the file
	start  Position // of its first batch
}

func (h header) append(b []byte) []byte {
	start := len(b)
	b = vfs.AppendPreamble(b, magic, version)
	b = binary.LittleEndian.AppendUint64(b, h.number)
	b = binary.LittleEndian.AppendUint64(b, uint64(h.size))
	b = binary.LittleEndian.AppendUint64(b, uint64(h.start.Sequence))
	b = binary.LittleEndian.AppendUint32(b, h.start.Chain)
	return binary.LittleEndian.AppendUint32(b, vfs.Checksum(0, b[start:]))
}

func parseHeader(file string, b []byte) (header, error) {
	if err := vfs.CheckPreamble(file, b, magic, version); err != nil {
		return header{}, err
	}
	const body = segmentHeaderSize - 4
	if len(b) < segmentHeaderSize ||
		binary.LittleEndian.Uint32(b[body:]) != vfs.Checksum(0, b[:body]) {
		return header{}, &vfs.CorruptionError{File: file, Offset: vfs.PreambleSize,
			Reason: "the checksum of the segment's header does not match"}
	}
	return header{
		number: binary.LittleEndian.Uint64(b[16:]),
		size:   int64(binary.LittleEndian.Uint64(b[24:])),
		start: Position{
			Sequence: Sequence(binary.LittleEndian.Uint64(b[32:])),
			Chain:    binary.LittleEndian.Uint32(b[40:]),
		},
	}, nil
}

// A batchHeader begins a batch. It can be recognised by itself, whatever stands before it: it names
// its offset, and its sum is seeded with the chain at the start of the segment, which no client can
// know. So neither what a client writes nor an old batch elsewhere passes for one.
type batchHeader struct {
	offset uint32   // in the segment
	count  uint32   // of records
	start  Position // where the batch stands in the log
	length uint32   // of the body: the records, with the padding behind the last
	body   uint32   // checksum of that
	sum    uint32   // of all the above
}

// end is the position behind the batch.
func (h batchHeader) end() Position {
	return Position{h.start.Sequence + Sequence(h.count), h.sum}
}

// batchSize is how many bytes a batch takes.
func batchSize(batch [][]byte) int64 {
	size := int64(batchHeaderSize)
	for _, data := range batch {
		size += recordHeaderSize + int64(len(data))
	}
	return (size + alignment - 1) / alignment * alignment
}

// appendBatch appends a batch that will stand at offset of a segment whose chain starts with seed.
func appendBatch(b []byte, at Position, seed uint32, offset int64, batch [][]byte) (
	[]byte, Position) {
	start := len(b)
	b = append(b, make([]byte, batchHeaderSize)...)
	for _, data := range batch {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
		b = append(b, data...)
	}
	for (len(b)-start)%alignment != 0 {
		b = append(b, 0)
	}
	head, body := b[start:start+batchHeaderSize], b[start+batchHeaderSize:]
	binary.LittleEndian.PutUint32(head, uint32(offset))
	binary.LittleEndian.PutUint32(head[4:], uint32(len(batch)))
	binary.LittleEndian.PutUint64(head[8:], uint64(at.Sequence))
	binary.LittleEndian.PutUint32(head[16:], at.Chain)
	binary.LittleEndian.PutUint32(head[20:], uint32(len(body)))
	binary.LittleEndian.PutUint32(head[24:], vfs.Checksum(0, body))
	sum := vfs.Checksum(seed, head[:28])
	binary.LittleEndian.PutUint32(head[28:], sum)
	return b, Position{at.Sequence + Sequence(len(batch)), sum}
}

// parseBatchHeader reads the header at offset of a segment, if a valid one stands there.
func parseBatchHeader(segment []byte, seed uint32, offset int64) (h batchHeader, ok bool) {
	if int64(len(segment))-offset < batchHeaderSize {
		return h, false
	}
	b := segment[offset : offset+batchHeaderSize]
	h = batchHeader{
		offset: binary.LittleEndian.Uint32(b),
		count:  binary.LittleEndian.Uint32(b[4:]),
		start: Position{
			Sequence: Sequence(binary.LittleEndian.Uint64(b[8:])),
			Chain:    binary.LittleEndian.Uint32(b[16:]),
		},
		length: binary.LittleEndian.Uint32(b[20:]),
		body:   binary.LittleEndian.Uint32(b[24:]),
		sum:    binary.LittleEndian.Uint32(b[28:]),
	}
	ok = int64(h.offset) == offset &&
		int64(h.length) <= int64(len(segment))-offset-batchHeaderSize &&
		h.sum == vfs.Checksum(seed, b[:28])
	return h, ok
}

// records appends the records of a body to into; ok is false when it is not the body that the
// header promises.
func (h batchHeader) records(body []byte, into []Record) (all []Record, ok bool) {
	if vfs.Checksum(0, body) != h.body {
		return into, false
	}
	all = into
	for i := range h.count {
		if len(body) < recordHeaderSize {
			return into, false
		}
		length := int64(binary.LittleEndian.Uint32(body))
		body = body[recordHeaderSize:]
		if length > int64(len(body)) {
			return into, false
		}
		all = append(all, Record{h.start.Sequence + Sequence(i), body[:length:length]})
		body = body[length:]
	}
	if len(body) >= alignment {
		return into, false
	}
	return all, true
}

// stained returns the length of data without the zeros at its end.
func stained(data []byte) int64 {
	var zeros [4096]byte
	for len(data) >= len(zeros) && bytes.Equal(data[len(data)-len(zeros):], zeros[:]) {
		data = data[:len(data)-len(zeros)]
	}
	return int64(len(bytes.TrimRight(data, "\x00")))
}

func segmentName(dir string, number uint64) string {
	return path.Join(dir, fmt.Sprintf("%016x%s", number, suffix))
}

func parseName(base string) (number uint64, ok bool) {
	digits, ok := strings.CutSuffix(base, suffix)
	if !ok {
		return 0, false
	}
	number, err := strconv.ParseUint(digits, 16, 64)
	return number, err == nil && number > 0 && path.Base(segmentName("", number)) == base
}
