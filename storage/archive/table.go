package archive

import "sort"

// entry says where a record of a segment begins. These 12 bytes a record are what an archive keeps
// in memory of its sealed segments.
type entry struct {
	major  uint32 // above the base of the table
	minor  uint32
	offset uint32 // in the file
}

// table finds the records of one segment. A copy of it is a snapshot: entries are only ever added.
type table struct {
	base    uint64 // Major of the first record
	entries []entry
	end     int64 // offset behind the last record
}

func newTable() table { return table{end: headerSize} }

// fits says whether a record can be added: its entry must be expressible in 32-bit numbers.
func (t *table) fits(id ID) bool {
	return len(t.entries) == 0 || (id.Major-t.base < 1<<32 && t.end < 1<<32)
}

// add appends a record of so many bytes.
func (t *table) add(id ID, size int64) {
	if len(t.entries) == 0 {
		t.base = id.Major
	}
	t.entries = append(t.entries,
		entry{major: uint32(id.Major - t.base), minor: id.Minor, offset: uint32(t.end)})
	t.end += size
}

func (t *table) length() int { return len(t.entries) }

func (t *table) id(i int) ID {
	return ID{Major: t.base + uint64(t.entries[i].major), Minor: t.entries[i].minor}
}

// offset of record i; that of the record behind the last is the end.
func (t *table) offset(i int) int64 {
	if i == len(t.entries) {
		return t.end
	}
	return int64(t.entries[i].offset)
}

func (t *table) size(i int) int64 { return t.offset(i+1) - t.offset(i) }

// data is the number of bytes of all records.
func (t *table) data() int64 { return t.end - headerSize }

// search returns the first record that is not before id.
func (t *table) search(id ID) int {
	if id.Major < t.base {
		return 0
	}
	delta := id.Major - t.base
	low, high := 0, len(t.entries)
	for low < high {
		middle := int(uint(low+high) >> 1)
		e := &t.entries[middle]
		if uint64(e.major) < delta || uint64(e.major) == delta && e.minor < id.Minor {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low
}

// find returns the record with this id, or -1.
func (t *table) find(id ID) int {
	i := t.search(id)
	if i == len(t.entries) || t.id(i) != id {
		return -1
	}
	return i
}

// upTo returns the last i <= to such that the records from..i-1 take at most size bytes, or from+1
// if not even one does.
func (t *table) upTo(from, to int, size int64) int {
	limit := t.offset(from) + size
	more := sort.Search(to-from-1, func(k int) bool { return t.offset(from+k+2) > limit })
	return from + 1 + more
}

// graves are the dead records of one segment.
type graves struct {
	bits  []uint64
	bytes int64 // sizes of the dead records
}

func (g *graves) has(i int) bool {
	return i/64 < len(g.bits) && g.bits[i/64]&(1<<(i%64)) != 0
}

// kill marks a record of the table as dead. It says whether the table has it.
func (g *graves) kill(t *table, id ID) bool {
	i := t.find(id)
	if i < 0 {
		return false
	}
	if g.has(i) {
		return true
	}
	for i/64 >= len(g.bits) {
		g.bits = append(g.bits, 0)
	}
	g.bits[i/64] |= 1 << (i % 64)
	g.bytes += t.size(i)
	return true
}
