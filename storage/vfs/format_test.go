package vfs_test

import (
	"errors"
	"testing"

	"detcd/storage/vfs"
)

func TestThePreambleTellsNewerFromDamaged(t *testing.T) {
	file := vfs.AppendPreamble(nil, "detcdXYZ", 2)
	if len(file) != vfs.PreambleSize {
		t.Fatalf("%d bytes", len(file))
	}
	must(t, vfs.CheckPreamble("f", file, "detcdXYZ", 2))
	must(t, vfs.CheckPreamble("f", file, "detcdXYZ", 3))
	var newer *vfs.VersionError
	if err := vfs.CheckPreamble("f", file, "detcdXYZ", 1); !errors.As(err, &newer) {
		t.Error(err)
	}
	want := "f: the file has format version 2, this program reads up to version 1"
	if newer.Error() != want {
		t.Errorf("%v, want %s", newer, want)
	}
	var damaged *vfs.CorruptionError
	none := vfs.AppendPreamble(nil, "detcdXYZ", 0)
	if err := vfs.CheckPreamble("f", none, "detcdXYZ", 2); !errors.As(err, &damaged) {
		t.Errorf("version 0: %v", err)
	}
	for bit := range 8 * len(file) {
		file[bit/8] ^= 1 << (bit % 8)
		var damaged *vfs.CorruptionError
		if err := vfs.CheckPreamble("f", file, "detcdXYZ", 2); !errors.As(err, &damaged) {
			t.Errorf("bit %d flipped: %v", bit, err)
		}
		file[bit/8] ^= 1 << (bit % 8)
	}
	for size := range file {
		var damaged *vfs.CorruptionError
		if err := vfs.CheckPreamble("f", file[:size], "detcdXYZ", 2); !errors.As(err, &damaged) {
			t.Errorf("cut to %d: %v", size, err)
		}
	}
}
