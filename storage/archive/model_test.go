package archive

import (
	"testing"

	"pgregory.net/rapid"

	"detcd/storage/vfs"
)

func drawWorld(t *rapid.T) *world {
	return newWorld(Options{
		SegmentSize: rapid.Int64Range(1, 2000).Draw(t, "segment"),
		StepSize:    rapid.IntRange(1, 1000).Draw(t, "step"),
		FlushSize:   rapid.IntRange(1, 500).Draw(t, "flush"),
	}, rapid.Uint64().Draw(t, "seed"), t.Fatalf)
}

// actions are what may happen to a world, in any order.
func actions(w *world) map[string]func(*rapid.T) {
	jump := rapid.SampledFrom([]uint64{0, 0, 1, 1, 1, 7, 1 << 32, 3 << 40})
	return map[string]func(*rapid.T){
		"append": func(t *rapid.T) {
			for range rapid.IntRange(1, 20).Draw(t, "count") {
				w.append(jump.Draw(t, "jump"), rapid.IntRange(0, 30).Draw(t, "head"),
					rapid.IntRange(0, 300).Draw(t, "body"))
			}
		},
		"kill": func(t *rapid.T) {
			i := rapid.IntRange(0, 1<<20).Draw(t, "which")
			for k := range rapid.IntRange(1, 40).Draw(t, "count") {
				w.kill(i + k)
			}
		},
		"step":    func(*rapid.T) { w.take(false) },
		"execute": func(*rapid.T) { w.execute() },
		"steps": func(*rapid.T) {
			for range 10 {
				w.execute()
				w.take(false)
			}
		},
		"flush":      func(*rapid.T) { w.take(true) },
		"save":       func(*rapid.T) { w.save() },
		"tell":       func(*rapid.T) { w.tell() },
		"look":       func(t *rapid.T) { w.look(rapid.IntRange(0, 10).Draw(t, "moment")) },
		"full":       func(*rapid.T) { w.full = true },
		"defragment": func(*rapid.T) { w.archive.Defragment() },
		"crash":      func(*rapid.T) { w.crash() },
		"settle": func(t *rapid.T) {
			w.execute()
			w.save()
			if rapid.IntRange(0, 3).Draw(t, "really") == 0 {
				w.settle()
			}
		},
		"": func(t *rapid.T) {
			if err := w.valid(); err != nil {
				t.Fatal(err)
			}
		},
	}
}

// Whatever happens, the archive behaves as a sorted list; and at every write and every sync a crash
// would have left exactly what the last durable checkpoint named.
func TestArchiveIsASortedListThatCrashesSafely(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		t.Repeat(actions(w))
		w.execute()
		w.save()
		w.settle()
		w.crash()
	})
}

// When there is nothing left to do, the files are as few and as small as the living records allow.
func TestMergesBoundTheSegmentsByWhatIsAlive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		w.calm = true
		t.Repeat(actions(w))
		percent := rapid.IntRange(0, 99).Draw(t, "percent killed")
		for i := range w.records {
			if w.choose.IntN(100) < percent {
				w.kill(i)
			}
		}
		w.execute()
		w.save()
		w.settle()
		w.look(0)
		for i, s := range w.archive.sealed {
			if 2*s.dead.bytes >= s.table.data() {
				t.Fatalf("%s has %d dead of %d bytes", s.name, s.dead.bytes, s.table.data())
			}
			if i == 0 {
				continue
			}
			pair := w.archive.sealed[i-1 : i+1]
			if spanFits(pair) && pair[0].live()+pair[1].live() <= w.options.SegmentSize/2 {
				t.Fatalf("%s and %s could be one", pair[0].name, pair[1].name)
			}
		}
		stats := w.archive.Stats()
		names, err := w.memory.List("archive")
		if err != nil || len(names) != stats.Segments {
			t.Fatalf("%d files for %d segments: %v", len(names), stats.Segments, err)
		}
		if stats.Unwritten != 0 || stats.Records < len(w.durable.records) {
			t.Fatalf("all is written, yet the figures are %+v", stats)
		}
	})
}

// A merge copies at most what it frees, or takes a segment away: so the disk writes each byte about
// twice even when everything that is appended replaces something old at random.
func TestMergesCostAboutWhatWasAppended(t *testing.T) {
	w := newWorld(Options{SegmentSize: 16 << 10, StepSize: 4 << 10, FlushSize: 4 << 10}, 1, t.Fatalf)
	w.calm = true
	written, appended := 0, 0
	disk := w.disk
	w.disk = vfs.Wrap(disk, func(op vfs.Op) vfs.Verdict {
		if op.Kind == vfs.Write {
			written += op.Length
		}
		return vfs.Verdict{}
	})
	const keys, size = 2000, 100
	for i := range 40_000 {
		w.append(1, 8, size)
		appended += 8 + size
		if i < keys {
			continue
		}
		for !w.killAlive(w.choose.IntN(len(w.records))) {
		}
		if i%8 == 0 {
			w.take(false)
			w.execute()
		}
		if i%500 == 0 {
			w.take(true)
			w.execute()
			w.save()
			w.tell()
			w.forget()
		}
	}
	stats := w.archive.Stats()
	t.Logf("%d bytes appended, %d written; %+v", appended, written, stats)
	if written > 3*appended || stats.Disk > 3*stats.Live {
		t.Errorf("that is too much")
	}
}
