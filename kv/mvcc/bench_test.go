package mvcc

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"syscall"
	"testing"

	"detcd/storage/archive"
	"detcd/storage/vfs"
)

const (
	benchKeys = 1_000_000
	valueSize = 256
)

// A bench is a store with many keys on the file system of the machine.
type bench struct {
	*yard
	keys   [][]byte
	random *rand.Rand
	value  []byte
}

func newBench(b *testing.B, keys int) *bench {
	fs := vfs.OS(b.TempDir())
	w := &bench{yard: &yard{fs: fs, store: New(Options{})},
		random: rand.New(rand.NewPCG(1, 2)), value: make([]byte, valueSize)}
	if err := w.store.Restore(fs, dir, nil, nil, nil); err != nil {
		b.Fatal(err)
	}
	for i := range keys {
		key := fmt.Appendf(nil, "/registry/pods/namespace-%d/%016x", i%100, w.random.Uint64())
		w.keys = append(w.keys, key)
		w.putKey(w.keys[i])
		w.bulk(b)
	}
	return w
}

func (w *bench) putKey(key []byte) {
	txn := w.store.Begin()
	txn.Put(key, w.value, 0)
	txn.End()
}

// bulk keeps what is only in memory short, as the disk would.
func (w *bench) bulk(b *testing.B) {
	if w.store.archive.Stats().Unwritten < 2<<20 {
		return
	}
	for step := w.store.StorageStep(); step != nil; step = w.store.StorageStep() {
		if err := archive.Execute(w.fs, dir, step); err != nil {
			b.Fatal(err)
		}
		w.store.StorageStepDone(step)
	}
}

func (w *bench) anyKey() []byte { return w.keys[w.random.IntN(len(w.keys))] }

func heap() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// measure runs a benchmark that also reports the processor time of the whole process, collector
// included: unlike the time that passed, it says something on a busy machine.
func measure(b *testing.B, name string, step func(b *testing.B)) {
	b.Run(name, func(b *testing.B) {
		b.ReportAllocs()
		before := processorTime(b)
		for b.Loop() {
			step(b)
		}
		b.ReportMetric(float64(processorTime(b)-before)/float64(b.N), "cpu-ns/op")
	})
}

func processorTime(b *testing.B) int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}

func (w *bench) read(b *testing.B, v *View, o RangeOptions, count int64) {
	result, err := v.Range(o)
	if err != nil || result.Count != count {
		b.Fatal(result, err)
	}
}

func BenchmarkAMillionKeys(b *testing.B) {
	before := heap()
	w := newBench(b, benchKeys)
	keys := 0.0
	for _, k := range w.keys {
		keys += float64(cap(k) + 24)
	}
	b.Logf("%.0f bytes of heap for each key", (heap()-before-keys)/benchKeys)
	measure(b, "Overwrite", func(b *testing.B) { w.putKey(w.anyKey()) })
	w.bulk(b)
	measure(b, "OverwriteAndView", func(b *testing.B) {
		w.putKey(w.anyKey())
		w.store.View()
	})
	w.bulk(b)
	v := w.store.View()
	all := []byte{0}
	measure(b, "Get", func(b *testing.B) { w.read(b, v, RangeOptions{Key: w.anyKey()}, 1) })
	measure(b, "Count", func(b *testing.B) {
		w.read(b, v, RangeOptions{Key: all, End: all, CountOnly: true}, benchKeys)
	})
	measure(b, "Hash", func(b *testing.B) {
		if _, _, _, err := v.Hash(0); err != nil {
			b.Fatal(err)
		}
	})
	state, segments, flush := w.store.Checkpoint()
	if err := archive.Execute(w.fs, dir, flush); err != nil {
		b.Fatal(err)
	}
	w.store.StorageStepDone(flush)
	measure(b, "Restore", func(b *testing.B) {
		if err := w.store.Restore(w.fs, dir, state, segments, nil); err != nil {
			b.Fatal(err)
		}
	})
	measure(b, "Compact", func(b *testing.B) {
		w.putKey(w.anyKey())
		if err := w.store.Compact(w.store.Revision()); err != nil {
			b.Fatal(err)
		}
		for w.store.Work(workPerStep) {
		}
	})
}

// The keys of a range of 10,000 were written one after the other, or at random.
func BenchmarkRange(b *testing.B) {
	w := newBench(b, 100_000)
	for i := range 10_000 {
		w.putKey(fmt.Appendf(nil, "ordered/%05d", i))
		w.bulk(b)
	}
	for _, i := range w.random.Perm(10_000) {
		for range 9 {
			w.putKey(w.anyKey())
		}
		w.putKey(fmt.Appendf(nil, "random/%05d", i))
		w.bulk(b)
	}
	for range 100_000 {
		w.putKey(w.anyKey())
		w.bulk(b)
	}
	v := w.store.View()
	for _, kind := range []string{"ordered", "random"} {
		o := RangeOptions{Key: []byte(kind + "/"), End: []byte(kind + "0")}
		measure(b, kind, func(b *testing.B) { w.read(b, v, o, 10_000) })
		o.KeysOnly = true
		measure(b, kind+"KeysOnly", func(b *testing.B) { w.read(b, v, o, 10_000) })
	}
}
