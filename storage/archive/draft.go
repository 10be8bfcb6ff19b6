package archive

import (
	"slices"
	"sort"

	"detcd/storage/vfs"
)

const (
	chunkSizeMin = 4 << 10 // so that a small archive costs little
	chunkSizeMax = 1 << 20
)

// chunk is a stretch of a segment in memory. Its data is as long as it can ever get: the owner
// fills it behind what any view knows of. No record straddles two chunks.
type chunk struct {
	offset int64 // in the file
	data   []byte
}

// memory is records that are read from memory. A copy of it is a snapshot: table and chunks are
// only ever added to.
type memory struct {
	table  table
	chunks []chunk
}

func (m *memory) records() *table { return &m.table }

// block returns whole records without copying them: from..to-1, or those of them that are in one
// chunk with the first.
func (m *memory) block(from, to int, _ *buffer) ([]byte, error) {
	return m.stretch(m.table.offset(from), m.table.offset(to)), nil
}

// decode takes a record from the front of data. Memory is trusted.
func (m *memory) decode(data []byte, _ int) (Record, error) {
	r, _ := cutRecord(data)
	return r, nil
}

// stretch returns the bytes from an offset up to another, or to the end of the chunk.
func (m *memory) stretch(from, to int64) []byte {
	i := sort.Search(len(m.chunks), func(i int) bool { return m.chunks[i].offset > from }) - 1
	if i+1 < len(m.chunks) {
		to = min(to, m.chunks[i+1].offset)
	}
	c := m.chunks[i]
	return c.data[from-c.offset : to-c.offset : to-c.offset]
}

// reserve returns free space for so many bytes behind the records; what is appended there is the
// next record.
func (m *memory) reserve(size int64) []byte {
	if len(m.chunks) == 0 {
		m.grow(0, headerSize+size)
		copy(m.chunks[0].data, header())
	}
	last := m.chunks[len(m.chunks)-1]
	if used := m.table.end - last.offset; used+size <= int64(len(last.data)) {
		return last.data[used:used]
	}
	m.grow(m.table.end, size)
	return m.chunks[len(m.chunks)-1].data[:0]
}

// grow adds a chunk, each larger than the one before up to a bound.
func (m *memory) grow(offset, size int64) {
	size = max(size, int64(min(chunkSizeMin<<min(len(m.chunks), 8), chunkSizeMax)))
	m.chunks = append(m.chunks, chunk{offset: offset, data: make([]byte, size)})
}

// draft is a segment that is being made, of appended records (which are in its chunks) or by a
// merge (whose are not).
type draft struct {
	memory
	name     string
	path     string
	file     vfs.File // since the first step that wrote to it
	footer   footer
	closed   bool // it has all of its records, and its footer the trailer
	checksum uint32
	written  int64 // bytes that steps have written and synced
	dead     graves
}

// append adds a record to the chunks.
func (d *draft) append(r Record) {
	size := r.numbers().recordSize()
	d.footer.add(r, r.append(d.reserve(size)))
	d.table.add(r.ID, size)
}

func (d *draft) close() {
	d.checksum = d.footer.finish()
	d.closed = true
}

// size is the length of the file when all that is known of it is written.
func (d *draft) size() int64 {
	switch {
	case d.table.length() == 0:
		return 0
	case d.closed:
		return d.table.end + int64(len(d.footer.bytes))
	default:
		return d.table.end
	}
}

func (d *draft) unwritten() int64 { return d.size() - d.written }

// stretches returns the bytes of the file from an offset up to another.
func (d *draft) stretches(from, to int64) [][]byte {
	var out [][]byte
	for from < min(to, d.table.end) {
		out = append(out, d.stretch(from, min(to, d.table.end)))
		from += int64(len(out[len(out)-1]))
	}
	if from < to {
		out = append(out, d.footer.bytes[from-d.table.end:to-d.table.end])
	}
	return out
}

// listed is what a checkpoint names once everything is written.
func (d *draft) listed() Segment {
	sum := d.footer.chain
	if d.closed {
		sum = d.checksum
	}
	return Segment{Name: d.name, Length: d.size(), Sealed: d.closed, Checksum: sum}
}

// sealed makes a segment of a closed draft that is all written.
func (d *draft) sealed() *segment {
	t := d.table
	t.entries = slices.Clone(t.entries) // leaves behind the room to grow
	return &segment{name: d.name, path: d.path, file: d.file, table: t, length: d.size(),
		checksum: d.checksum, dead: d.dead}
}
