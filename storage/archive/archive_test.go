package archive

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"detcd/storage/vfs"
	"detcd/storage/vfs/vfstest"
)

// filled returns a world of sealed segments with 4 records each, IDs from 1 on, and all work done.
func filled(t *testing.T, segments int) *world {
	t.Helper()
	w := newWorld(Options{SegmentSize: 400, StepSize: 150, FlushSize: 1}, 1, t.Fatalf)
	w.calm = true
	for range 4 * segments {
		w.append(1, 4, 100)
	}
	w.settle()
	if len(w.archive.sealed) != segments {
		t.Fatalf("%d segments", len(w.archive.sealed))
	}
	return w
}

func (w *world) mustBeValid(t *testing.T) {
	t.Helper()
	if err := w.valid(); err != nil {
		t.Fatal(err)
	}
}

func TestTheExampleOfTheEssay(t *testing.T) {
	w := filled(t, 2)
	w.append(1, 4, 100)
	w.append(1, 4, 100)
	for _, i := range []int{1, 2, 3, 5, 6, 8} {
		w.kill(i - 1)
	}
	old := w.archive.View()
	w.settle()
	w.mustBeValid(t)
	shape := func(v *View) string {
		var out []string
		for k := range v.parts() {
			var ids []uint64
			for i := range v.part(k).records().length() {
				ids = append(ids, v.part(k).records().id(i).Major)
			}
			out = append(out, fmt.Sprint(ids))
		}
		return strings.Join(out, " ")
	}
	if got := shape(w.archive.View()); got != "[4 7] [9 10]" {
		t.Errorf("after the merge: %s", got)
	}
	if got := shape(old); got != "[1 2 3 4] [5 6 7 8] [9 10]" {
		t.Errorf("the old view shows %s", got)
	}
	if got := w.scan(old); len(got) != 10 {
		t.Errorf("the old view reads %d records", len(got))
	}
}

// Kills arrive at every moment of a merge: none is lost, and no record is dropped without one.
func TestKillsDuringAMergeAreNotLost(t *testing.T) {
	for moment := range 8 {
		w := filled(t, 2)
		for _, i := range []int{0, 1, 4, 5} {
			w.kill(i)
		}
		for range moment {
			w.take(false)
			w.execute()
		}
		w.take(false) // a step is under way
		w.kill(2)     // copied at some moments, still to be copied at others
		w.kill(7)
		w.mustBeValid(t)
		w.execute()
		w.settle()
		w.mustBeValid(t)
		w.look(0)
		left := 2 * numbers{3, 0, 4, 100}.recordSize()
		if stats := w.archive.Stats(); stats.Live != left {
			t.Errorf("killed after %d steps: %+v", moment, stats)
		}
		w.open(w.memory.CrashClone(nil))
	}
}

// A is a checkpoint that is durable, B one that is being made. Then a merge replaces what B names,
// and only now the archive learns of A: what B names must stay.
func TestAFileStaysThatAComingCheckpointNames(t *testing.T) {
	w := filled(t, 1)
	w.take(true)
	w.execute()
	w.save()
	for range 4 {
		w.append(1, 4, 100)
	}
	for range 10 { // seals the second segment
		w.take(false)
		w.execute()
	}
	w.take(true)
	b := *w.coming
	if len(b.segments) != 2 || !b.segments[1].Sealed {
		t.Fatalf("B names %+v", b.segments)
	}
	w.execute()
	for i := range 7 {
		w.kill(i)
	}
	for range 10 {
		w.take(false)
		w.execute()
	}
	w.tell()
	for range 10 {
		w.take(false)
		w.execute()
	}
	w.save()
	w.mustBeValid(t)
	w.open(w.memory.CrashClone(nil))
}

// A segment of 1000 bytes has 10 records.
func TestTwoNeighboursWithHalfASegmentAliveBecomeOne(t *testing.T) {
	w := newWorld(Options{SegmentSize: 1000, FlushSize: 1}, 1, t.Fatalf)
	w.calm = true
	for range 20 {
		w.append(1, 4, 88)
	}
	for _, c := range []struct{ from, to, segments int }{
		{0, 8, 2},   // mostly dead: 200 bytes are left
		{10, 15, 2}, // mostly dead: 500
		{15, 16, 2}, // 600 bytes alive in both
		{16, 17, 1}, // 500
	} {
		for i := c.from; i < c.to; i++ {
			w.kill(i)
		}
		w.settle()
		if stats := w.archive.Stats(); stats.Segments != c.segments {
			t.Errorf("records %d..%d are killed: %+v", c.from, c.to-1, stats)
		}
	}
}

func TestAppendsAndMergesTakeTurns(t *testing.T) {
	w := filled(t, 6)
	for i := range 24 {
		if i%4 != 0 {
			w.kill(i)
		}
	}
	for range 40 {
		w.append(1, 4, 100)
	}
	var turns []byte
	for range 10 {
		w.take(false)
		turn := byte('w')
		if w.archive.merge != nil && w.step.writes[0].draft == w.archive.merge.draft {
			turn = 'm'
		}
		turns = append(turns, turn)
		w.execute()
	}
	if string(turns) != "wmwmwmwmwm" {
		t.Errorf("the turns are %s", turns)
	}
}

