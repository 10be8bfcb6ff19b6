package checkpoint_test

import (
	"fmt"

	"detcd/storage/checkpoint"
	"detcd/storage/vfs"
)

func Example() {
	disk := vfs.NewMemory()
	for i, state := range []string{"one", "two"} {
		if err := checkpoint.Save(disk, "checkpoint", uint64(i+1), []byte(state)); err != nil {
			panic(err)
		}
	}
	disk = disk.CrashClone(nil)
	number, state, err := checkpoint.Load(disk, "checkpoint")
	fmt.Println(number, string(state), err)
	// Output: 2 two <nil>
}
