package archive

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"detcd/storage/vfs"
)

// fill appends records of 24 bytes of head and 256 of body, and executes all steps.
func fill(b *testing.B, fs vfs.FS, count int, options Options) *Archive {
	b.Helper()
	a, err := Open(fs, "archive", nil, options, nil)
	if err != nil {
		b.Fatal(err)
	}
	head, body := make([]byte, 24), make([]byte, 256)
	for i := range count {
		a.Append(ID{Major: uint64(i + 1)}, head, body)
		if i%1000 == 0 {
			work(b, fs, a)
		}
	}
	work(b, fs, a)
	return a
}

func work(b *testing.B, fs vfs.FS, a *Archive) {
	b.Helper()
	for s := a.Step(); s != nil; s = a.Step() {
		if err := Execute(fs, "archive", s); err != nil {
			b.Fatal(err)
		}
		a.Done(s)
	}
}

// saved flushes and returns what a checkpoint would name.
func saved(b *testing.B, fs vfs.FS, a *Archive) []Segment {
	b.Helper()
	segments, s := a.Flush()
	if err := Execute(fs, "archive", s); err != nil {
		b.Fatal(err)
	}
	a.Done(s)
	a.Saved(segments)
	return segments
}

func BenchmarkAppend(b *testing.B) {
	fs := vfs.NewMemory()
	a, err := Open(fs, "archive", nil, Options{}, nil)
	if err != nil {
		b.Fatal(err)
	}
	head, body := make([]byte, 24), make([]byte, 256)
	b.ReportAllocs()
	b.SetBytes(280)
	for i := range b.N {
		a.Append(ID{Major: uint64(i + 1)}, head, body)
		if i%50_000 == 0 { // so that memory stays bounded; the disk is not what is measured
			b.StopTimer()
			work(b, fs, a)
			b.StartTimer()
		}
	}
}

func BenchmarkView(b *testing.B) {
	a := fill(b, vfs.NewMemory(), 1000, Options{})
	b.ReportAllocs()
	var v *View
	for b.Loop() {
		v = a.View()
	}
	if v.parts() == 0 {
		b.Fatal("a view without parts")
	}
}

func BenchmarkGetOfTheTail(b *testing.B) {
	a := fill(b, vfs.NewMemory(), 40_000, Options{})
	v := a.View()
	random := rand.New(rand.NewPCG(1, 1))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Get(ID{Major: random.Uint64N(40_000) + 1}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGetOfSealed(b *testing.B) {
	const count = 500_000
	a := fill(b, vfs.OS(b.TempDir()), count, Options{})
	v := a.View()
	random := rand.New(rand.NewPCG(1, 1))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Get(ID{Major: random.Uint64N(count*9/10) + 1}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkScanOfSealed(b *testing.B) {
	const count = 200_000
	a := fill(b, vfs.OS(b.TempDir()), count, Options{SegmentSize: 4 << 20})
	v := a.View()
	for _, length := range []uint64{10, 1000, 100_000} {
		b.Run(fmt.Sprint(length, " records"), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(length) * 280)
			for b.Loop() {
				n := 0
				err := v.Scan(ID{Major: 7}, ID{Major: 7 + length}, func(Record) bool { n++; return true })
				if err != nil || n != int(length) {
					b.Fatal(n, err)
				}
			}
		})
	}
}

// BenchmarkOpen is a cold start of the archive: a million records, of which the footers are read.
func BenchmarkOpen(b *testing.B) {
	const count = 1_000_000
	fs := vfs.OS(b.TempDir())
	segments := saved(b, fs, fill(b, fs, count, Options{}))
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		_, err := Open(fs, "archive", segments, Options{},
			func(ID, []byte, int) error { n++; return nil })
		if err != nil || n != count {
			b.Fatal(n, err)
		}
	}
}

// BenchmarkMerge drops every second record of an archive; its bytes are those that were copied. The
// disk is memory: what is measured is the work of owner and executor.
func BenchmarkMerge(b *testing.B) {
	const count = 50_000
	for range b.N {
		b.StopTimer()
		fs := vfs.NewMemory()
		a := fill(b, fs, count, Options{SegmentSize: 4 << 20})
		for i := 0; i < count; i += 2 {
			a.Kill(ID{Major: uint64(i + 1)})
		}
		b.SetBytes(count / 2 * 290)
		b.StartTimer()
		start, steps, longest := time.Now(), 0, time.Duration(0)
		for s := a.Step(); s != nil; s = a.Step() {
			if err := Execute(fs, "archive", s); err != nil {
				b.Fatal(err)
			}
			begin := time.Now()
			a.Done(s)
			longest = max(longest, time.Since(begin))
			steps++
		}
		b.ReportMetric(float64(time.Since(start).Milliseconds())/float64(steps), "ms/step")
		b.ReportMetric(float64(longest.Microseconds()), "µs/longest-Done")
	}
}