func TestAFullDeviceCostsNothingButTime(t *testing.T) {
	w := filled(t, 1)
	w.append(1, 4, 100)
	written, full := 0, true
	disk := vfs.Wrap(w.disk, func(op vfs.Op) vfs.Verdict {
		if op.Kind == vfs.Allocate && full {
			return vfs.Verdict{Err: vfs.ErrNoSpace}
		}
		if op.Kind == vfs.Write {
			written++
		}
		return vfs.Verdict{}
	})
	w.take(true)
	for range 3 {
		if err := Execute(disk, "archive", w.step); !errors.Is(err, vfs.ErrNoSpace) || written > 0 {
			t.Fatalf("%d writes, error %v", written, err)
		}
	}
	full = false
	w.disk = disk
	w.execute()
	w.save()
	w.look(0)
	w.open(w.memory.CrashClone(nil))
}

func TestOpenLeavesWhatTheCheckpointNamed(t *testing.T) {
	s := newSmall(t)
	if _, err := s.fs.Create("archive/r0000000000000007-0.seg"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.fs.Create("archive/not ours"); err != nil {
		t.Fatal(err)
	}
	file, _ := s.file(t, 2)
	if _, err := file.WriteAt(make([]byte, 99), s.segments[2].Length+7); err != nil {
		t.Fatal(err)
	}
	if _, err := s.open(); err != nil {
		t.Fatal(err)
	}
	want := []string{"not ours"}
	for _, named := range s.segments {
		want = append(want, named.Name)
	}
	slices.Sort(want)
	if names, err := s.fs.List("archive"); err != nil || !slices.Equal(names, want) {
		t.Errorf("the directory has %q, want %q: %v", names, want, err)
	}
	if size, err := file.Size(); err != nil || size != s.segments[2].Length {
		t.Errorf("the unsealed segment has %d bytes: %v", size, err)
	}
}

// The last bytes of a chunk are used, and a record that needs one more goes into the next.
func TestRecordsFillChunksToTheLastByte(t *testing.T) {
	for body := chunkSizeMin - 100; body < chunkSizeMin; body++ {
		w := newWorld(Options{}, 1, t.Fatalf)
		w.calm = true
		w.append(1, 0, body)
		w.append(1, 0, 20)
		w.append(1, 0, 20)
		w.look(0)
		w.take(true)
		w.execute()
		w.save()
		w.open(w.memory.CrashClone(nil))
	}
}

func TestATableHoldsWhatFits32Bits(t *testing.T) {
	table := newTable()
	if !table.fits(ID{Major: 1 << 40}) {
		t.Error("an empty table has no room")
	}
	table.add(ID{Major: 1 << 40}, 1<<31)
	table.add(ID{Major: 1<<40 + 1<<32 - 1, Minor: 1<<32 - 1}, 1<<31-headerSize-1)
	if got := table.id(1); got != (ID{Major: 1<<40 + 1<<32 - 1, Minor: 1<<32 - 1}) {
		t.Errorf("got %v", got)
	}
	if table.fits(ID{Major: 1<<40 + 1<<32}) || !table.fits(table.id(1)) {
		t.Error("the bound of the ID is elsewhere")
	}
	table.add(table.id(1), 1)
	if table.fits(table.id(1)) {
		t.Error("the bound of the offset is elsewhere")
	}
}

func TestMisuseIsAFailedAssertion(t *testing.T) {
	cases := map[string]func(a *Archive){
		"IDs must ascend":        func(a *Archive) { a.Append(ID{Major: 8}, nil, nil) },
		"one step at a time":     func(a *Archive) { a.Step(); a.Step() },
		"no flush during a step": func(a *Archive) { a.Step(); a.Flush() },
		"only its own step":      func(a *Archive) { a.Done(&Step{}) },
	}
	for name, misuse := range cases {
		t.Run(name, func(t *testing.T) {
			w := filled(t, 2)
			defer func() {
				if recover() == nil {
					t.Error("nothing happened")
				}
			}()
			w.kill(0) // half of a segment: there is a step to do
			w.kill(1)
			misuse(w.archive)
		})
	}
}

func TestEverySyncOfADirectoryCounts(t *testing.T) {
	none := func(ID, []byte, int) error { return nil }
	n := vfstest.EverySyncCounts(t, 0, func() (func(vfs.FS) error, func(*vfs.Memory) error) {
		var named []Segment
		work := func(fs vfs.FS) error {
			a, err := Open(fs, "member/archive", nil, Options{SegmentSize: 100}, none)
			for i := uint64(1); err == nil && i < 20; i++ {
				a.Append(ID{Major: i}, nil, make([]byte, 30))
				segments, step := a.Flush()
				if err = Execute(fs, "member/archive", step); err == nil {
					a.Done(step)
					named = segments
				}
			}
			return err
		}
		intact := func(image *vfs.Memory) error {
			_, err := Open(image, "member/archive", named, Options{}, none)
			return err
		}
		return work, intact
	})
	if n < 6 {
		t.Errorf("only %d syncs", n)
	}
}
