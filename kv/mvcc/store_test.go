package mvcc

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"detcd/storage/archive"
	"detcd/storage/vfs"
)

const dir = "archive"

// longValue makes a record so long that few fill a segment.
const longValue = "a long value: 0123456789012345678901234567890123456789"

// smallOptions make segments, merges and steps out of a handful of changes.
func smallOptions() Options {
	return Options{archive.Options{SegmentSize: 200, StepSize: 150, FlushSize: 50}}
}

// A world is a store beside its model, on a disk that can crash.
type world struct {
	fs       *vfs.Memory
	store    *Store
	model    *model
	held     []held // views taken earlier
	saved    saved  // the last durable checkpoint
	restores int
}

type held struct {
	view  *View
	model *model
}

type saved struct {
	state    []byte
	segments []archive.Segment
	model    *model
}

func newWorld(t *rapid.T) *world {
	w := &world{fs: vfs.NewMemory(), store: New(smallOptions()), saved: saved{model: newModel()}}
	w.restore(t)
	return w
}

// restore brings the store and the model back to the last durable checkpoint.
func (w *world) restore(t *rapid.T) {
	w.model = w.saved.model.clone()
	var leases []string
	err := w.store.Restore(w.fs, dir, w.saved.state, w.saved.segments, func(key []byte, lease int64) {
		leases = append(leases, fmt.Sprintf("%q %d", key, lease))
	})
	if err != nil {
		t.Fatalf("restore: %v", err)
	}
	w.store.graves.min, w.store.graves.ratio = 0, 1<<30 // sweep all the time
	var want []string
	for _, c := range w.model.visible([]byte{0}, []byte{0}, w.model.revision) {
		want = append(want, fmt.Sprintf("%q %d", c.key, c.lease))
	}
	if !slices.Equal(leases, want) {
		t.Fatalf("restore told of %v, want %v", leases, want)
	}
	w.restores++
}

func drawKey(t *rapid.T) []byte {
	keys := []string{"a", "aa", "ab", "b", "b\x00", "c", "d", "\xff"}
	return []byte(rapid.SampledFrom(keys).Draw(t, "key"))
}

func drawEnd(t *rapid.T) []byte {
	ends := []string{"", "", "\x00", "b", "b\x00", "c", "\xff\xff"}
	return []byte(rapid.SampledFrom(ends).Draw(t, "end"))
}

// drawRevision mostly gives one that can be read.
func drawRevision(t *rapid.T, m *model) int64 {
	return rapid.Int64Range(max(m.compacted, 0)-2, m.revision+2).Draw(t, "revision")
}

func drawRange(t *rapid.T, m *model) RangeOptions {
	o := RangeOptions{Key: drawKey(t), End: drawEnd(t)}
	if rapid.Bool().Draw(t, "everything") {
		o.Key, o.End = []byte{0}, []byte{0}
	}
	if rapid.Bool().Draw(t, "old") {
		o.Revision = drawRevision(t, m)
	}
	if rapid.Bool().Draw(t, "limited") {
		o.Limit = rapid.SampledFrom([]int64{-1, 0, 1, 2, 3, 5, math.MaxInt64}).Draw(t, "limit")
	}
	if rapid.Bool().Draw(t, "sorted") {
		o.Order = Order(rapid.IntRange(0, 2).Draw(t, "order"))
		o.Target = Target(rapid.IntRange(0, 4).Draw(t, "target"))
	}
	if rapid.IntRange(0, 3).Draw(t, "bounded") == 0 {
		for _, bound := range []*int64{&o.MinModRevision, &o.MaxModRevision,
			&o.MinCreateRevision, &o.MaxCreateRevision} {
			if rapid.Bool().Draw(t, "bound") {
				*bound = rapid.Int64Range(0, m.revision+1).Draw(t, "at")
			}
		}
	}
	kind := rapid.IntRange(0, 7).Draw(t, "kind")
	o.KeysOnly, o.CountOnly = kind == 0 || kind == 1, kind == 1 || kind == 2
	return o
}

// compareRange judges one range.
func compareRange(t *rapid.T, o RangeOptions, got *Result, err error, want *Result, wantErr error) {
	if !errors.Is(err, wantErr) {
		t.Fatalf("range %+v: %v, want %v", o, err, wantErr)
	}
	if err != nil {
		return
	}
	if got.Count != want.Count || got.More != want.More || got.Revision != want.Revision ||
		!slices.EqualFunc(got.KVs, want.KVs, func(a, b *mvccpb.KeyValue) bool { return sameKV(a, b) }) {
		t.Fatalf("range %+v:\ngot  %v\nwant %v", o, got, want)
	}
}

