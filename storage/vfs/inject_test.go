package vfs_test

import (
	"errors"
	"fmt"
	"testing"

	"detcd/storage/vfs"
	"detcd/storage/vfs/vfstest"
)

var errJudged = errors.New("judged")

// on gives one verdict for one kind of operation.
func on(kind vfs.Kind, v vfs.Verdict) func(vfs.Op) vfs.Verdict {
	return func(op vfs.Op) vfs.Verdict {
		if op.Kind == kind {
			return v
		}
		return vfs.Verdict{}
	}
}

func TestTheJudgeSeesEveryOperationBeforeItHappens(t *testing.T) {
	var seen []string
	fs := vfs.Wrap(vfs.NewMemory(), func(op vfs.Op) vfs.Verdict {
		seen = append(seen, op.String())
		return vfs.Verdict{}
	})
	must(t, fs.MkdirAll("d"))
	vfstest.WriteFile(t, fs, "d/a", []byte("abc"))
	must(t, fs.Rename("d/a", "d/b"))
	must(t, fs.SyncDir("d"))
	vfstest.ReadFile(t, fs, "d/b")
	_, err := fs.List("d")
	must(t, err)
	must(t, fs.Remove("d/b"))
	got := fmt.Sprint(seen)
	want := "[MkdirAll d 0+0 Open d/a 0+0 Create d/a 0+0 Truncate d/a 3+0 Write d/a 0+3 " +
		"Sync d/a 0+0 Rename d/a 0+0 SyncDir d 0+0 Open d/b 0+0 Size d/b 0+0 Read d/b 0+3 " +
		"List d 0+0 Remove d/b 0+0]"
	if got != want {
		t.Errorf("seen\n%s\nwant\n%s", got, want)
	}
}

func TestAFailedOperationDoesNotHappen(t *testing.T) {
	one := make([]byte, 1)
	try := map[vfs.Kind]func(fs vfs.FS, f vfs.File) error{
		vfs.Open:     func(fs vfs.FS, _ vfs.File) error { _, err := fs.Open("a"); return err },
		vfs.List:     func(fs vfs.FS, _ vfs.File) error { _, err := fs.List("."); return err },
		vfs.Read:     func(_ vfs.FS, f vfs.File) error { _, err := f.ReadAt(one, 0); return err },
		vfs.Size:     func(_ vfs.FS, f vfs.File) error { _, err := f.Size(); return err },
		vfs.Write:    func(_ vfs.FS, f vfs.File) error { _, err := f.WriteAt(one, 0); return err },
		vfs.Sync:     func(_ vfs.FS, f vfs.File) error { return f.Sync() },
		vfs.Truncate: func(_ vfs.FS, f vfs.File) error { return f.Truncate(0) },
		vfs.Allocate: func(_ vfs.FS, f vfs.File) error { return f.Allocate(99) },
		vfs.Create:   func(fs vfs.FS, _ vfs.File) error { _, err := fs.Create("b"); return err },
		vfs.Remove:   func(fs vfs.FS, _ vfs.File) error { return fs.Remove("a") },
		vfs.Rename:   func(fs vfs.FS, _ vfs.File) error { return fs.Rename("a", "b") },
		vfs.MkdirAll: func(fs vfs.FS, _ vfs.File) error { return fs.MkdirAll("d") },
		vfs.SyncDir:  func(fs vfs.FS, _ vfs.File) error { return fs.SyncDir(".") },
	}
	for kind := vfs.Open; kind <= vfs.SyncDir; kind++ {
		memory := vfs.NewMemory()
		vfstest.WriteFile(t, memory, "a", []byte("abc"))
		armed := false
		fs := vfs.Wrap(memory, func(op vfs.Op) vfs.Verdict {
			if armed && op.Kind == kind {
				return vfs.Verdict{Err: errJudged}
			}
			return vfs.Verdict{}
		})
		file, err := fs.Open("a")
		must(t, err)
		armed = true
		if err := try[kind](fs, file); !errors.Is(err, errJudged) {
			t.Errorf("%v: %v", kind, err)
		}
		if got := names(t)(memory); got != "a=abc" {
			t.Errorf("%v happened: %s", kind, got)
		}
	}
}

func TestAWriteMayFailHalfway(t *testing.T) {
	memory := vfs.NewMemory()
	fs := vfs.Wrap(memory, on(vfs.Write, vfs.Verdict{Err: errJudged, Partial: 2}))
	file, err := fs.Create("a")
	must(t, err)
	if n, err := file.WriteAt([]byte("abc"), 0); n != 2 || !errors.Is(err, errJudged) {
		t.Errorf("%d, %v", n, err)
	}
	if got := names(t)(memory); got != "a=ab" {
		t.Error(got)
	}
}

func TestADeviceMayLie(t *testing.T) {
	memory := vfs.NewMemory()
	vfstest.WriteFile(t, vfs.Wrap(memory, on(vfs.Sync, vfs.Verdict{Lie: true})), "a", []byte("abc"))
	must(t, memory.SyncDir("."))
	if got := names(t)(memory.CrashClone(nil)); got != "a=" {
		t.Errorf("a lost sync: %s", got)
	}
	lost := on(vfs.Write, vfs.Verdict{Lie: true})
	vfstest.WriteFile(t, vfs.Wrap(memory, lost), "a", []byte("xyz"))
	if got := names(t)(memory); got != "a=abc" {
		t.Errorf("a lost write: %s", got)
	}
	shifted := on(vfs.Write, vfs.Verdict{Shift: 1})
	vfstest.WriteFile(t, vfs.Wrap(memory, shifted), "a", []byte("xyz"))
	if got := names(t)(memory); got != "a=axyz" {
		t.Errorf("a misdirected write: %s", got)
	}
	fs := vfs.Wrap(memory, on(vfs.Read, vfs.Verdict{Shift: -2}))
	file, err := fs.Open("a")
	must(t, err)
	read := make([]byte, 2)
	if _, err := file.ReadAt(read, 2); err != nil || string(read) != "ax" {
		t.Errorf("a misdirected read: %q, %v", read, err)
	}
	fs = vfs.Wrap(memory, on(vfs.Read, vfs.Verdict{Edit: func(data []byte) { data[0] ^= 1 }}))
	if got := string(vfstest.ReadFile(t, fs, "a")); got != "`xyz" {
		t.Errorf("a flipped bit: %s", got)
	}
	data := []byte("xyz")
	edit := vfs.Verdict{Edit: func(data []byte) { data[0] = '!' }}
	vfstest.WriteFile(t, vfs.Wrap(memory, on(vfs.Write, edit)), "a", data)
	if got := names(t)(memory); got != "a=!yz" || string(data) != "xyz" {
		t.Errorf("a changed write: %s %s", got, data)
	}
}
