package vfs

import "fmt"

// Kind is what an operation does.
type Kind int

// The kinds of operations. Those from Write on change something.
const (
	Open Kind = iota
	List
	Read
	Size
	Write
	Sync
	Truncate
	Allocate
	Create
	Remove
	Rename
	MkdirAll
	SyncDir
)

// String returns the name of the method.
func (k Kind) String() string {
	names := [...]string{"Open", "List", "Read", "Size", "Write", "Sync", "Truncate", "Allocate",
		"Create", "Remove", "Rename", "MkdirAll", "SyncDir"}
	if k < 0 || int(k) >= len(names) {
		return fmt.Sprintf("Kind(%d)", int(k))
	}
	return names[k]
}

// Changes says whether an operation of this kind changes anything, or makes a change durable.
func (k Kind) Changes() bool { return k >= Write }

// Op is one operation that is about to happen.
type Op struct {
	Kind   Kind
	Name   string // of the file or directory; the old name of a Rename
	Offset int64  // of a Read or Write; the size of a Truncate or Allocate
	Length int    // of a Read or Write
}

// String reads as in "Write wal/0001 48+300".
func (o Op) String() string {
	return fmt.Sprintf("%v %s %d+%d", o.Kind, o.Name, o.Offset, o.Length)
}

// Verdict is what becomes of an operation. The zero Verdict lets it happen.
type Verdict struct {
	// Err is the answer; unless it is nil the operation does not happen.
	Err error
	// Partial is how many bytes of a Write happen although Err is not nil.
	Partial int
	// Lie skips the operation and answers that it happened, as a device does that loses a write or
	// ignores a sync. It holds for the kinds that return nothing but an error, and Write.
	Lie bool
	// Shift is added to the offset of a Read or Write, as by a device that picks the wrong sector.
	Shift int64
	// Edit changes the bytes that a Read returns, or a copy of those that a Write gets.
	Edit func(data []byte)
}

// Wrap returns fs with a judge that decides what becomes of each operation just before it happens.
// The judge may also take its time: it is called by the goroutine of the operation.
func Wrap(fs FS, judge func(Op) Verdict) FS {
	return &judgedFS{fs, judge}
}

type judgedFS struct {
	fs    FS
	judge func(Op) Verdict
}

// skips says whether an operation that only returns an error does not happen, and what it returns.
func (j *judgedFS) skips(op Op) (bool, error) {
	v := j.judge(op)
	return v.Err != nil || v.Lie, v.Err
}

func (j *judgedFS) open(op Op, real func(string) (File, error)) (File, error) {
	if v := j.judge(op); v.Err != nil {
		return nil, v.Err
	}
	file, err := real(op.Name)
	if err != nil {
		return nil, err
	}
	return &judgedFile{file, op.Name, j}, nil
}

func (j *judgedFS) Create(name string) (File, error) {
	return j.open(Op{Kind: Create, Name: name}, j.fs.Create)
}

func (j *judgedFS) Open(name string) (File, error) {
	return j.open(Op{Kind: Open, Name: name}, j.fs.Open)
}

func (j *judgedFS) Remove(name string) error {
	if skip, err := j.skips(Op{Kind: Remove, Name: name}); skip {
		return err
	}
	return j.fs.Remove(name)
}

func (j *judgedFS) Rename(oldName, newName string) error {
	if skip, err := j.skips(Op{Kind: Rename, Name: oldName}); skip {
		return err
	}
	return j.fs.Rename(oldName, newName)
}

func (j *judgedFS) List(dir string) ([]string, error) {
	if v := j.judge(Op{Kind: List, Name: dir}); v.Err != nil {
		return nil, v.Err
	}
	return j.fs.List(dir)
}

func (j *judgedFS) MkdirAll(dir string) error {
	if skip, err := j.skips(Op{Kind: MkdirAll, Name: dir}); skip {
		return err
	}
	return j.fs.MkdirAll(dir)
}

func (j *judgedFS) SyncDir(dir string) error {
	if skip, err := j.skips(Op{Kind: SyncDir, Name: dir}); skip {
		return err
	}
	return j.fs.SyncDir(dir)
}

type judgedFile struct {
	file File
	name string
	fs   *judgedFS
}

func (f *judgedFile) ReadAt(p []byte, offset int64) (int, error) {
	v := f.fs.judge(Op{Kind: Read, Name: f.name, Offset: offset, Length: len(p)})
	if v.Err != nil {
		return 0, v.Err
	}
	n, err := f.file.ReadAt(p, offset+v.Shift)
	if v.Edit != nil {
		v.Edit(p[:n])
	}
	return n, err
}

func (f *judgedFile) WriteAt(p []byte, offset int64) (int, error) {
	v := f.fs.judge(Op{Kind: Write, Name: f.name, Offset: offset, Length: len(p)})
	switch {
	case v.Lie:
		return len(p), nil
	case v.Err != nil && v.Partial == 0:
		return 0, v.Err
	case v.Err != nil:
		p = p[:min(len(p), v.Partial)]
	}
	if v.Edit != nil {
		p = append([]byte(nil), p...)
		v.Edit(p)
	}
	n, err := f.file.WriteAt(p, offset+v.Shift)
	if v.Err != nil {
		return n, v.Err
	}
	return n, err
}

func (f *judgedFile) Sync() error {
	if skip, err := f.fs.skips(Op{Kind: Sync, Name: f.name}); skip {
		return err
	}
	return f.file.Sync()
}

func (f *judgedFile) Truncate(size int64) error {
	if skip, err := f.fs.skips(Op{Kind: Truncate, Name: f.name, Offset: size}); skip {
		return err
	}
	return f.file.Truncate(size)
}

func (f *judgedFile) Allocate(size int64) error {
	if skip, err := f.fs.skips(Op{Kind: Allocate, Name: f.name, Offset: size}); skip {
		return err
	}
	return f.file.Allocate(size)
}

func (f *judgedFile) Size() (int64, error) {
	if v := f.fs.judge(Op{Kind: Size, Name: f.name}); v.Err != nil {
		return 0, v.Err
	}
	return f.file.Size()
}

func (f *judgedFile) Close() error { return f.file.Close() }
