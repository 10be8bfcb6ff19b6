package wal_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"detcd/storage/vfs"
	"detcd/storage/wal"
)

// TestOnlyTheLogThatWasWrittenIsOpened gives Open every log that is not the one of which a position
// was written down, and some that are.
func TestOnlyTheLogThatWasWrittenIsOpened(t *testing.T) {
	// write makes a log of so many records. From the other one on they are not those of the rest.
	write := func(records, other int) (*vfs.Memory, *wal.Log) {
		memory := vfs.NewMemory()
		log, _ := open(t, memory, 1)
		for i := range records {
			text := "record"
			if i >= other {
				text = "RECORD"
			}
			add(t, log, fmt.Sprintf("%s %d", text, i+1))
		}
		return memory, log
	}
	_, log := write(12, 12)
	passed := log.Position() // record 13 is the next
	for _, c := range []struct {
		name           string
		records, other int // as above
		from           wal.Sequence
		released       wal.Sequence
		cut            int // segments that are gone from the end
		reason         string
	}{
		{"the log itself", 12, 12, 1, 0, 0, ""},
		{"a longer one", 30, 30, 5, 0, 0, ""},
		{"one that went on differently later", 30, 14, 5, 0, 0, ""},
		{"one that has let go of the position", 30, 30, 29, 29, 0, ""},
		{"none", 0, 0, 1, 0, 0, "there is no log, and there was one"},
		{"an older one", 11, 11, 1, 0, 0,
			"the log ends before record 12, and was written up to record 12"},
		{"one without its last segments", 12, 12, 1, 0, 2, "it is an older copy, or has lost its end"},
		{"another one of the same length", 12, 0, 1, 0, 0, "it is another log"},
		{"a longer one that differs", 30, 11, 1, 0, 0, "it is another log"},
		{"the same, read from behind", 30, 11, 13, 0, 0, "it is another log"},
	} {
		memory, log := write(c.records, c.other)
		if c.name == "none" {
			memory = vfs.NewMemory()
			must(t, vfs.MakeDir(memory, dir))
		}
		must(t, log.Release(c.released))
		must(t, log.Close())
		names := segments(t, memory)
		for _, name := range names[len(names)-c.cut:] {
			must(t, memory.Remove(dir+"/"+name))
		}
		before := segments(t, memory)
		options := wal.Options{SegmentSize: small.SegmentSize, Passed: []wal.Position{{}, passed}}
		_, checkErr := wal.Check(memory, dir, options.Passed...)
		_, _, err := wal.Open(memory, dir, c.from, options)
		for _, err := range []error{checkErr, err} {
			if c.reason == "" && err != nil {
				t.Errorf("%s: %v", c.name, err)
			} else if c.reason != "" {
				var damaged *vfs.CorruptionError
				if !errors.As(err, &damaged) || !strings.Contains(damaged.Reason, c.reason) {
					t.Errorf("%s: %v, want damage: %s", c.name, err, c.reason)
				}
			}
		}
		if after := segments(t, memory); err != nil && !slices.Equal(before, after) {
			t.Errorf("%s: it was refused and changed: %q, then %q", c.name, before, after)
		}
	}
}

func TestReadChangesNothing(t *testing.T) {
	memory := vfs.NewMemory()
	records, err := wal.Read(memory, dir)
	if _, listErr := memory.List("."); err != nil || records != nil || listErr != nil {
		t.Errorf("of nothing: %v, %v", records, err)
	}
	if names, _ := memory.List("."); len(names) > 0 {
		t.Errorf("it made %q", names)
	}
	log, _ := open(t, memory, 1)
	for range 9 {
		add(t, log, "a", "b")
	}
	must(t, log.Release(8))
	records, err = wal.Read(memory, dir)
	if err != nil || len(records) < 10 || records[len(records)-1].Sequence != 18 {
		t.Errorf("%s, %v", show(records), err)
	}
}
