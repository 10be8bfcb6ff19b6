package mvcc

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"detcd/storage/archive"
	"detcd/storage/vfs"
)

// A yard is a store on a disk of its own, with checkpoints on demand.
type yard struct {
	t     *testing.T
	fs    vfs.FS
	store *Store
}

func newYard(t *testing.T, options Options) *yard {
	y := &yard{t: t, fs: vfs.NewMemory(), store: New(options)}
	if err := y.store.Restore(y.fs, dir, nil, nil, nil); err != nil {
		t.Fatal(err)
	}
	return y
}

func (y *yard) put(key, value string) {
	txn := y.store.Begin()
	txn.Put([]byte(key), []byte(value), 0)
	txn.End()
}

func (y *yard) remove(key string) {
	txn := y.store.Begin()
	txn.DeleteRange([]byte(key), nil)
	txn.End()
}

func (y *yard) execute(step *archive.Step) {
	if err := archive.Execute(y.fs, dir, step); err != nil {
		y.t.Fatal(err)
	}
	y.store.StorageStepDone(step)
}

// settle compacts everything and does all work that is left.
func (y *yard) settle() {
	if err := y.store.Compact(y.store.Revision()); err != nil && !errors.Is(err, ErrCompacted) {
		y.t.Fatal(err)
	}
	for step := y.store.StorageStep(); step != nil || y.store.Work(1); step = y.store.StorageStep() {
		y.execute(step)
	}
	if err := y.store.Check(); err != nil {
		y.t.Fatal(err)
	}
}

// restart goes through a checkpoint.
func (y *yard) restart() {
	state, segments, flush := y.store.Checkpoint()
	y.execute(flush)
	if err := y.store.Restore(y.fs, dir, state, segments, nil); err != nil {
		y.t.Fatal(err)
	}
	if err := y.store.Check(); err != nil {
		y.t.Fatal(err)
	}
}

// puts counts the puts of a key that the archive still has.
func (y *yard) puts(key string) (puts int) {
	end := first(y.store.revision + 1)
	err := y.store.archive.View().Scan(archive.ID{}, end, func(r archive.Record) bool {
		v, k, err := cutHead(r.ID, r.Head)
		if err != nil {
			y.t.Fatal(err)
		}
		if string(k) == key && !v.tombstone() {
			puts++
		}
		return true
	})
	if err != nil {
		y.t.Fatal(err)
	}
	return puts
}

// want judges a deleted key: how many puts the archive has, and whether its tombstone is in a
// grave.
func (y *yard) want(key string, puts int, buried bool) {
	y.t.Helper()
	_, found := y.store.graves.tree.Get(&grave{key: key})
	if n := y.puts(key); n != puts || found != buried {
		y.t.Errorf("of %q there are %d puts, a grave: %v; want %d, %v", key, n, found, puts, buried)
	}
	if y.store.View().Meta([]byte(key)).Exists() {
		y.t.Errorf("%q is back", key)
	}
}

// buryOne makes a store in which the put of a deleted key stands between records that live on, its
// tombstone between others that die.
func buryOne(t *testing.T) *yard {
	y := newYard(t, Options{archive.Options{SegmentSize: 1000}})
	y.put("gone", "")
	for i := range 9 {
		y.put(fmt.Sprint("stays", i), strings.Repeat("x", 100))
	}
	y.remove("gone")
	for range 20 {
		y.put("changes", strings.Repeat("y", 100))
	}
	y.settle()
	y.want("gone", 1, true)
	return y
}

func TestATombstoneOutlivesWhatItBuries(t *testing.T) {
	y := buryOne(t)
	y.restart()
	y.want("gone", 1, true)

	y.put("gone", "")
	y.remove("gone")
	for range 20 {
		y.put("changes", strings.Repeat("y", 100))
	}
	y.settle()
	y.want("gone", 1, true) // the tombstone is the second one now
	y.restart()
	y.want("gone", 1, true)
}

func TestASweepKeepsGravesThatBurySomething(t *testing.T) {
	y := buryOne(t)
	y.store.graves.min = 0
	y.store.graves.ratio = 1000
	y.put("more", "")
	y.settle()
	y.want("gone", 1, true)
	y.restart()
	y.want("gone", 1, true)
}

func TestASweepClearsGravesThatAreEmpty(t *testing.T) {
	y := buryOne(t)
	y.store.graves.min = 0
	y.store.graves.ratio = 1000
	for i := range 9 {
		y.remove(fmt.Sprint("stays", i))
	}
	y.settle()
	y.put("more", "")
	y.remove("more")
	y.settle()
	y.want("gone", 0, false)
	y.restart()
	y.want("gone", 0, false)
}

func TestARestartClearsGravesThatAreEmpty(t *testing.T) {
	y := buryOne(t)
	for i := range 9 {
		y.remove(fmt.Sprint("stays", i))
	}
	y.settle()
	y.want("gone", 0, true)
	y.restart()
	y.want("gone", 0, false)
}
