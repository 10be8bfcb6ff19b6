package archive

import (
	"testing"

	"pgregory.net/rapid"
)

// defragment does a defragmentation, with the checkpoint that it needs, while records are appended.
func (w *world) defragment(appends int) (seen []Progress) {
	w.archive.Defragment()
	for n := 0; ; n++ {
		at := w.archive.Defragmenting()
		if len(seen) == 0 || seen[len(seen)-1] != at {
			seen = append(seen, at)
		}
		if at == Idle {
			return seen
		}
		if n < appends {
			w.append(1, 4, 100)
		}
		w.take(at == Naming)
		w.execute()
		if at == Naming {
			w.save()
			w.tell()
		}
		if n > 100_000 {
			w.fail("the defragmentation has no end")
		}
	}
}

// However much is dead, and where: when a defragmentation is over the files have little more than
// what lives, all of which is there; and what merges alone would have left is gone.
func TestADefragmentationLeavesLittle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(Options{SegmentSize: 8000, StepSize: 1000, FlushSize: 500},
			rapid.Uint64().Draw(t, "seed"), t.Fatalf)
		w.calm = true
		for range rapid.IntRange(1, 500).Draw(t, "records") {
			w.append(1, 4, 100)
		}
		if rapid.Bool().Draw(t, "settled") {
			w.settle()
		}
		percent := rapid.IntRange(0, 100).Draw(t, "percent killed")
		for i := range w.records {
			if w.choose.IntN(100) < percent {
				w.kill(i)
			}
		}
		w.defragment(0)
		if err := w.valid(); err != nil {
			t.Fatal(err)
		}
		w.look(0)
		stats := w.archive.Stats()
		all := stats.Disk + stats.Unwritten
		if 10*all > 12*stats.InUse+10*headerSize || stats.InUse < stats.Live {
			t.Errorf("%d bytes, of which %d are in use and %d live", all, stats.InUse, stats.Live)
		}
	})
}

// It goes its way, waits for a checkpoint where it has replaced files, and does nothing where
// nothing is dead.
func TestTheWayOfADefragmentation(t *testing.T) {
	w := filled(t, 4)
	if got := w.defragment(0); len(got) != 2 || got[0] != Rewriting || got[1] != Idle {
		t.Errorf("nothing is dead: %v", got)
	}
	files := w.archive.number
	w.kill(5) // a fourth of a segment: not enough for a merge
	w.settle()
	if w.archive.number != files {
		t.Fatal("it was merged already")
	}
	got, want := w.defragment(0), []Progress{Rewriting, Naming, Removing, Idle}
	if len(got) != len(want) {
		t.Fatalf("went %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("went %v, want %v", got, want)
		}
	}
	if stats := w.archive.Stats(); stats.Dead != 0 {
		t.Errorf("%d bytes are dead", stats.Dead)
	}
	w.mustBeValid(t)
}

// It ends although records are appended all the time, of which a part dies at once.
func TestADefragmentationEndsUnderLoad(t *testing.T) {
	w := filled(t, 4)
	w.kill(1)
	w.kill(5)
	w.archive.Defragment()
	for n := 0; w.archive.Defragmenting() == Rewriting; n++ {
		for i := range 4 {
			if w.append(1, 4, 100); i == 0 {
				w.kill(len(w.records) - 1)
			}
		}
		w.take(false)
		w.execute()
		if n > 1000 {
			t.Fatal("it has no end")
		}
	}
	w.mustBeValid(t)
}
