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

// numbers are what a record and an entry begin with. The major ID of an entry is relative.
type numbers struct {
	major      uint64
	minor      uint32
	head, body int // sizes
}

func (r *Record) numbers() numbers {
	return numbers{r.ID.Major, r.ID.Minor, len(r.Head), len(r.Body)}
}

func (n numbers) append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, n.major)
	dst = binary.AppendUvarint(dst, uint64(n.minor))
	dst = binary.AppendUvarint(dst, uint64(n.head))
	return binary.AppendUvarint(dst, uint64(n.body))
}

// cutNumbers takes numbers from the front of data. The size is 0 when there are none.
func cutNumbers(data []byte) (n numbers, size int) {
	bounds := [4]uint64{1<<64 - 1, 1<<32 - 1, payloadSizeMax, payloadSizeMax}
	var values [4]uint64
	for i, bound := range bounds {
		value, used := binary.Uvarint(data[size:])
		if used <= 0 || value > bound {
			return numbers{}, 0
		}
		values[i] = value
		size += used
	}
	return numbers{values[0], uint32(values[1]), int(values[2]), int(values[3])}, size
}

// recordSize is how many bytes a record takes that begins with these numbers.
func (n numbers) recordSize() int64 {
	return 4 + uvarintSize(n.major) + uvarintSize(uint64(n.minor)) + uvarintSize(uint64(n.head)) +
		uvarintSize(uint64(n.body)) + int64(n.head) + int64(n.body)
}

func uvarintSize(x uint64) int64 {
	size := int64(1)
	for ; x >= 0x80; x >>= 7 {
		size++
	}
	return size
}

// append appends the bytes of the record.
func (r *Record) append(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	dst = r.numbers().append(dst)
	dst = append(dst, r.Head...)
	dst = append(dst, r.Body...)
	binary.LittleEndian.PutUint32(dst[start:], checksum(dst[start+4:]))
	return dst
}

// cutRecord takes the record at the front of data; what it returns points into data. It checks no
// checksum. The size is 0 when the bytes are no whole record.
func cutRecord(data []byte) (r Record, size int) {
	if len(data) < 4 {
		return Record{}, 0
	}
	n, used := cutNumbers(data[4:])
	at := 4 + used
	headEnd := at + n.head
	size = headEnd + n.body
	if used == 0 || size > len(data) {
		return Record{}, 0
	}
	return Record{ID{n.major, n.minor}, data[at:headEnd:headEnd], data[headEnd:size:size]}, size
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
	n := r.numbers()
	n.major -= f.last
	f.bytes = n.append(f.bytes)
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

// next returns the next entry, with its major ID made absolute; ok is false when the bytes are no
// whole entry.
func (e *entries) next() (n numbers, head []byte, ok bool) {
	n, used := cutNumbers(e.rest)
	if used == 0 || n.head > len(e.rest)-used {
		return numbers{}, nil, false
	}
	end := used + n.head
	head = e.rest[used:end:end]
	e.rest = e.rest[end:]
	e.last += n.major
	n.major = e.last
	return n, head, true
}
