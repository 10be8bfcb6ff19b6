package backup

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"math/bits"
	"os"
)

// bbolt trusts its pages. One that names itself below it makes a reader go round for ever, and what
// no page names is missed by nobody. So the structure is checked before bbolt sees the file: every
// page is visited once at most, keys ascend through the whole tree, and where the file says which
// pages are free, all others were visited.
//
//	meta ──► root ──► bucket "key" ──► branch ──► leaf     a page: id, flags, count, overflow,
//	  │                      └─ …          └────► leaf     elements, then keys and values
//	  └────► free pages
//
// The bytes are those of go.etcd.io/bbolt, whose files are of one machine: little endian here.
const (
	pageHeaderSize = 16
	elementSize    = 16 // of a branch and of a leaf
	bucketSize     = 16 // root and sequence, before the page of an inline bucket
	metaSize       = 64

	boltMagic   = 0xED0CDAED
	boltVersion = 2

	flagBranch   = 0x01
	flagLeaf     = 0x02
	flagFreelist = 0x10

	flagBucket = 0x01 // of an element of a leaf
	noFreelist = 1<<64 - 1

	// pageBytesMax bounds a page with those that it flows over to: a row is in one piece.
	pageBytesMax = 512 << 20
	// depthMax bounds how deep a tree is; one of 2^64 rows with two to a page would be as deep.
	depthMax = 64
)

// A structure is a file whose pages are being visited.
type structure struct {
	file     io.ReaderAt
	pageSize int64
	pages    uint64   // below which all IDs are
	used     []uint64 // a bit for each
}

// checkStructure reads every page that belongs to a tree.
func checkStructure(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	return visitAll(file, info.Size())
}

func visitAll(file io.ReaderAt, size int64) error {
	meta, err := readMeta(file, size)
	if err != nil {
		return err
	}
	s := &structure{file: file, pageSize: int64(binary.LittleEndian.Uint32(meta[8:])),
		pages: binary.LittleEndian.Uint64(meta[40:])}
	if s.pages < 4 || s.pages > uint64(size/s.pageSize) {
		return fmt.Errorf("%w: it should have %d pages", ErrDamaged, s.pages)
	}
	s.used = make([]uint64, s.pages/64+1)
	s.used[0] = 3 // the two meta pages
	if err := s.visit(binary.LittleEndian.Uint64(meta[16:]), nil, nil, 0); err != nil {
		return err
	}
	return s.account(binary.LittleEndian.Uint64(meta[32:]))
}

// readMeta returns the newer of the two that are sound, as bbolt chooses.
func readMeta(file io.ReaderAt, size int64) ([]byte, error) {
	var best []byte
	sound := func(at int64) {
		b := make([]byte, metaSize)
		if _, err := file.ReadAt(b, at+pageHeaderSize); err != nil {
			return
		}
		sum := fnv.New64a()
		sum.Write(b[:metaSize-8])
		pageSize := binary.LittleEndian.Uint32(b[8:])
		txid := binary.LittleEndian.Uint64(b[48:])
		newer := best == nil || txid > binary.LittleEndian.Uint64(best[48:])
		if binary.LittleEndian.Uint32(b) == boltMagic &&
			binary.LittleEndian.Uint32(b[4:]) == boltVersion &&
			binary.LittleEndian.Uint64(b[56:]) == sum.Sum64() && pageSize >= 512 &&
			bits.OnesCount32(pageSize) == 1 && newer {
			best = b
		}
	}
	sound(0)
	// The second follows the first; where that is damaged, the size of a page is one of these.
	for pageSize := int64(512); pageSize <= 1<<16 && pageSize < size; pageSize *= 2 {
		sound(pageSize)
	}
	if best == nil {
		return nil, fmt.Errorf("%w: it has no meta page", ErrDamaged)
	}
	return best, nil
}

// take marks pages as used, each once.
func (s *structure) take(id, count uint64) error {
	if id < 2 || id >= s.pages || count > s.pages-id {
		return fmt.Errorf("%w: page %d is out of bounds", ErrDamaged, id)
	}
	for page := id; page < id+count; page++ {
		if s.used[page/64]>>(page%64)&1 != 0 {
			return fmt.Errorf("%w: page %d is used twice", ErrDamaged, page)
		}
		s.used[page/64] |= 1 << (page % 64)
	}
	return nil
}

// read returns a page with those that it flows over to, and marks all of them.
func (s *structure) read(id uint64) ([]byte, error) {
	if err := s.take(id, 1); err != nil {
		return nil, err
	}
	var header [pageHeaderSize]byte
	if _, err := s.file.ReadAt(header[:], int64(id)*s.pageSize); err != nil {
		return nil, fmt.Errorf("%w: page %d: %w", ErrDamaged, id, err)
	}
	overflow := uint64(binary.LittleEndian.Uint32(header[12:]))
	if own := binary.LittleEndian.Uint64(header[:]); own != id {
		return nil, fmt.Errorf("%w: page %d says that it is %d", ErrDamaged, id, own)
	}
	if overflow >= uint64(pageBytesMax/s.pageSize) {
		return nil, fmt.Errorf("%w: page %d flows over to %d more", ErrDamaged, id, overflow)
	}
	if overflow > 0 {
		if err := s.take(id+1, overflow); err != nil {
			return nil, err
		}
	}
	page := make([]byte, int64(overflow+1)*s.pageSize)
	if _, err := s.file.ReadAt(page, int64(id)*s.pageSize); err != nil {
		return nil, fmt.Errorf("%w: page %d: %w", ErrDamaged, id, err)
	}
	return page, nil
}

