package wal_test

import (
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"detcd/storage/vfs"
	"detcd/storage/vfs/vfstest"
	"detcd/storage/wal"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// TestTheFormatIsPinned compares the bytes of a small log with a golden file; docs/formats/wal.md
// explains them. If they must differ, the version of the format must too.
func TestTheFormatIsPinned(t *testing.T) {
	memory := vfs.NewMemory()
	log, _, err := wal.Open(memory, dir, 1, wal.Options{SegmentSize: 144})
	must(t, err)
	add(t, log, "hello", "world")
	add(t, log, "x")
	add(t, log, "the next segment")
	must(t, log.Close())
	var dump strings.Builder
	for _, base := range segments(t, memory) {
		content := vfstest.ReadFile(t, memory, dir+"/"+base)
		fmt.Fprintf(&dump, "%s\n%s", base, hex.Dump(content))
	}
	const golden = "testdata/segments.hex"
	if *rewrite {
		must(t, os.WriteFile(golden, []byte(dump.String()), 0o644))
	}
	want, err := os.ReadFile(golden)
	must(t, err)
	if dump.String() != string(want) {
		t.Errorf("the bytes are\n%s\nwant\n%s", dump.String(), want)
	}
	page, err := os.ReadFile("../../docs/formats/wal.md")
	must(t, err)
	for _, line := range strings.Split(dump.String(), "\n")[:18] {
		if !strings.Contains(string(page), line) {
			t.Errorf("docs/formats/wal.md does not show %s", line)
		}
	}
}
