package archive

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// The bytes of a segment are drawn in doc.go and spelled out in docs/formats/archive.md.
const (
	magic       = "detcdseg"
	version     = 1
	headerSize  = 16
	trailerSize = 20
	// payloadSizeMax bounds head and body together, so that every size fits an int of 32 bits.
	payloadSizeMax = 1 << 29
)

func checksum(data []byte) uint32 {
	return crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
}

// chained adds one more record, by its checksum, to the checksum of all before it.
func chained(chain uint32, record []byte) uint32 {
	return crc32.Update(chain, crc32.MakeTable(crc32.Castagnoli), record[:4])
}

func header() []byte {
	h := append(make([]byte, 0, headerSize), magic...)
	h = binary.LittleEndian.AppendUint32(h, version)
	return binary.LittleEndian.AppendUint32(h, checksum(h))
}

// checkHeader returns a reason why the header is damaged, or ErrVersion.
func checkHeader(h []byte) (reason string, err error) {
	if len(h) < headerSize {
		return "the file ends inside its header", nil
	}
	if binary.LittleEndian.Uint32(h[12:]) != checksum(h[:12]) {
		return "the checksum of the header does not match", nil
	}
	if string(h[:8]) != magic {
		return "it is not a segment of an archive", nil
	}
	if v := binary.LittleEndian.Uint32(h[8:]); v != version {
		return "", fmt.Errorf("%w: version %d, known is %d", ErrVersion, v, version)
	}
	return "", nil
}

// sizes is how long the parts of a record are.
type sizes struct {
	head, body int
}

func uvarintSize(x uint64) int64 {
	size := int64(1)
	for ; x >= 0x80; x >>= 7 {
		size++
	}
	return size
}

// recordSize is the number of bytes that a record takes in the data of a segment.
func recordSize(id ID, s sizes) int64 {
	return 4 + uvarintSize(id.Major) + uvarintSize(uint64(id.Minor)) +
		uvarintSize(uint64(s.head)) + uvarintSize(uint64(s.body)) + int64(s.head) + int64(s.body)
}

// appendRecord appends the bytes of a record.
func appendRecord(dst []byte, r Record) []byte {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.AppendUvarint(dst, r.ID.Major)
	dst = binary.AppendUvarint(dst, uint64(r.ID.Minor))
	dst = binary.AppendUvarint(dst, uint64(len(r.Head)))
	dst = binary.AppendUvarint(dst, uint64(len(r.Body)))
	dst = append(dst, r.Head...)
	dst = append(dst, r.Body...)
	binary.LittleEndian.PutUint32(dst[start:], checksum(dst[start+4:]))
	return dst
}

// uvarints reads as many numbers as there are in out from the front of data; each must be at most
// its bound. It returns how many bytes they took, 0 when they are not there.
func uvarints(data []byte, out, bounds *[4]uint64) int {
	at := 0
	for i := range out {
		x, size := binary.Uvarint(data[at:])
		if size <= 0 || x > bounds[i] {
			return 0
		}
		out[i] = x
		at += size
	}
	return at
}

var fieldBounds = [4]uint64{1<<64 - 1, 1<<32 - 1, payloadSizeMax, payloadSizeMax}

// cutRecord takes the record at the front of data; what it returns points into data. It checks no
// checksum. The size is 0 when the bytes are no whole record.
func cutRecord(data []byte) (r Record, size int) {
	if len(data) < 4 {
		return Record{}, 0
	}
	var fields [4]uint64
	used := uvarints(data[4:], &fields, &fieldBounds)
	if used == 0 {
		return Record{}, 0
	}
	at := 4 + used
	headEnd := at + int(fields[2])
	size = headEnd + int(fields[3])
	if size > len(data) {
		return Record{}, 0
	}
	r.ID = ID{Major: fields[0], Minor: uint32(fields[1])}
	r.Head = data[at:headEnd:headEnd]
	r.Body = data[headEnd:size:size]
	return r, size
}

// verifyRecord is cutRecord and a check of the checksum; the reason is empty when it matches.
func verifyRecord(data []byte) (r Record, size int, reason string) {
	r, size = cutRecord(data)
	if size == 0 {
		return Record{}, 0, "there is no whole record"
	}
	if checksum(data[4:size]) != binary.LittleEndian.Uint32(data) {
		return Record{}, 0, "the checksum of the record does not match"
	}
	return r, size, ""
}

// footer is what follows the records of a segment: an entry for each, then a trailer.
type footer struct {
	bytes []byte
	last  uint64 // Major of the entry before
	count uint32
	chain uint32 // checksum of the checksums of the records so far
}

// add appends the entry of a record, of which these are the bytes.
func (f *footer) add(r Record, record []byte) {
	f.bytes = binary.AppendUvarint(f.bytes, r.ID.Major-f.last)
	f.bytes = binary.AppendUvarint(f.bytes, uint64(r.ID.Minor))
	f.bytes = binary.AppendUvarint(f.bytes, uint64(len(r.Head)))
	f.bytes = binary.AppendUvarint(f.bytes, uint64(len(r.Body)))
	f.bytes = append(f.bytes, r.Head...)
	f.last = r.ID.Major
	f.count++
	f.chain = chained(f.chain, record)
}

// finish appends the trailer and returns the checksum in it, which covers the whole footer.
func (f *footer) finish() uint32 {
	length := uint64(len(f.bytes))
	f.bytes = binary.LittleEndian.AppendUint64(f.bytes, length)
	f.bytes = binary.LittleEndian.AppendUint32(f.bytes, f.count)
	f.bytes = binary.LittleEndian.AppendUint32(f.bytes, f.chain)
	sum := checksum(f.bytes)
	f.bytes = binary.LittleEndian.AppendUint32(f.bytes, sum)
	return sum
}

// trailer is the fixed end of a footer.
type trailer struct {
	entries  uint64 // bytes of the entries before it
	count    uint32
	chain    uint32
	checksum uint32
}

// cutTrailer reads the last trailerSize bytes of a sealed file.
func cutTrailer(t []byte) trailer {
	return trailer{
		entries:  binary.LittleEndian.Uint64(t),
		count:    binary.LittleEndian.Uint32(t[8:]),
		chain:    binary.LittleEndian.Uint32(t[12:]),
		checksum: binary.LittleEndian.Uint32(t[16:]),
	}
}

// entries walks over the entries of a footer whose checksum was verified.
type entries struct {
	rest []byte
	last uint64
}

// next returns the next entry; ok is false when the bytes are no whole entry.
func (e *entries) next() (id ID, head []byte, s sizes, ok bool) {
	var fields [4]uint64
	used := uvarints(e.rest, &fields, &fieldBounds)
	if used == 0 || fields[2] > uint64(len(e.rest)-used) {
		return ID{}, nil, sizes{}, false
	}
	end := used + int(fields[2])
	head = e.rest[used:end:end]
	e.rest = e.rest[end:]
	e.last += fields[0]
	return ID{Major: e.last, Minor: uint32(fields[1])}, head,
		sizes{head: int(fields[2]), body: int(fields[3])}, true
}
