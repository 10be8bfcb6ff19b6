package vfstest

import (
	"bytes"
	"errors"
	"io"
	iofs "io/fs"
	"path"
	"slices"
	"testing"

	"detcd/storage/vfs"
)

// Run tests that an FS keeps the contract of vfs.FS and vfs.File. Each part gets a new, empty FS.
func Run(t *testing.T, make func(t *testing.T) vfs.FS) {
	parts := []struct {
		name string
		test func(t *testing.T, fs vfs.FS)
	}{
		{"a new file is empty and can be opened by its name", newFile},
		{"Create refuses a name that is taken", createTaken},
		{"what is missing is ErrNotExist", missing},
		{"names outside of the root are refused", invalidNames},
		{"reads and writes meet at their offsets", readWrite},
		{"a write beyond the end leaves zeros between", writeBeyond},
		{"Truncate cuts, and lengthens with zeros", truncate},
		{"Allocate lengthens with zeros and never shortens", allocate},
		{"Rename replaces, and stays in its directory", rename},
		{"a handle outlives its name", handleOutlives},
		{"a closed handle is refused", closed},
		{"List is sorted and holds files and directories", list},
		{"MkdirAll may be repeated", mkdirAll},
		{"MakeDir makes what MkdirAll does", makeDir},
		{"a directory is not a file", notAFile},
		{"negative offsets are refused", negative},
	}
	for _, part := range parts {
		t.Run(part.name, func(t *testing.T) { part.test(t, make(t)) })
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func mustBe(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("the error is %v, want %v", err, want)
	}
}

func create(t *testing.T, fs vfs.FS, name, content string) vfs.File {
	t.Helper()
	file, err := fs.Create(name)
	must(t, err)
	_, err = file.WriteAt([]byte(content), 0)
	must(t, err)
	return file
}

func holds(t *testing.T, file vfs.File, want string) {
	t.Helper()
	size, err := file.Size()
	must(t, err)
	got := make([]byte, size)
	if n, err := file.ReadAt(got, 0); n != len(got) || (err != nil && err != io.EOF) {
		t.Fatalf("ReadAt: %d bytes, %v", n, err)
	}
	if string(got) != want {
		t.Fatalf("the file holds %q, want %q", got, want)
	}
}

func newFile(t *testing.T, fs vfs.FS) {
	file := create(t, fs, "f", "")
	holds(t, file, "")
	must(t, file.Sync())
	must(t, file.Close())
	file, err := fs.Open("f")
	must(t, err)
	holds(t, file, "")
	_, err = file.WriteAt([]byte("x"), 0)
	must(t, err)
	must(t, file.Close())
	must(t, fs.SyncDir("."))
	holdsNamed(t, fs, "f", "x")
}

func holdsNamed(t *testing.T, fs vfs.FS, name, want string) {
	t.Helper()
	file, err := fs.Open(name)
	must(t, err)
	holds(t, file, want)
	must(t, file.Close())
}

func createTaken(t *testing.T, fs vfs.FS) {
	must(t, create(t, fs, "f", "old").Close())
	_, err := fs.Create("f")
	mustBe(t, err, iofs.ErrExist)
	must(t, fs.MkdirAll("d"))
	_, err = fs.Create("d")
	mustBe(t, err, iofs.ErrExist)
	holdsNamed(t, fs, "f", "old")
}

func missing(t *testing.T, fs vfs.FS) {
	_, err := fs.Open("f")
	mustBe(t, err, iofs.ErrNotExist)
	_, err = fs.Create("d/f")
	mustBe(t, err, iofs.ErrNotExist)
	mustBe(t, fs.Remove("f"), iofs.ErrNotExist)
	mustBe(t, fs.Rename("f", "g"), iofs.ErrNotExist)
	mustBe(t, fs.SyncDir("d"), iofs.ErrNotExist)
	_, err = fs.List("d")
	mustBe(t, err, iofs.ErrNotExist)
}

func invalidNames(t *testing.T, fs vfs.FS) {
	must(t, create(t, fs, "f", "").Close())
	for _, name := range []string{"", "../f", "/f", "a/../f", "f/", "./f"} {
		_, err := fs.Open(name)
		mustBe(t, err, iofs.ErrInvalid)
		_, err = fs.Create(name)
		mustBe(t, err, iofs.ErrInvalid)
		mustBe(t, fs.Remove(name), iofs.ErrInvalid)
		mustBe(t, fs.Rename(name, "g"), iofs.ErrInvalid)
		mustBe(t, fs.Rename("f", name), iofs.ErrInvalid)
		mustBe(t, fs.MkdirAll(name), iofs.ErrInvalid)
	}
}

func readWrite(t *testing.T, fs vfs.FS) {
	file := create(t, fs, "f", "0123456789")
	_, err := file.WriteAt([]byte("ab"), 3)
	must(t, err)
	holds(t, file, "012ab56789")
	part := make([]byte, 4)
	if n, err := file.ReadAt(part, 2); n != 4 || err != nil || string(part) != "2ab5" {
		t.Fatalf("ReadAt: %d, %v, %q", n, err, part)
	}
	if n, err := file.ReadAt(part, 8); n != 2 || err != io.EOF || string(part[:2]) != "89" {
		t.Fatalf("ReadAt over the end: %d, %v, %q", n, err, part)
	}
	if n, err := file.ReadAt(part, 99); n != 0 || err != io.EOF {
		t.Fatalf("ReadAt behind the end: %d, %v", n, err)
	}
	large := bytes.Repeat([]byte("0123456789abcdef"), 1000)
	_, err = file.WriteAt(large, 5)
	must(t, err)
	holds(t, file, "012ab"+string(large))
	must(t, file.Close())
}

func writeBeyond(t *testing.T, fs vfs.FS) {
	file := create(t, fs, "f", "ab")
	_, err := file.WriteAt([]byte("cd"), 5000)
	must(t, err)
	holds(t, file, "ab"+string(make([]byte, 4998))+"cd")
	must(t, file.Close())
}

func truncate(t *testing.T, fs vfs.FS) {
	file := create(t, fs, "f", "0123456789")
	must(t, file.Truncate(4))
	holds(t, file, "0123")
	must(t, file.Truncate(9000))
	holds(t, file, "0123"+string(make([]byte, 8996)))
	must(t, file.Truncate(0))
	holds(t, file, "")
	_, err := file.WriteAt([]byte("x"), 3)
	must(t, err)
	holds(t, file, "\x00\x00\x00x")
	must(t, file.Close())
}

func allocate(t *testing.T, fs vfs.FS) {
	file := create(t, fs, "f", "abc")
	must(t, file.Allocate(10_000))
	holds(t, file, "abc"+string(make([]byte, 9997)))
	must(t, file.Allocate(2))
	must(t, file.Sync())
	holds(t, file, "abc"+string(make([]byte, 9997)))
	must(t, file.Close())
}

func rename(t *testing.T, fs vfs.FS) {
	must(t, fs.MkdirAll("d"))
	must(t, create(t, fs, "d/a", "new").Close())
	must(t, create(t, fs, "d/b", "old").Close())
	must(t, fs.Rename("d/a", "d/b"))
	must(t, fs.SyncDir("d"))
	holdsNamed(t, fs, "d/b", "new")
	_, err := fs.Open("d/a")
	mustBe(t, err, iofs.ErrNotExist)
	must(t, fs.Rename("d/b", "d/b"))
	holdsNamed(t, fs, "d/b", "new")
	mustBe(t, fs.Rename("d/b", "b"), iofs.ErrInvalid)
}

func handleOutlives(t *testing.T, fs vfs.FS) {
	removed, replaced := create(t, fs, "a", "removed"), create(t, fs, "b", "replaced")
	must(t, fs.Remove("a"))
	must(t, create(t, fs, "a", "other").Close())
	must(t, create(t, fs, "c", "new").Close())
	must(t, fs.Rename("c", "b"))
	holds(t, removed, "removed")
	holds(t, replaced, "replaced")
	_, err := removed.WriteAt([]byte("R"), 0)
	must(t, err)
	holds(t, removed, "Removed")
	holdsNamed(t, fs, "a", "other")
	must(t, errors.Join(removed.Close(), replaced.Close()))
}

func closed(t *testing.T, fs vfs.FS) {
	file := create(t, fs, "f", "abc")
	must(t, file.Close())
	_, err := file.ReadAt(make([]byte, 1), 0)
	mustBe(t, err, iofs.ErrClosed)
	_, err = file.WriteAt(make([]byte, 1), 0)
	mustBe(t, err, iofs.ErrClosed)
	mustBe(t, file.Sync(), iofs.ErrClosed)
	mustBe(t, file.Truncate(1), iofs.ErrClosed)
	mustBe(t, file.Allocate(1), iofs.ErrClosed)
	_, err = file.Size()
	mustBe(t, err, iofs.ErrClosed)
	mustBe(t, file.Close(), iofs.ErrClosed)
}

func list(t *testing.T, fs vfs.FS) {
	names, err := fs.List(".")
	must(t, err)
	if len(names) != 0 {
		t.Fatalf("a new FS holds %q", names)
	}
	must(t, fs.MkdirAll("d/e"))
	must(t, fs.MkdirAll("many"))
	for _, name := range []string{"d/z", "d/a", "f", "d/e/x"} {
		must(t, create(t, fs, name, "").Close())
	}
	var many []string
	for i := range 26 {
		many = append(many, string(rune('a'+i)))
		must(t, create(t, fs, "many/"+string(rune('a'+i*15%26)), "").Close())
	}
	must(t, fs.Remove("d/z"))
	lists := []struct {
		dir  string
		want []string
	}{
		{".", []string{"d", "f", "many"}}, {"d", []string{"a", "e"}}, {"d/e", []string{"x"}},
		{"many", many},
	}
	for _, list := range lists {
		names, err := fs.List(list.dir)
		must(t, err)
		if !slices.Equal(names, list.want) {
			t.Fatalf("List(%q) is %q, want %q", list.dir, names, list.want)
		}
	}
}

func mkdirAll(t *testing.T, fs vfs.FS) {
	must(t, fs.MkdirAll("a/b/c"))
	must(t, create(t, fs, "a/b/c/f", "abc").Close())
	must(t, fs.MkdirAll("a/b/c"))
	must(t, fs.MkdirAll("a/b/d"))
	must(t, fs.MkdirAll("."))
	holdsNamed(t, fs, "a/b/c/f", "abc")
	if err := fs.MkdirAll("a/b/c/f"); err == nil {
		t.Fatal("MkdirAll made a directory of a file")
	}
}

func makeDir(t *testing.T, fs vfs.FS) {
	for _, dir := range []string{".", "a", "a/b/c", "a/b", "a/d"} {
		must(t, vfs.MakeDir(fs, dir))
		must(t, create(t, fs, path.Join(dir, "f"), "abc").Close())
	}
	holdsNamed(t, fs, "a/b/c/f", "abc")
	mustBe(t, vfs.MakeDir(fs, "../a"), iofs.ErrInvalid)
	if err := vfs.MakeDir(fs, "a/f/g"); err == nil {
		t.Fatal("MakeDir made a directory below a file")
	}
}

func notAFile(t *testing.T, fs vfs.FS) {
	must(t, fs.MkdirAll("d/e"))
	must(t, create(t, fs, "f", "abc").Close())
	if err := fs.Rename("f", "d"); err == nil {
		t.Fatal("a file replaced a directory")
	}
	if _, err := fs.List("f"); err == nil {
		t.Fatal("a file was listed")
	}
	names, err := fs.List("d")
	must(t, err)
	if !slices.Equal(names, []string{"e"}) {
		t.Fatalf("List is %q", names)
	}
}

func negative(t *testing.T, fs vfs.FS) {
	file := create(t, fs, "f", "abc")
	if _, err := file.ReadAt(make([]byte, 1), -1); err == nil {
		t.Error("ReadAt")
	}
	if _, err := file.WriteAt(make([]byte, 1), -1); err == nil {
		t.Error("WriteAt")
	}
	if err := file.Truncate(-1); err == nil {
		t.Error("Truncate")
	}
	if err := file.Allocate(-1); err == nil {
		t.Error("Allocate")
	}
	must(t, file.Close())
}
