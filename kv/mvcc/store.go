package mvcc

import (
	"detcd/storage/archive"
)

// Store is the owner's side. All its methods are called from one goroutine; readers elsewhere use
// Views. It does nothing before Restore has been called once.
type Store struct {
	options Options
	archive *archive.Archive
	index   index
	graves  graves
	keys    int // that exist

	revision    int64
	compacted   int64         // what is below is refused
	trimmed     int64         // what only lower revisions could see has left index and archive
	compactions []compaction  // the last ones, ascending; replaced as a whole, for views share it
	job         job           // what Work is at, or nil
	released    uint64        // records that compactions have let go of
	failed      error         // an archive that cannot be read stops all jobs
	breath      *archive.Step // an empty step that StorageStep returned last
	defragment  bool          // it was asked for, and waits for the job that is under way

	view *View // as things are now, or nil
	txn  *Txn  // the open one, or nil
	head []byte
}

// New returns a store that waits for Restore.
func New(options Options) *Store { return &Store{options: options} }

// Revision returns the current revision: that of the last write. A new store is at 1.
func (s *Store) Revision() int64 { return s.revision }

// Compacted returns the revision of the last compaction, -1 when there was none (as in etcd).
func (s *Store) Compacted() int64 { return s.compacted }

// Released is how many records compactions have let go of since Restore.
func (s *Store) Released() uint64 { return s.released }

// Stats returns the sizes of the archive.
func (s *Store) Stats() archive.Stats { return s.archive.Stats() }

// Live is how many bytes of records were not let go of.
func (s *Store) Live() int64 { return s.archive.Live() }

// Failed returns why the work that a compaction left to do has stopped for good: a record could not
// be read, which is the end of the member. Else nil.
func (s *Store) Failed() error { return s.failed }

// View returns the store as it is now, for readers on any goroutine. It is the same one until
// something changes, so that asking often costs nothing.
func (s *Store) View() *View {
	if s.txn != nil {
		panic("mvcc: a view was asked for inside a transaction")
	}
	if s.view == nil {
		s.view = s.look(index{s.index.tree.Copy()})
	}
	return s.view
}

// look makes a view of the store with an index.
func (s *Store) look(x index) *View {
	return &View{index: x, archive: s.archive.View(), keys: s.keys,
		revision: s.revision, compacted: s.compacted, compactions: s.compactions}
}

// Begin starts the write transaction of the next revision. There is no rollback: whoever may have
// to refuse must do so before the first write. Only one transaction is open at a time.
func (s *Store) Begin() *Txn {
	if s.txn != nil {
		panic("mvcc: a transaction is open")
	}
	s.txn = &Txn{store: s, view: s.view}
	return s.txn
}

// StorageStep does a bounded piece of the work that a compaction left in memory, and returns the
// next bulk step for the disk, or nil. At most one step is outstanding. While there is more to do
// in memory a step is returned in any case, if need be an empty one, so that the work goes on when
// that is done and waits for no other input.
func (s *Store) StorageStep() *archive.Step {
	more := s.Work(workPerStep)
	if s.defragment && !more {
		s.defragment = false
		s.archive.Defragment()
	}
	step := s.archive.Step()
	if step == nil && more {
		s.breath = new(archive.Step)
		return s.breath
	}
	return step
}

// Defragment has StorageStep rewrite all files of which a part is dead, as soon as what the
// compactions so far let go of is dead.
func (s *Store) Defragment() { s.defragment = true }

// Defragmenting says what is left to be done of a defragmentation.
func (s *Store) Defragmenting() archive.Progress {
	if s.defragment {
		return archive.Rewriting
	}
	return s.archive.Defragmenting()
}

// StorageStepDone takes back an executed step, whether it came from StorageStep or from Checkpoint.
func (s *Store) StorageStepDone(step *archive.Step) {
	if step != nil && step != s.breath {
		s.archive.Done(step)
		s.view = nil // it would pin files that a merge has replaced
	}
}

// Saved says that a durable checkpoint names these segments and only these.
func (s *Store) Saved(segments []archive.Segment) { s.archive.Saved(segments) }
