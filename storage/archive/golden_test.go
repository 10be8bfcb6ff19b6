package archive

import (
	"encoding/hex"
	"flag"
	"os"
	"strings"
	"testing"

	"detcd/storage/vfs"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// The bytes of a segment never change within a version: a golden file shows them, and so does the
// page of the format.
func TestTheBytesOfASegmentAreThoseOfTheGoldenFile(t *testing.T) {
	const golden = "testdata/segment.hex"
	fs := vfs.NewMemory()
	a, err := Open(fs, "archive", nil, Options{SegmentSize: 43}, nil)
	if err != nil {
		t.Fatal(err)
	}
	a.Append(ID{Major: 7}, []byte("k"), []byte("hello"))
	a.Append(ID{Major: 7, Minor: 1}, []byte("key"), nil)
	a.Append(ID{Major: 300}, []byte("k"), []byte("good bye"))
	segments, step := a.Flush()
	if err := Execute(fs, "archive", step); err != nil {
		t.Fatal(err)
	}
	if len(segments) != 1 || !segments[0].Sealed {
		t.Fatalf("got %+v", segments)
	}
	s := &small{fs: fs, segments: segments}
	_, data := s.file(t, 0)
	dump := hex.Dump(data)
	if *rewrite {
		if err := os.WriteFile(golden, []byte(dump), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if dump != string(want) {
		t.Errorf("got\n%swant\n%s", dump, want)
	}
	page, err := os.ReadFile("../../docs/formats/archive.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), string(want)) {
		t.Errorf("docs/formats/archive.md does not show these bytes:\n%s", want)
	}
}
