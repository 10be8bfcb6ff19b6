package mvcc

import (
	"go.etcd.io/etcd/api/v3/mvccpb"

	"detcd/storage/archive"
	"detcd/storage/vfs"
)

// Store is the owner's side. All its methods are called from one goroutine; readers elsewhere use
// Views. It does nothing before Restore has been called once.
type Store struct{}

// New returns a store that waits for Restore.
func New(options Options) *Store { panic("not yet") }

// Restore replaces everything by what a checkpoint describes: state and segments as Checkpoint returned
// them, the files in dir. Without state the store is a new one, at revision 1. It calls live for every
// key that exists, in the order of keys, with its lease or 0; live may be nil.
func (s *Store) Restore(fs vfs.FS, dir string, state []byte, segments []archive.Segment,
	live func(key []byte, lease int64)) error {
	panic("not yet")
}

// Checkpoint returns what Restore needs. It is true once the flush is executed and handed to BulkDone.
func (s *Store) Checkpoint() (state []byte, segments []archive.Segment, flush *archive.Step) {
	panic("not yet")
}

// Saved says that a durable checkpoint names these segments and only these.
func (s *Store) Saved(segments []archive.Segment) { panic("not yet") }

// Bulk does a bounded piece of the work that a compaction left in memory, and returns the next bulk
// step for the disk, or nil. At most one step is outstanding.
func (s *Store) Bulk() *archive.Step { panic("not yet") }

// BulkDone takes back an executed step, whether it came from Bulk or from Checkpoint.
func (s *Store) BulkDone(step *archive.Step) { panic("not yet") }

// Work does up to limit units of what a compaction left to do in memory; a unit is about a
// microsecond. It says whether something is left. Bulk calls it.
func (s *Store) Work(limit int) (more bool) { panic("not yet") }

// Revision returns the current revision: that of the last write. A new store is at 1.
func (s *Store) Revision() int64 { panic("not yet") }

// Compacted returns the revision of the last compaction, -1 when there was none (as in etcd).
func (s *Store) Compacted() int64 { panic("not yet") }

// Compact refuses at once all reads below revision, and lets go of what only they could see, a piece at
// a time (see Work). It returns ErrCompacted when revision is not above the last compaction, and
// ErrFutureRevision when it is above the current revision.
func (s *Store) Compact(revision int64) error { panic("not yet") }

// View returns the store as it is now, for readers on any goroutine. It is the same one until
// something changes, so that asking often costs nothing.
func (s *Store) View() *View { panic("not yet") }

// Begin starts the write transaction of the next revision. There is no rollback: whoever may have to
// refuse must do so before the first write. Only one transaction is open at a time.
func (s *Store) Begin() *Txn { panic("not yet") }

// Stats returns the sizes of the archive.
func (s *Store) Stats() archive.Stats { panic("not yet") }

// Check tests the invariants that the package comment numbers and names the first that does not hold.
// It reads the whole history.
func (s *Store) Check() error { panic("not yet") }

// Txn is an open write transaction.
type Txn struct{}

// Revision is what a range of this transaction sees as current: one more once something was written.
func (t *Txn) Revision() int64 { panic("not yet") }

// Meta returns what the index knows of the key now; the zero Meta when there is no such key.
func (t *Txn) Meta(key []byte) Meta { panic("not yet") }

// Range is View.Range on the store as this transaction has made it so far.
func (t *Txn) Range(o RangeOptions) (*Result, error) { panic("not yet") }

// Put writes a new version of key and returns the one before, the zero Meta when there was none. It
// copies key and value.
func (t *Txn) Put(key, value []byte, lease int64) (previous Meta) { panic("not yet") }

// DeleteRange deletes the keys in [key, end), see RangeOptions, and returns them in order.
func (t *Txn) DeleteRange(key, end []byte) []Deleted { panic("not yet") }

// End closes the transaction and returns the store's revision, which is one more than before if
// something was written.
func (t *Txn) End() (revision int64) { panic("not yet") }

// View is the store at one moment. It never changes, may be used from any goroutine, and needs no
// release.
type View struct{}

// Revision returns the revision of the last write in the view.
func (v *View) Revision() int64 { panic("not yet") }

// Compacted returns the revision of the last compaction in the view, -1 when there was none.
func (v *View) Compacted() int64 { panic("not yet") }

// Meta returns what the index knows of the key as of the view; the zero Meta when there is none.
func (v *View) Meta(key []byte) Meta { panic("not yet") }

// Range reads keys and their values as of a revision. It returns ErrCompacted or ErrFutureRevision when
// the view cannot know, or an error of the archive, which is the end of the member.
func (v *View) Range(o RangeOptions) (*Result, error) { panic("not yet") }

// Hash returns etcd's HashKV as of a revision (0: now), bit for bit, with the compact revision and the
// revision that etcd would report with it.
func (v *View) Hash(revision int64) (hash uint32, compactRevision, hashRevision int64, err error) {
	panic("not yet")
}

// Events calls each for every revision in [from, to] that changed something, in order, until it
// returns false. The events of a revision come together, in the order of the writes; they may be kept
// but not changed. A delete has only key and mod revision, and previous values are not filled in. A
// nil want is any key; else revisions with no key that is wanted are left out. It returns ErrCompacted
// when from is below the last compaction; what is above the view's revision is not there yet.
func (v *View) Events(from, to int64, want func(key []byte) bool,
	each func(revision int64, events []*mvccpb.Event) bool) error {
	panic("not yet")
}

// KeyEvents is Events for one key, found by the index instead of a pass over all changes.
func (v *View) KeyEvents(key []byte, from, to int64,
	each func(revision int64, events []*mvccpb.Event) bool) error {
	panic("not yet")
}

// Previous returns the key as it was just before a revision; nil when it did not exist then, or when
// that has been compacted.
func (v *View) Previous(key []byte, revision int64) (*mvccpb.KeyValue, error) { panic("not yet") }
