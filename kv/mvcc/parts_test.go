package mvcc

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"detcd/storage/archive"
	"detcd/storage/vfs"
)

func TestAnyOfAMillionVersionsIsFoundInFewSteps(t *testing.T) {
	const count = 1_000_000
	var newest *version
	for i := range count {
		newest = (&version{main: int64(10 * i), number: int64(i + 1)}).on(newest)
	}
	for _, want := range []int64{0, 1, 2, 3, 1000, 524287, 524288, 999_998, 999_999} {
		steps := 0
		for v := newest; v.main > 10*want+9; steps++ { // as at does, but counting
			if v.jump.main > 10*want+9 {
				v = v.jump
			} else {
				v = v.previous
			}
		}
		if found := newest.at(10*want + 9); found.main != 10*want || steps > 60 {
			t.Errorf("version %d: found %d in %d steps", want, found.main/10, steps)
		}
		if found := newest.from(first(10*want - 9)); found.main != 10*want {
			t.Errorf("from before version %d: found %d", want, found.main/10)
		}
	}
	if newest.at(-1) != nil || newest.from(first(10*count)) != nil {
		t.Error("found what is not there")
	}
}

func TestChangesAreFoundInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		last := rapid.SampledFrom([]int64{-1, 0, 3, 1 << 13, 1 << 40}).Draw(t, "last")
		draw := rapid.Custom(func(t *rapid.T) Revision {
			return Revision{rapid.Int64Range(0, max(last, 0)).Draw(t, "main"),
				rapid.Int64Range(0, 2).Draw(t, "sub")}
		})
		in := rapid.SliceOf(draw).Draw(t, "in")
		set := newChanges(last)
		for _, r := range in {
			set.add(&version{main: r.Main, sub: uint32(r.Sub)})
		}
		asked := append(rapid.SliceOf(draw).Draw(t, "asked"), in...)
		slices.SortFunc(asked, func(a, b Revision) int {
			return (&version{main: a.Main, sub: uint32(a.Sub)}).compare(
				&version{main: b.Main, sub: uint32(b.Sub)})
		})
		for _, r := range asked {
			v := &version{main: r.Main, sub: uint32(r.Sub)}
			if got, want := set.has(v), slices.Contains(in, r); got != want {
				t.Fatalf("has %v: %v, want %v", r, got, want)
			}
		}
	})
}

// One key with many versions, half of them dead, must not make a step of Work longer than any
// other.
func TestWorkIsDoneInBoundedSteps(t *testing.T) {
	y := newYard(t, Options{})
	for i := range 5000 {
		y.put("hot", fmt.Sprint(i))
	}
	for i := range 500 {
		y.put(fmt.Sprint("other", i), "")
		y.remove(fmt.Sprint("other", i))
	}
	if err := y.store.Compact(2500); err != nil {
		t.Fatal(err)
	}
	steps := 0
	for more := true; more; steps++ {
		y.put("hot", "while it works")
		more = y.store.Work(100)
	}
	// Of 2500 dead and 2500 live versions each is met twice, and hashed or copied.
	if steps < 70 || steps > 200 {
		t.Errorf("it took %d steps", steps)
	}
	if err := y.store.Check(); err != nil {
		t.Error(err)
	}
	versions := 0
	for v := y.store.index.newest("hot"); v != nil; v = v.older() {
		versions++
	}
	if want := 2502 + steps; versions != want {
		t.Errorf("%d versions are left, want %d", versions, want)
	}
}

func TestAViewIsTheSameUntilSomethingChanges(t *testing.T) {
	y := newYard(t, Options{})
	y.put("a", "1")
	v := y.store.View()
	y.store.Begin().End()
	y.store.Compact(99)
	if y.store.View() != v {
		t.Error("nothing has changed")
	}
	y.put("a", "2")
	if y.store.View() == v || v.Revision() != 2 {
		t.Error("something has changed")
	}
	// A view that would pin what has been let go is not given out again.
	if err := y.store.Compact(3); err != nil {
		t.Fatal(err)
	}
	for y.store.unhashed() >= 0 {
		y.store.Work(1)
	}
	v = y.store.View()
	for y.store.Work(1) {
	}
	if y.store.View() == v {
		t.Error("an old version has gone")
	}
	v = y.store.View()
	_, _, flush := y.store.Checkpoint()
	y.execute(flush)
	if y.store.View() == v {
		t.Error("a step was executed")
	}
}

func TestMisuseIsAPanic(t *testing.T) {
	y := newYard(t, Options{})
	ended := y.store.Begin()
	ended.End()
	y.store.Begin()
	for name, misuse := range map[string]func(){
		"a view inside a transaction": func() { y.store.View() },
		"two transactions":            func() { y.store.Begin() },
		"a write after the end":       func() { ended.Put([]byte("a"), nil, 0) },
		"an end after the end":        func() { ended.End() },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s went well", name)
				}
			}()
			misuse()
		}()
	}
}

