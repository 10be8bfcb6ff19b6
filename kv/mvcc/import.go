package mvcc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"

	"detcd/storage/archive"
	"detcd/storage/vfs"
)

// ErrStored says that bytes are not a change as etcd stores it, or not in order.
var ErrStored = errors.New("mvcc: not a stored change of etcd")

// Importer writes an archive from the changes that etcd has stored. It is the inverse of
// View.Stored.
type Importer struct {
	fs      vfs.FS
	dir     string
	archive *archive.Archive
	last    archive.ID
	main    int64 // of the last change
	head    []byte
}

// NewImporter begins an archive in a directory, which must be there and empty.
func NewImporter(fs vfs.FS, dir string, options Options) (*Importer, error) {
	each := func(archive.ID, []byte, int) error { return nil }
	opened, err := archive.Open(fs, dir, nil, options.Archive, each)
	if err != nil {
		return nil, fmt.Errorf("mvcc: import: %w", err)
	}
	return &Importer{fs: fs, dir: dir, archive: opened, main: 1}, nil
}

// Add takes the next change. What is wrong with it is ErrStored. A change without a key only
// advances the revision, as "etcdutl snapshot restore --bump-revision" means it.
func (m *Importer) Add(revision, change []byte) error {
	id, tombstone, err := cutRevision(revision)
	if err != nil {
		return err
	}
	if !m.last.Less(id) {
		return fmt.Errorf("%w: %v follows %v", ErrStored, id, m.last)
	}
	m.last, m.main = id, int64(id.Major)
	var kv mvccpb.KeyValue
	if err := proto.Unmarshal(change, &kv); err != nil {
		return fmt.Errorf("%w: %v: %w", ErrStored, id, err)
	}
	if len(kv.Key) == 0 {
		return nil
	}
	v := version{main: m.main, sub: id.Minor}
	if !tombstone {
		v.create, v.number, v.lease = kv.CreateRevision, kv.Version, kv.Lease
		if v.number < 1 || v.create < 1 || v.create > v.main || kv.ModRevision != v.main {
			return fmt.Errorf("%w: %v: version %d, created at %d, modified at %d", ErrStored, id,
				v.number, v.create, kv.ModRevision)
		}
	}
	m.head = appendHead(m.head[:0], &v, kv.Key)
	m.archive.Append(id, m.head, kv.Value)
	return m.work()
}

// cutRevision reads what etcd stores a change under.
func cutRevision(b []byte) (id archive.ID, tombstone bool, err error) {
	tombstone = len(b) == 18 && b[17] == 't'
	if !tombstone && len(b) != 17 || b[8] != '_' {
		return id, false, fmt.Errorf("%w: under %q", ErrStored, b)
	}
	main, sub := binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[9:])
	if main > math.MaxInt64 || sub > math.MaxUint32 {
		return id, false, fmt.Errorf("%w: under %q", ErrStored, b)
	}
	return archive.ID{Major: main, Minor: uint32(sub)}, tombstone, nil
}

func (m *Importer) work() error {
	for step := m.archive.Step(); step != nil; step = m.archive.Step() {
		if err := m.do(step); err != nil {
			return err
		}
	}
	return nil
}

func (m *Importer) do(step *archive.Step) error {
	if err := archive.Execute(m.fs, m.dir, step); err != nil {
		return fmt.Errorf("mvcc: import: %w", err)
	}
	m.archive.Done(step)
	return nil
}

// Revision is that of the last change.
func (m *Importer) Revision() int64 { return m.main }

// Finish gives what Restore needs. The store will be at a revision, which is not below Revision,
// and compacted at another (-1: it was not).
func (m *Importer) Finish(revision, compacted int64) ([]byte, []archive.Segment, error) {
	if revision < m.main || compacted > revision {
		return nil, nil, fmt.Errorf("%w: revision %d, compacted at %d, the last change is of %d",
			ErrStored, revision, compacted, m.main)
	}
	segments, flush := m.archive.Flush()
	if flush != nil {
		if err := m.do(flush); err != nil {
			return nil, nil, err
		}
	}
	state := (&Store{revision: revision, compacted: compacted}).state()
	return state, segments, nil
}
