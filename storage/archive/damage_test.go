package archive

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"detcd/storage/vfs"
)

// small is an archive of three files: a merged one, one as it was sealed, and an unsealed one.
type small struct {
	fs       *vfs.Memory
	segments []Segment
	records  []Record
}

func newSmall(t testing.TB) *small {
	t.Helper()
	w := newWorld(Options{SegmentSize: 100, FlushSize: 1}, 1, t.Fatalf)
	w.calm = true
	for i := range 9 {
		w.append(uint64(i%3), i%4, 20+i)
	}
	for i := range 3 {
		w.kill(i)
	}
	w.settle()
	s := &small{fs: w.memory, segments: w.durable.segments, records: w.durable.records}
	if len(s.segments) != 3 || s.segments[2].Sealed || len(s.records) != 6 {
		t.Fatalf("the small archive has %+v and %d records", s.segments, len(s.records))
	}
	return s
}

func (s *small) file(t testing.TB, i int) (vfs.File, []byte) {
	t.Helper()
	file, err := s.fs.Open("archive/" + s.segments[i].Name)
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, s.segments[i].Length)
	if _, err := file.ReadAt(data, 0); err != nil {
		t.Fatal(err)
	}
	return file, data
}

func (s *small) open() (*Archive, error) {
	return Open(s.fs, "archive", s.segments, Options{}, func(ID, []byte, int) error { return nil })
}

// read opens the archive and reads all of it. What it returns before an error must be right.
func (s *small) read(t *testing.T) error {
	a, err := s.open()
	if err != nil {
		return err
	}
	view, i := a.View(), 0
	scanned := view.Scan(ID{}, ID{Major: 1 << 40}, func(r Record) bool {
		if i == len(s.records) || !equal([]Record{r}, s.records[i:i+1]) {
			t.Errorf("scan: record %d is silently wrong: %v %q %q", i, r.ID, r.Head, r.Body)
		}
		i++
		return true
	})
	var failed error
	for _, want := range s.records {
		r, err := view.Get(want.ID)
		if err != nil {
			failed = err
		} else if !equal([]Record{r}, []Record{want}) {
			t.Errorf("get: %v is silently wrong: %q %q", want.ID, r.Head, r.Body)
		}
	}
	if (scanned == nil) != (failed == nil) {
		t.Errorf("scan says %v, get says %v", scanned, failed)
	}
	if scanned == nil && i != len(s.records) {
		t.Errorf("scan silently ended at record %d", i)
	}
	return scanned
}

// mustRefuse says that both Check and a reader notice the damage and name the file.
func (s *small) mustRefuse(t *testing.T, file string) {
	t.Helper()
	_, checked := Check(s.fs, "archive", s.segments)
	for _, err := range []error{checked, s.read(t)} {
		var damage *vfs.CorruptionError
		if !errors.As(err, &damage) || damage.File != "archive/"+file {
			t.Errorf("got %v, want a CorruptionError of %s", err, file)
		}
	}
}

