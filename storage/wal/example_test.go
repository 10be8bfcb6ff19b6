package wal_test

import (
	"fmt"

	"detcd/storage/vfs"
	"detcd/storage/wal"
)

// A log is opened, appended to, and opened again after the power failed.
func Example() {
	disk := vfs.NewMemory()
	log, _, err := wal.Open(disk, "wal", 1, wal.Options{})
	if err != nil {
		panic(err)
	}
	if err := log.Append([][]byte{[]byte("a vote"), []byte("an entry")}); err != nil {
		panic(err)
	}

	disk = disk.CrashClone(nil) // what was not synced is gone
	_, recovery, err := wal.Open(disk, "wal", 1, wal.Options{})
	if err != nil {
		panic(err)
	}
	for _, record := range recovery.Records {
		fmt.Printf("%d: %s\n", record.Sequence, record.Data)
	}
	// Output:
	// 1: a vote
	// 2: an entry
}
