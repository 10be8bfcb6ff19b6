package vfstest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"detcd/storage/vfs"
)

// CrashEverywhere returns memory with a check that is called before each operation that changes
// something, with 1+choices images of what a crash at that moment would leave. The first image
// holds only what was synced. The caller calls done after the work, for the moment after the last
// operation; it returns the number of moments. A failure names the image by its moment and choice.
func CrashEverywhere(t *testing.T, memory *vfs.Memory, choices int,
	check func(t *testing.T, image *vfs.Memory)) (fs vfs.FS, done func() int) {
	moment := 0
	crash := func(op string) {
		t.Helper()
		for choice := range 1 + choices {
			var choose *rand.Rand
			if choice > 0 {
				choose = rand.New(rand.NewPCG(uint64(moment), uint64(choice)))
			}
			image := memory.CrashClone(choose)
			name := fmt.Sprintf("crash %d before %s, choice %d", moment, op, choice)
			guarded(t, name, func() { check(t, image) })
		}
		moment++
	}
	judge := func(op vfs.Op) vfs.Verdict {
		if op.Kind.Changes() {
			crash(op.String())
		}
		return vfs.Verdict{}
	}
	return vfs.Wrap(memory, judge), func() int { crash("the end"); return moment }
}

// EverySyncCounts tests that no sync of a directory is left out unnoticed, and so that none is
// missing from work. It runs the work again and again, each time without one of the syncs that make
// a new name durable, and fails unless intact then finds a loss in the image of a crash at some
// later moment. Intact knows from the work what was acknowledged. The work may end with syncs that
// nothing rests upon yet: spare says how many. It returns how many syncs were left out.
func EverySyncCounts(t *testing.T, spare int, start func() (
	work func(fs vfs.FS) error, intact func(image *vfs.Memory) error)) int {
	t.Helper()
	var unnoticed []string
	for n := 0; ; n++ {
		memory := vfs.NewMemory()
		work, intact := start()
		count, without, lost := 0, "", false
		look := func() {
			if without != "" && !lost {
				lost = intact(memory.CrashClone(nil)) != nil
			}
		}
		err := work(vfs.Wrap(memory, func(op vfs.Op) vfs.Verdict {
			if op.Kind.Changes() {
				look()
			}
			if op.Kind != vfs.SyncDir || !hasNewName(memory, op.Name) {
				return vfs.Verdict{}
			}
			count++
			if count != n+1 {
				return vfs.Verdict{}
			}
			without = fmt.Sprintf("sync %d, %s", n, op)
			return vfs.Verdict{Lie: true}
		}))
		if err != nil {
			t.Fatalf("the work, without %s: %v", without, err)
		}
		if look(); without == "" {
			if len(unnoticed) > spare {
				t.Errorf("left out unnoticed: %q", unnoticed)
			}
			return n
		}
		if !lost {
			unnoticed = append(unnoticed, without)
		}
	}
}

// hasNewName says whether a crash could take away a name of a directory.
func hasNewName(memory *vfs.Memory, dir string) bool {
	now, err := memory.List(dir)
	if err != nil {
		return false
	}
	synced, _ := memory.CrashClone(nil).List(dir) // nothing, when the directory itself is gone
	return slices.ContainsFunc(now, func(name string) bool { return !slices.Contains(synced, name) })
}

// guarded logs where a check was when it failed for the first time.
func guarded(t *testing.T, name string, check func()) {
	t.Helper()
	before := t.Failed()
	defer func() {
		if t.Failed() && !before {
			t.Errorf("the image was: %s", name)
		}
	}()
	check()
}

// ReadFile returns the content of a file.
func ReadFile(t *testing.T, fs vfs.FS, name string) []byte {
	t.Helper()
	file, err := fs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	size, err := file.Size()
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, size)
	if _, err := file.ReadAt(data, 0); err != nil && size > 0 {
		t.Fatal(err)
	}
	return data
}

// WriteFile makes a file have this content, durably.
func WriteFile(t *testing.T, fs vfs.FS, name string, data []byte) {
	t.Helper()
	file, err := fs.Open(name)
	if err != nil {
		file, err = fs.Create(name)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := file.Truncate(int64(len(data))); err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteAt(data, 0); err != nil {
		t.Fatal(err)
	}
	if err := file.Sync(); err != nil {
		t.Fatal(err)
	}
}