func TestEveryFlippedBitIsNoticedByCheckAndByReaders(t *testing.T) {
	s := newSmall(t)
	if err := s.read(t); err != nil {
		t.Fatal(err)
	}
	for k := range s.segments {
		file, data := s.file(t, k)
		for i := range data {
			for bit := range 8 {
				name := fmt.Sprintf("file %d byte %d bit %d", k, i, bit)
				flipped := []byte{data[i] ^ 1<<bit}
				if _, err := file.WriteAt(flipped, int64(i)); err != nil {
					t.Fatal(err)
				}
				s.mustRefuse(t, s.segments[k].Name)
				if t.Failed() {
					t.Fatal(name)
				}
			}
			if _, err := file.WriteAt(data[i:i+1], int64(i)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestEveryTruncationIsNoticed(t *testing.T) {
	for k := range newSmall(t).segments {
		s := newSmall(t)
		file, data := s.file(t, k)
		for size := len(data) - 1; size >= 0; size-- {
			if err := file.Truncate(int64(size)); err != nil {
				t.Fatal(err)
			}
			s.mustRefuse(t, s.segments[k].Name)
			if t.Failed() {
				t.Fatalf("file %d cut to %d bytes", k, size)
			}
		}
	}
}

func TestDamageChangesNothing(t *testing.T) {
	s := newSmall(t)
	file, data := s.file(t, 0)
	if _, err := file.WriteAt([]byte{data[20] ^ 1}, int64(len(data)-1)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.fs.Create("archive/s00000000000000ff.seg"); err != nil {
		t.Fatal(err)
	}
	unsealed, _ := s.file(t, 2)
	if _, err := unsealed.WriteAt(make([]byte, 99), s.segments[2].Length); err != nil {
		t.Fatal(err)
	}
	s.mustRefuse(t, s.segments[0].Name)
	if names, _ := s.fs.List("archive"); len(names) != 4 {
		t.Errorf("the directory has %q", names)
	}
	if size, _ := unsealed.Size(); size != s.segments[2].Length+99 {
		t.Errorf("the unsealed segment was cut to %d", size)
	}
}

func TestFilesThatAreNotTheNamedOnesAreRefused(t *testing.T) {
	cases := map[string]func(s *small) (file int){
		"a sealed file is longer": func(s *small) int {
			file, data := s.file(t, 1)
			if _, err := file.WriteAt([]byte{0}, int64(len(data))); err != nil {
				t.Fatal(err)
			}
			return 1
		},
		"a file is missing": func(s *small) int {
			if err := s.fs.Remove("archive/" + s.segments[1].Name); err != nil {
				t.Fatal(err)
			}
			return 1
		},
		"two files changed places, and their names in the list": func(s *small) int {
			s.segments[0], s.segments[1] = s.segments[1], s.segments[0]
			return 1
		},
		"the unsealed file has another history": func(s *small) int {
			s.segments[2].Checksum++
			return 2
		},
		"the unsealed file is named up to the middle of a record": func(s *small) int {
			s.segments[2].Length--
			return 2
		},
		"a sealed file has another checksum": func(s *small) int {
			s.segments[0].Checksum++
			return 0
		},
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			s := newSmall(t)
			i := change(s)
			s.mustRefuse(t, s.segments[i].Name)
		})
	}
}

func TestSwappedContentsAreRefused(t *testing.T) {
	s := newSmall(t)
	one, other := "archive/"+s.segments[0].Name, "archive/"+s.segments[1].Name
	for _, names := range [][2]string{{one, "archive/x"}, {other, one}, {"archive/x", other}} {
		if err := s.fs.Rename(names[0], names[1]); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.open(); err == nil {
		t.Error("opened")
	}
}

func TestANewerFormatIsRefusedClearly(t *testing.T) {
	s := newSmall(t)
	newer := header()
	newer[8]++
	newer = append(newer[:12], le32(checksum(newer[:12]))...)
	for k := range s.segments {
		file, data := s.file(t, k)
		if _, err := file.WriteAt(newer, 0); err != nil {
			t.Fatal(err)
		}
		_, err := s.open()
		_, checked := Check(s.fs, "archive", s.segments)
		if !errors.Is(err, ErrVersion) || !errors.Is(checked, ErrVersion) {
			t.Errorf("open says %v, check says %v", err, checked)
		}
		if _, err := file.WriteAt(data[:headerSize], 0); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAnUnsealedSegmentMustBeTheLast(t *testing.T) {
	s := newSmall(t)
	_, data := s.file(t, 1)
	last := cutTrailer(data[len(data)-trailerSize:])
	s.segments[1].Sealed = false // as it was before it was sealed
	s.segments[1].Length -= int64(last.entries) + trailerSize
	s.segments[1].Checksum = last.chain
	if _, err := s.open(); err == nil {
		t.Error("opened")
	}
	if _, err := Check(s.fs, "archive", s.segments); err == nil {
		t.Error("checked")
	}
}

func TestSegmentsInAnotherOrderAreNotAnArchive(t *testing.T) {
	s := newSmall(t)
	if err := CheckOrder(s.fs, "archive", s.segments); err != nil {
		t.Error(err)
	}
	swapped := slices.Clone(s.segments)
	swapped[0], swapped[1] = swapped[1], swapped[0]
	twice := slices.Insert(slices.Clone(s.segments), 1, s.segments[0])
	for _, list := range [][]Segment{swapped, twice} {
		var damage *vfs.CorruptionError
		if err := CheckOrder(s.fs, "archive", list); !errors.As(err, &damage) {
			t.Errorf("%v: %v", list, err)
		}
	}
}

func TestAnErrorOfTheCallbackEndsOpen(t *testing.T) {
	s := newSmall(t)
	enough := errors.New("enough")
	for limit := range s.records {
		n := 0
		_, err := Open(s.fs, "archive", s.segments, Options{}, func(ID, []byte, int) error {
			if n++; n > limit {
				return enough
			}
			return nil
		})
		if err != enough || n != limit+1 {
			t.Errorf("after %d records: %v", n, err)
		}
	}
}

// The checksum of a record does not help when it is right: a footer with another head is found too.
func TestCheckComparesTheHeadsOfTheFooter(t *testing.T) {
	s := newSmall(t)
	file, data := s.file(t, 1)
	last := cutTrailer(data[len(data)-trailerSize:])
	start := len(data) - trailerSize - int(last.entries)
	e := entries{rest: bytes.Clone(data[start : len(data)-trailerSize])}
	_, head, ok := e.next()
	for ; ok && len(head) == 0; _, head, ok = e.next() {
	}
	head[0] ^= 1
	at := start + bytes.Index(data[start:], append([]byte{head[0] ^ 1}, head[1:]...))
	data[at] = head[0]
	sum := checksum(data[start : len(data)-4])
	copy(data[len(data)-4:], le32(sum))
	s.segments[1].Checksum = sum
	if _, err := file.WriteAt(data, 0); err != nil {
		t.Fatal(err)
	}
	var damage *vfs.CorruptionError
	if _, err := Check(s.fs, "archive", s.segments); !errors.As(err, &damage) {
		t.Errorf("check says %v", err)
	}
}

func le32(x uint32) []byte {
	return []byte{byte(x), byte(x >> 8), byte(x >> 16), byte(x >> 24)}
}

// Whoever forges a footer, with right checksums, gets no wrong record out of it and no panic.
func TestForgedFootersAreRefused(t *testing.T) {
	type forged struct {
		id   ID
		head string
		body int
	}
	honest := []forged{{ID{Major: 5}, "head", 3}, {ID{Major: 6}, "", 8}}
	var data []byte
	for _, r := range honest {
		record := Record{r.id, []byte(r.head), make([]byte, r.body)}
		data = record.append(data)
	}
	cases := map[string]struct {
		entries []forged
		change  func(f *footer)
		opens   bool
	}{
		"a wrong number":       {honest, func(f *footer) { f.count++ }, false},
		"bytes behind":         {honest, func(f *footer) { f.bytes = append(f.bytes, 0) }, false},
		"an entry less":        {honest[:1], func(*footer) {}, false},
		"no entry":             {nil, func(*footer) {}, false},
		"another size":         {[]forged{honest[0], {honest[1].id, "", 9}}, func(*footer) {}, false},
		"another ID":           {[]forged{honest[0], {ID{Major: 7}, "", 8}}, func(*footer) {}, true},
		"the same ID twice":    {[]forged{honest[0], {ID{Major: 5}, "", 8}}, func(*footer) {}, false},
		"IDs that wrap around": {[]forged{honest[0], {ID{Major: 3}, "", 8}}, func(*footer) {}, false},
		"another head":         {[]forged{honest[0], {honest[1].id, "x", 7}}, func(*footer) {}, true},
		"another chain":        {honest, func(f *footer) { f.chain++ }, true},
		"a head that is cut":   {honest, func(f *footer) { f.bytes = f.bytes[:5] }, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := footer{}
			for _, e := range c.entries {
				f.add(Record{e.id, []byte(e.head), make([]byte, e.body)}, data)
			}
			c.change(&f)
			named := Segment{Name: "s.seg", Sealed: true, Checksum: f.finish()}
			whole := slices.Concat(header(), data, f.bytes)
			named.Length = int64(len(whole))
			fs := vfs.NewMemory()
			s := &small{fs: fs, segments: []Segment{named}}
			for _, r := range c.entries {
				s.records = append(s.records, Record{ID: r.id})
			}
			if err := errors.Join(fs.MkdirAll("archive"), put(fs, "archive/s.seg", whole)); err != nil {
				t.Fatal(err)
			}
			_, err := s.open()
			_, checked := Check(fs, "archive", s.segments)
			var damage *vfs.CorruptionError
			if !errors.As(checked, &damage) || (err == nil) != c.opens {
				t.Errorf("check says %v, open says %v", checked, err)
			}
			if !c.opens {
				return
			}
			r, err := view(t, s).Get(c.entries[1].id)
			right := r.ID == c.entries[1].id && r.ID == honest[1].id && len(r.Body) == 8
			if err != nil && !errors.As(err, &damage) || err == nil && !right {
				t.Errorf("get says %v, %v", r, err)
			}
		})
	}
}

func put(fs vfs.FS, name string, data []byte) error {
	file, err := fs.Create(name)
	if err != nil {
		return err
	}
	_, err = file.WriteAt(data, 0)
	return err
}

func view(t *testing.T, s *small) *View {
	t.Helper()
	a, err := s.open()
	if err != nil {
		t.Fatal(err)
	}
	return a.View()
}
