// Command runner explores the world that its argument gives, as JSON, and prints what it came to: a
// line that begins with the number of states, and the story where something does not hold. The
// tests build it without a rule of raft.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"detcd/sim/explore"
)

func main() {
	var o explore.Options
	if err := json.Unmarshal([]byte(os.Args[1]), &o); err != nil {
		panic(err)
	}
	r, err := explore.Run(o)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%d states, %s: %s\n", r.States, r.Path, r.Broken)
	if r.Broken != "" {
		lines, _, err := explore.Story(o, r.Path)
		fmt.Println(strings.Join(lines, "\n"), err)
	}
}
