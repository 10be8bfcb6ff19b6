package mvcc

import (
	"fmt"
	"testing"

	"detcd/storage/archive"
	"detcd/storage/vfs"
)

// A defragmentation that follows a compaction at once waits until what that lets go of is dead, and
// takes it along.
func TestADefragmentationWaitsForTheCompaction(t *testing.T) {
	fs, s := vfs.NewMemory(), New(Options{})
	if err := s.Restore(fs, dir, nil, nil, nil); err != nil {
		t.Fatal(err)
	}
	const keys, rounds = 10, 2 * workPerStep / 10 // more than one StorageStep lets go of
	for i := range keys * rounds {
		txn := s.Begin()
		txn.Put(fmt.Append(nil, i%keys), fmt.Append(nil, "value ", i), 0)
		txn.End()
	}
	if err := s.Compact(s.Revision()); err != nil {
		t.Fatal(err)
	}
	s.Defragment()
	if s.Defragmenting() != archive.Rewriting {
		t.Fatal("it did not begin")
	}
	for n := 0; s.Defragmenting() != archive.Idle; n++ {
		var step *archive.Step
		var segments []archive.Segment
		naming := s.Defragmenting() == archive.Naming
		if naming {
			_, segments, step = s.Checkpoint()
		} else {
			step = s.StorageStep()
		}
		if err := archive.Execute(fs, dir, step); err != nil {
			t.Fatal(err)
		}
		s.StorageStepDone(step)
		if naming {
			s.Saved(segments)
		}
		if n > 10_000 {
			t.Fatal("it has no end")
		}
	}
	stats := s.Stats()
	if stats.Records > 2*keys || 10*(stats.Disk+stats.Unwritten) > 12*stats.InUse {
		t.Errorf("of %d keys it left %+v", keys, stats)
	}
}
