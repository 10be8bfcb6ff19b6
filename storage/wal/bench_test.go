package wal_test

import (
	"fmt"
	"testing"

	"detcd/storage/vfs"
	"detcd/storage/wal"
)

// BenchmarkAppend shows what a batch costs, in memory (the work of the log itself) and on a device
// (mostly the sync).
func BenchmarkAppend(b *testing.B) {
	for _, records := range []int{1, 16, 128} {
		batch := make([][]byte, records)
		for i := range batch {
			batch[i] = make([]byte, 300)
		}
		b.Run(fmt.Sprintf("memory/%dx300", records), func(b *testing.B) {
			benchmarkAppend(b, vfs.NewMemory(), batch)
		})
		b.Run(fmt.Sprintf("device/%dx300", records), func(b *testing.B) {
			benchmarkAppend(b, vfs.OS(b.TempDir()), batch)
		})
	}
}

func benchmarkAppend(b *testing.B, fs vfs.FS, batch [][]byte) {
	log, _, err := wal.Open(fs, "wal", 1, wal.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(300 * len(batch)))
	b.ReportAllocs()
	for b.Loop() {
		if err := log.Append(batch); err != nil {
			b.Fatal(err)
		}
		if err := log.Release(log.Next()); err != nil {
			b.Fatal(err)
		}
	}
	if err := log.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkSync is what the device makes of the same bytes without a log: written in place in a
// file that was written before.
func BenchmarkSync(b *testing.B) {
	for _, size := range []int{328, 4896, 38944} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			file, err := vfs.OS(b.TempDir()).Create("a")
			if err != nil {
				b.Fatal(err)
			}
			data := make([]byte, size)
			space := 32 << 20
			if _, err := file.WriteAt(make([]byte, space), 0); err != nil {
				b.Fatal(err)
			}
			if err := file.Sync(); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(size))
			for i := 0; b.Loop(); i++ {
				if _, err := file.WriteAt(data, int64(i*size%(space-size))); err != nil {
					b.Fatal(err)
				}
				if err := file.Sync(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkOpen reads a full segment of small batches and finds an empty spare.
func BenchmarkOpen(b *testing.B) {
	fs := vfs.OS(b.TempDir())
	log, _, err := wal.Open(fs, "wal", 1, wal.Options{})
	if err != nil {
		b.Fatal(err)
	}
	batch := make([][]byte, 128)
	for i := range batch {
		batch[i] = make([]byte, 300)
	}
	for range 1600 {
		if err := log.Append(batch); err != nil {
			b.Fatal(err)
		}
	}
	if err := log.Close(); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		log, _, err := wal.Open(fs, "wal", 1, wal.Options{})
		if err != nil {
			b.Fatal(err)
		}
		if err := log.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