// sameKV compares what goes over the wire.
func sameKV(a, b proto.Message) bool {
	options := proto.MarshalOptions{Deterministic: true}
	left, err := options.Marshal(a)
	if err != nil {
		panic(err)
	}
	right, err := options.Marshal(b)
	return err == nil && string(left) == string(right)
}

// compareView judges a view by the model of its time.
func compareView(t *rapid.T, v *View, m *model) {
	if v.Revision() != m.revision || v.Compacted() != m.compacted {
		t.Fatalf("view is at %d, %d", v.Revision(), v.Compacted())
	}
	o := drawRange(t, m)
	got, err := v.Range(o)
	want, wantErr := m.read(o, m.revision)
	compareRange(t, o, got, err, want, wantErr)

	all, err := v.Range(RangeOptions{Key: []byte{0}, End: []byte{0}, CountOnly: true})
	if err != nil || int64(v.Keys()) != all.Count {
		t.Fatalf("%d keys, but a range has %v, %v", v.Keys(), all, err)
	}
	key, at := drawKey(t), drawRevision(t, m)
	if got, want := v.Meta(key), m.latest(string(key), m.revision).meta(); got != want {
		t.Fatalf("meta of %q: %v, want %v", key, got, want)
	}
	hash, compact, rev, err := v.Hash(at)
	wantHash, wantCompact, wantRev, wantErr := m.hash(at)
	if hash != wantHash || compact != wantCompact || rev != wantRev || !errors.Is(err, wantErr) {
		t.Fatalf("hash at %d: %d %d %d %v, want %d %d %d %v",
			at, hash, compact, rev, err, wantHash, wantCompact, wantRev, wantErr)
	}
	compareHistory(t, v, m, key, at)
}

func compareHistory(t *rapid.T, v *View, m *model, key []byte, at int64) {
	previous, err := v.Previous(key, at)
	var want *mvccpb.KeyValue
	if c := m.latest(string(key), at-1); c.live() && at-1 >= m.compacted {
		want = c.kv()
	}
	if err != nil || !sameKV(previous, want) {
		t.Fatalf("previous of %q at %d: %v %v, want %v", key, at, previous, err, want)
	}
	to := at + rapid.Int64Range(0, 20).Draw(t, "span")
	low, high := drawKey(t), drawEnd(t)
	want1 := func(k []byte) bool { return inside(string(k), low, high) }
	compareEvents(t, m, at, to, want1, func(each func(int64, []*mvccpb.Event) bool) error {
		return v.Events(at, to, want1, each)
	})
	compareEvents(t, m, at, to, nil, func(each func(int64, []*mvccpb.Event) bool) error {
		return v.Events(at, to, nil, each)
	})
	just := func(k []byte) bool { return string(k) == string(key) }
	compareEvents(t, m, at, to, just, func(each func(int64, []*mvccpb.Event) bool) error {
		return v.KeyEvents(key, at, to, each)
	})
}

func compareEvents(t *rapid.T, m *model, from, to int64, wanted func([]byte) bool,
	read func(each func(int64, []*mvccpb.Event) bool) error) {
	want, wantErr := m.events(from, to, wanted)
	limit := rapid.IntRange(1, 10).Draw(t, "stop after")
	want = want[:min(limit, len(want))]
	var got [][]*mvccpb.Event
	err := read(func(revision int64, events []*mvccpb.Event) bool {
		if len(got) == limit || len(events) == 0 || revision != events[0].Kv.ModRevision {
			t.Fatalf("events of revision %d: %v", revision, events)
		}
		got = append(got, events)
		return len(got) < limit
	})
	same := slices.EqualFunc(got, want, func(a, b []*mvccpb.Event) bool {
		return slices.EqualFunc(a, b, func(a, b *mvccpb.Event) bool { return sameKV(a, b) })
	})
	if !errors.Is(err, wantErr) || !same {
		t.Fatalf("events %d to %d: %v %v, want %v %v", from, to, got, err, want, wantErr)
	}
}

// A pen writes one transaction, each key at most once, as etcd has it.
type pen struct {
	w       *world
	txn     *Txn
	writes  int64
	touched []string
}

func (w *world) write(t *rapid.T) {
	p := pen{w: w, txn: w.store.Begin()}
	for range rapid.IntRange(0, 4).Draw(t, "ops") {
		switch rapid.IntRange(0, 5).Draw(t, "op") {
		case 0:
			o := drawRange(t, w.model)
			got, err := p.txn.Range(o)
			want, wantErr := w.model.read(o, w.model.now(p.writes))
			compareRange(t, o, got, err, want, wantErr)
		case 1, 2:
			p.remove(t, drawKey(t), drawEnd(t))
		default:
			p.put(t, drawKey(t))
		}
		if got := p.txn.Revision(); got != w.model.now(p.writes) {
			t.Fatalf("the transaction is at %d, want %d", got, w.model.now(p.writes))
		}
	}
	w.model.revision = w.model.now(p.writes)
	if got := p.txn.End(); got != w.model.revision {
		t.Fatalf("the transaction ended at %d, want %d", got, w.model.revision)
	}
}