// visit walks the tree below a page, whose keys are from the first to below the limit; nil: any.
func (s *structure) visit(id uint64, from, limit []byte, depth int) error {
	if depth > depthMax {
		return fmt.Errorf("%w: page %d is %d pages deep", ErrDamaged, id, depth)
	}
	page, err := s.read(id)
	if err != nil {
		return err
	}
	return s.walk(page, id, from, limit, depth)
}

// walk checks the elements of a page, and what is below them.
func (s *structure) walk(page []byte, id uint64, from, limit []byte, depth int) error {
	leaf := false
	switch flags := binary.LittleEndian.Uint16(page[8:]); flags {
	case flagLeaf:
		leaf = true
	case flagBranch:
	default:
		return fmt.Errorf("%w: page %d is of kind %#x", ErrDamaged, id, flags)
	}
	count := int(binary.LittleEndian.Uint16(page[10:]))
	if count == 0 && !leaf {
		return fmt.Errorf("%w: page %d has no child", ErrDamaged, id)
	}
	elements, err := cutElements(page, count, leaf)
	if err != nil {
		return fmt.Errorf("%w of page %d", err, id)
	}
	for i, e := range elements {
		ascends := i == 0 && (from == nil || bytes.Compare(from, e.key) <= 0) ||
			i > 0 && bytes.Compare(elements[i-1].key, e.key) < 0
		if !ascends || limit != nil && bytes.Compare(e.key, limit) >= 0 {
			return fmt.Errorf("%w: key %x of page %d is out of order", ErrDamaged, e.key, id)
		}
		until := limit
		if i+1 < len(elements) {
			until = elements[i+1].key
		}
		switch {
		case !leaf:
			err = s.visit(e.child, e.key, until, depth+1)
		case e.bucket:
			err = s.enter(e.value, id, depth)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// enter walks the tree of a bucket, which may be inside of its value.
func (s *structure) enter(value []byte, id uint64, depth int) error {
	if len(value) < bucketSize {
		return fmt.Errorf("%w: page %d has a bucket of %d bytes", ErrDamaged, id, len(value))
	}
	if root := binary.LittleEndian.Uint64(value); root != 0 {
		return s.visit(root, nil, nil, depth+1)
	}
	inline := value[bucketSize:]
	if len(inline) < pageHeaderSize || binary.LittleEndian.Uint16(inline[8:]) != flagLeaf ||
		depth >= depthMax {
		return fmt.Errorf("%w: page %d has a malformed bucket", ErrDamaged, id)
	}
	return s.walk(inline, id, nil, nil, depth+1)
}

// An element of a page: a key with a child, or with a value.
type element struct {
	key, value []byte
	child      uint64
	bucket     bool
}

// cutElements reads the elements of a page. Their keys and values are behind all of them.
func cutElements(page []byte, count int, leaf bool) ([]element, error) {
	behind := uint64(pageHeaderSize + count*elementSize)
	if behind > uint64(len(page)) {
		return nil, fmt.Errorf("%w: %d elements", ErrDamaged, count)
	}
	all := make([]element, count)
	for i := range all {
		at := uint64(pageHeaderSize + i*elementSize)
		b := page[at : at+elementSize]
		var start, key, value uint64
		if leaf {
			all[i].bucket = binary.LittleEndian.Uint32(b)&flagBucket != 0
			start = at + uint64(binary.LittleEndian.Uint32(b[4:]))
			key = uint64(binary.LittleEndian.Uint32(b[8:]))
			value = uint64(binary.LittleEndian.Uint32(b[12:]))
		} else {
			start = at + uint64(binary.LittleEndian.Uint32(b))
			key = uint64(binary.LittleEndian.Uint32(b[4:]))
			all[i].child = binary.LittleEndian.Uint64(b[8:])
		}
		if start < behind || start+key+value > uint64(len(page)) {
			return nil, fmt.Errorf("%w: element %d", ErrDamaged, i)
		}
		all[i].key, all[i].value = page[start:start+key], page[start+key:start+key+value]
	}
	return all, nil
}

// account wants every page that no tree uses to be free, if the file tells which are: etcd's does
// not.
func (s *structure) account(freelist uint64) error {
	if freelist == noFreelist {
		return nil
	}
	page, err := s.read(freelist)
	if err != nil {
		return err
	}
	count, ids := uint64(binary.LittleEndian.Uint16(page[10:])), page[pageHeaderSize:]
	if count == 1<<16-1 && len(ids) >= 8 {
		count, ids = binary.LittleEndian.Uint64(ids), ids[8:]
	}
	if binary.LittleEndian.Uint16(page[8:]) != flagFreelist || count > uint64(len(ids)/8) {
		return fmt.Errorf("%w: page %d lists no free pages", ErrDamaged, freelist)
	}
	for i := range count {
		if err := s.take(binary.LittleEndian.Uint64(ids[8*i:]), 1); err != nil {
			return err
		}
	}
	for id := range s.pages {
		if s.used[id/64]>>(id%64)&1 == 0 {
			return fmt.Errorf("%w: page %d is lost: nothing refers to it", ErrDamaged, id)
		}
	}
	return nil
}
