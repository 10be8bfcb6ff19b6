package mvcc

import "slices"

const (
	workPerStep    = 2048    // units of Work in one StorageStep: half a millisecond, or less
	bytesPerUnit   = 1 << 10 // bytes of values that are read in the time of one more unit
	compactionsMax = 10      // compactions whose hash is known; etcd remembers as many
)

// compaction is one of the last compactions and the hash of all that was there just before it,
// which is what HashKV has to answer for its revision.
type compaction struct {
	previous int64 // revision of the compaction before, or -1
	revision int64
	hashed   bool
	hash     uint32
}

// Compact refuses at once all reads below revision, and lets go of what only they could see, a
// piece at a time (see Work). It returns ErrCompacted when revision is not above the last
// compaction, and ErrFutureRevision when it is above the current revision.
func (s *Store) Compact(revision int64) error {
	switch {
	case revision <= s.compacted:
		return ErrCompacted
	case revision > s.revision:
		return ErrFutureRevision
	}
	// One that is pushed out before it was hashed will never be: nothing waits for it any more.
	last := s.compactions[max(0, len(s.compactions)+1-compactionsMax):]
	s.compactions = append(slices.Clone(last),
		compaction{previous: s.compacted, revision: revision})
	s.compacted = revision
	s.view = nil
	return nil
}

// Finished returns the last compaction of which nothing is left to do in memory, and its hash: -1
// if there is none, or if the last one is not as far.
func (s *Store) Finished() (revision int64, hash uint32) {
	if len(s.compactions) == 0 || s.trimmed != s.compacted || s.unhashed() >= 0 {
		return -1, 0
	}
	last := s.compactions[len(s.compactions)-1]
	return last.revision, last.hash
}

// job is a long piece of work in memory, done in bounded steps between other things.
type job interface {
	// step does about limit units, which is more than 0, and says how many it did.
	step(s *Store, limit int) (used int, done bool, err error)
}

// Work does about limit units of what a compaction left to do in memory; a unit is some hundred
// nanoseconds. It says whether something is left. StorageStep calls it.
func (s *Store) Work(limit int) (more bool) {
	for s.failed == nil && s.next() {
		if limit <= 0 {
			return true
		}
		used, done, err := s.job.step(s, limit)
		limit -= max(used, 1)
		s.failed = err
		if done {
			s.job = nil
		}
	}
	return false
}

// next sets the job if there is something to do. The order matters: a compaction is hashed as long
// as what it lets go is still there.
func (s *Store) next() bool {
	if s.job != nil {
		return true
	}
	switch i := s.unhashed(); {
	case i >= 0:
		s.job = newHashing(s, s.compactions[i])
	case s.trimmed < s.compacted:
		s.job = &trimming{revision: s.compacted}
	case s.graves.crowded(s.archive):
		s.job = &sweep{end: first(s.trimmed)}
	default:
		return false
	}
	return true
}

// unhashed returns the first compaction without a hash, or -1.
func (s *Store) unhashed() int {
	return slices.IndexFunc(s.compactions, func(c compaction) bool { return !c.hashed })
}
