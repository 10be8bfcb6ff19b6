package archive_test

import (
	"fmt"
	"log"

	"detcd/storage/archive"
	"detcd/storage/vfs"
)

// Records are appended, a checkpoint is made, and the archive is opened again from what it named.
func Example() {
	fs := vfs.NewMemory()
	none := func(archive.ID, []byte, int) error { return nil }
	a, err := archive.Open(fs, "archive", nil, archive.Options{}, none)
	if err != nil {
		log.Fatal(err)
	}
	a.Append(archive.ID{Major: 1}, []byte("key"), []byte("first"))
	a.Append(archive.ID{Major: 2}, []byte("key"), []byte("second"))

	segments, step := a.Flush()
	if err := archive.Execute(fs, "archive", step); err != nil {
		log.Fatal(err)
	}
	a.Done(step)
	// Here the owner saves segments in a checkpoint. When that is durable:
	a.Saved(segments)

	a.Append(archive.ID{Major: 3}, []byte("key"), []byte("lost"))
	tell := func(id archive.ID, head []byte, bodyLength int) error {
		fmt.Printf("%d: %s, %d bytes\n", id.Major, head, bodyLength)
		return nil
	}
	a, err = archive.Open(fs.CrashClone(nil), "archive", segments, archive.Options{}, tell)
	if err != nil {
		log.Fatal(err)
	}
	r, err := a.View().Get(archive.ID{Major: 2})
	fmt.Printf("%s %v\n", r.Body, err)

	// Output:
	// 1: key, 5 bytes
	// 2: key, 6 bytes
	// second <nil>
}