func FuzzHead(f *testing.F) {
	put := &version{main: 9, create: 2, number: 3, lease: -4}
	f.Add(uint64(9), uint32(1), appendHead(nil, put, []byte("key")))
	f.Add(uint64(9), uint32(1), appendHead(nil, &version{main: 9}, []byte("key")))
	f.Fuzz(func(t *testing.T, major uint64, minor uint32, head []byte) {
		v, key, err := cutHead(archive.ID{Major: major, Minor: minor}, head)
		if err != nil {
			return
		}
		again, sameKey, err := cutHead(v.id(), appendHead(nil, &v, key))
		if err != nil || again != v || string(sameKey) != string(key) || v.create > v.main {
			t.Fatalf("%v %q became %v %q, %v", v, key, again, sameKey, err)
		}
	})
}

func FuzzState(f *testing.F) {
	s := &Store{revision: 9, compacted: 3, compactions: []compaction{{previous: -1, revision: 3}}}
	f.Add(s.state())
	s.compactions[0].hashed = true
	f.Add(s.state())
	f.Fuzz(func(t *testing.T, state []byte) {
		var s, again Store
		if len(state) == 0 || s.cutState(state) != nil {
			return
		}
		if err := again.cutState(s.state()); err != nil || fmt.Sprint(s) != fmt.Sprint(again) {
			t.Fatalf("%v became %v, %v", s, again, err)
		}
	})
}

func TestRestoreRefusesWhatIsWrong(t *testing.T) {
	y := newYard(t, Options{})
	y.put("a", "1")
	state, segments, flush := y.store.Checkpoint()
	y.execute(flush)
	past := (&Store{revision: 1, compacted: -1}).state()
	for name, bad := range map[string][]byte{
		"newer":      {2},
		"cut":        state[:1],
		"left over":  append(slices.Clone(state), 0xff),
		"odd":        append(slices.Clone(state), 0),
		"of another": past,
	} {
		if err := y.store.Restore(y.fs, dir, bad, segments, nil); !errors.Is(err, errState) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if y.store.View().Meta([]byte("a")).Version != 1 {
		t.Error("a restore that failed has changed the store")
	}
}

// Where the file system returns damaged bytes, every reader gets an error, and work stops with one.
func TestDamageIsAnError(t *testing.T) {
	y := newYard(t, Options{archive.Options{SegmentSize: 100, FlushSize: 1}})
	for range 20 {
		y.put("a", strings.Repeat("x", 20))
	}
	for step := y.store.StorageStep(); step != nil; step = y.store.StorageStep() {
		y.execute(step)
	}
	names, err := y.fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		file, err := y.fs.Open(dir + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.WriteAt([]byte{0xff, 0xff}, 40); err != nil {
			t.Fatal(err)
		}
	}
	v := y.store.View()
	a := []byte("a")
	_, getErr := v.Range(RangeOptions{Key: a, Revision: 2})
	_, previousErr := v.Previous(a, 3)
	_, _, _, hashErr := v.Hash(0)
	if err := y.store.Compact(20); err != nil {
		t.Fatal(err)
	}
	if y.store.Work(1000) {
		t.Error("there is more to do")
	}
	for name, err := range map[string]error{"range": getErr, "previous": previousErr, "hash": hashErr,
		"events": v.Events(2, 9, nil, nil), "key events": v.KeyEvents(a, 2, 9, nil),
		"work": y.store.Failed(), "check": y.store.Check()} {
		var damage *vfs.CorruptionError
		if !errors.As(err, &damage) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The worked bytes of docs/formats/history.md.
func TestTheFormatIsTheDocumentedOne(t *testing.T) {
	put := &version{main: 4, create: 2, number: 2, lease: 7}
	remembered := compaction{previous: -1, revision: 4, hashed: true, hash: 0x7b5cb81a}
	s := &Store{revision: 5, compacted: 4, compactions: []compaction{remembered}}
	for want, got := range map[string][]byte{
		"02 02 0e 61 70 70 6c 65":       appendHead(nil, put, []byte("apple")),
		"00 61 70 70 6c 65":             appendHead(nil, &version{main: 5}, []byte("apple")),
		"01 0a 08 01 08 b4 e0 e5 b5 0f": s.state(),
		"01 02 01":                      (&Store{revision: 1, compacted: -1}).state(),
	} {
		if fmt.Sprintf("% x", got) != want {
			t.Errorf("% x, want %s", got, want)
		}
	}
}
