package vfs_test

import (
	"fmt"
	"math/rand/v2"

	"detcd/storage/vfs"
)

// A file is created, synced, and written again. After a crash its name may be gone, for the
// directory was not synced, and the second write may be there or not; the first is there if the
// name is.
func ExampleMemory_CrashClone() {
	disk := vfs.NewMemory()
	file, err := disk.Create("a")
	if err != nil {
		panic(err)
	}
	file.WriteAt([]byte("one"), 0)
	file.Sync()
	file.WriteAt([]byte("two"), 3)

	seen := map[string]bool{}
	for seed := range uint64(100) {
		image := disk.CrashClone(rand.New(rand.NewPCG(seed, 0)))
		file, err := image.Open("a")
		if err != nil {
			seen["no file"] = true
			continue
		}
		content := make([]byte, 6)
		n, _ := file.ReadAt(content, 0)
		seen[fmt.Sprintf("%q", content[:n])] = true
	}
	fmt.Println(seen["no file"], seen[`"one"`], seen[`"onetw"`], seen[`"onetwo"`], seen[`"two"`])
	// Output: true true true true false
}