func (p *pen) put(t *rapid.T, key []byte) {
	if slices.Contains(p.touched, string(key)) {
		return
	}
	p.touched = append(p.touched, string(key))
	value := rapid.SampledFrom([]string{"", "x", "y", longValue}).Draw(t, "value")
	lease := rapid.SampledFrom([]int64{0, 0, 7, -7}).Draw(t, "lease")
	want := p.w.model.put(&p.writes, string(key), value, lease)
	if got := p.txn.Put(key, []byte(value), lease); got != want.meta() {
		t.Fatalf("put %q: it was %v, want %v", key, got, want.meta())
	}
	now := p.w.model.latest(string(key), p.w.model.revision+1)
	if got := p.txn.Meta(key); got != now.meta() {
		t.Fatalf("put %q: it is %v, want %v", key, got, now.meta())
	}
}

func (p *pen) remove(t *rapid.T, low, high []byte) {
	if slices.ContainsFunc(p.touched, func(key string) bool { return inside(key, low, high) }) {
		return
	}
	want := p.w.model.remove(&p.writes, low, high)
	got := p.txn.DeleteRange(low, high)
	same := slices.EqualFunc(got, want, func(a Deleted, b change) bool {
		p.touched = append(p.touched, b.key)
		return string(a.Key) == b.key && a.Meta == b.meta()
	})
	if !same {
		t.Fatalf("deleted %v, want %v", got, want)
	}
}

// execute does a step of the archive.
func (w *world) execute(t *rapid.T, step *archive.Step) {
	if err := archive.Execute(w.fs, dir, step); err != nil {
		t.Fatalf("execute: %v", err)
	}
}

func (w *world) checkpoint(t *rapid.T) {
	state, segments, flush := w.store.Checkpoint()
	m := w.model.clone()
	w.execute(t, flush)
	w.store.StorageStepDone(flush)
	if rapid.IntRange(0, 3).Draw(t, "lost") == 0 {
		return // a crash before the checkpoint itself was saved
	}
	w.saved = saved{state, segments, m}
	w.store.Saved(segments)
}

// settle compacts, does all work, and restarts: what is gone must stay gone.
func (w *world) settle(t *rapid.T) {
	if w.store.Compact(w.model.revision) == nil {
		w.model.compact(w.model.revision)
	}
	for step := w.store.StorageStep(); step != nil || w.store.Work(1); step = w.store.StorageStep() {
		w.execute(t, step)
		w.store.StorageStepDone(step)
		w.store.Saved(w.saved.segments)
	}
	w.checkpoint(t)
	w.crash(t)
}

func (w *world) crash(t *rapid.T) {
	seed := rapid.Uint64().Draw(t, "crash")
	w.fs = w.fs.CrashClone(rand.New(rand.NewPCG(seed, 0)))
	w.restore(t)
}

func TestStoreBehavesLikeTheListOfAllItsChanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		t.Repeat(map[string]func(*rapid.T){
			"write":  w.write,
			"write2": w.write,
			"write3": w.write,
			"compact": func(t *rapid.T) {
				at := drawRevision(t, w.model)
				if err, want := w.store.Compact(at), w.model.compact(at); !errors.Is(err, want) {
					t.Fatalf("compact %d: %v, want %v", at, err, want)
				}
			},
			"settle": w.settle,
			"work":   func(t *rapid.T) { w.store.Work(rapid.IntRange(1, 20).Draw(t, "units")) },
			"bulk": func(t *rapid.T) {
				step := w.store.StorageStep()
				w.execute(t, step)
				w.store.StorageStepDone(step)
			},
			"view": func(t *rapid.T) {
				w.held = append(w.held, held{w.store.View(), w.model.clone()})
				w.held = w.held[max(0, len(w.held)-4):]
			},
			"look back": func(t *rapid.T) {
				if len(w.held) > 0 {
					h := w.held[rapid.IntRange(0, len(w.held)-1).Draw(t, "view")]
					compareView(t, h.view, h.model)
				}
			},
			"checkpoint": w.checkpoint,
			"crash":      w.crash,
			"": func(t *rapid.T) {
				compareView(t, w.store.View(), w.model)
				if err := w.store.Check(); err != nil {
					t.Fatal(err)
				}
				if w.store.Failed() != nil {
					t.Fatal(w.store.Failed())
				}
			},
		})
	})
}
