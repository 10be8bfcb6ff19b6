package backup

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// grown is a database with enough rows for branches, which lists its free pages or does not.
func grown(t testing.TB, listsFree bool) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "db")
	db, err := bolt.Open(path, 0o600, &bolt.Options{
		PageSize: pageSize, NoSync: true, NoFreelistSync: !listsFree,
	})
	if err != nil {
		t.Fatal(err)
	}
	for from := int64(2); from < 2000; from += 400 {
		err := db.Update(func(tx *bolt.Tx) error {
			keys, err := tx.CreateBucketIfNotExists([]byte("key"))
			if err != nil {
				return err
			}
			meta, err := tx.CreateBucketIfNotExists([]byte("meta")) // small enough to be inline
			if err != nil {
				return err
			}
			for main := from; main < from+400; main++ {
				revision := append(binary.BigEndian.AppendUint64(nil, uint64(main)), '_')
				revision = binary.BigEndian.AppendUint64(revision, 0)
				if err := keys.Put(revision, []byte{0x0a, 1, byte('a' + main%26)}); err != nil {
					return err
				}
			}
			return meta.Put([]byte("term"), []byte("12345678"))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func visited(content []byte) error {
	return visitAll(bytes.NewReader(content), int64(len(content)))
}

// branch finds a page with children that a tree uses.
func branch(t *testing.T, content []byte) []byte {
	t.Helper()
	for at := 2 * pageSize; at < len(content); at += pageSize {
		page := content[at : at+pageSize]
		if binary.LittleEndian.Uint16(page[8:]) != flagBranch {
			continue
		}
		binary.LittleEndian.PutUint16(page[8:], 0x80) // who uses it sees that
		used := visited(content) != nil
		binary.LittleEndian.PutUint16(page[8:], flagBranch)
		if used {
			return page
		}
	}
	t.Fatal("no branch")
	return nil
}

func TestASoundStructure(t *testing.T) {
	for _, listsFree := range []bool{true, false} {
		if err := visited(grown(t, listsFree)); err != nil {
			t.Errorf("free pages listed: %t: %v", listsFree, err)
		}
	}
}

// A page that names itself, or one above it, made readers go round for ever.
func TestACycleOfPagesIsFound(t *testing.T) {
	content := grown(t, false)
	page := branch(t, content)
	count := int(binary.LittleEndian.Uint16(page[10:]))
	for i := range count {
		child := page[pageHeaderSize+i*elementSize+8:]
		before := binary.LittleEndian.Uint64(child)
		copy(child[:8], page[:8]) // its own ID
		if err := visited(content); !errors.Is(err, ErrDamaged) {
			t.Errorf("child %d is the page itself: %v", i, err)
		}
		binary.LittleEndian.PutUint64(child, before)
	}
}

// A subtree that no page names any more was missed by nobody. Where free pages are listed its pages
// tell, and where they are not the revisions that are missing.
func TestALostSubtreeIsFound(t *testing.T) {
	for _, listsFree := range []bool{true, false} {
		content := grown(t, listsFree)
		page := branch(t, content)
		count := int(binary.LittleEndian.Uint16(page[10:]))
		if count < 4 {
			t.Fatalf("the branch has %d children", count)
		}
		for i := 1; i < count-1; i++ { // positions of keys are relative to their elements
			element := page[pageHeaderSize+i*elementSize:]
			copy(element[:elementSize], element[elementSize:2*elementSize])
			binary.LittleEndian.PutUint32(element, binary.LittleEndian.Uint32(element)+elementSize)
		}
		binary.LittleEndian.PutUint16(page[10:], uint16(count-1))
		if listsFree && !errors.Is(visited(content), ErrDamaged) {
			t.Errorf("the pages that are lost are not missed: %v", visited(content))
		}
		path := filepath.Join(t.TempDir(), "db")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		contents, err := Open(path, true)
		if err == nil {
			err = contents.EachChange(func(_, _ []byte) error { return nil })
			if _, summary := contents.Summary(); !errors.Is(summary, ErrDamaged) {
				t.Errorf("free pages listed: %t: a summary: %v", listsFree, summary)
			}
			contents.Close()
		}
		if !errors.Is(err, ErrDamaged) {
			t.Errorf("free pages listed: %t: %v", listsFree, err)
		}
	}
}

// counted counts what is read of a file.
type counted struct {
	*bytes.Reader
	bytes int64
}

func (c *counted) ReadAt(p []byte, at int64) (int, error) {
	c.bytes += int64(len(p))
	return c.Reader.ReadAt(p, at)
}

// However a file is damaged, the check ends, and reads each page once.
func FuzzStructure(f *testing.F) {
	content := grown(f, true)
	random := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		f.Add(random.Uint32(), random.Uint64(), byte(8))
		f.Add(random.Uint32(), random.Uint64N(16), byte(1+random.IntN(8)))
	}
	f.Fuzz(func(t *testing.T, at uint32, value uint64, size byte) {
		bad := bytes.Clone(content)
		var word [8]byte
		binary.LittleEndian.PutUint64(word[:], value)
		copy(bad[int(at)%len(bad):], word[:size%9])
		file := &counted{Reader: bytes.NewReader(bad)}
		_ = visitAll(file, int64(len(bad))) // most bytes are of values, and any will do there
		if limit := 2 * int64(len(bad)+pageSize); file.bytes > limit {
			t.Errorf("%d bytes were read of %d", file.bytes, len(bad))
		}
	})
}
