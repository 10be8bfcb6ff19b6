// Command tidy tests what a reviewer should not have to look for: that imports go to lower floors
// only, that deterministic packages are deterministic, that functions fit on a screen, that names
// are explained and links lead somewhere.
//
// It reads the tree below the current directory and prints one line for each finding:
//
//	kv/lease/lease.go:41: determinism: a select lets the scheduler choose
//
// Every rule is one function, listed in rules; testdata/refused holds at least one small tree that
// breaks it, testdata/accepted holds what looks like a breach and is none. The two tables that are
// policy are text, to be read from top to bottom: floorTable and deterministicTable. They are not
// changed to make a build pass.
package main

import (
	"fmt"
	"os"
)

func main() {
	findings, err := tidy(".")
	if err != nil {
		fmt.Fprintln(os.Stderr, "tidy:", err)
		os.Exit(2)
	}
	for _, found := range findings {
		fmt.Println(found)
	}
	if len(findings) > 0 {
		fmt.Fprintf(os.Stderr, "tidy: %d findings\n", len(findings))
		os.Exit(1)
	}
}

// tidy reads the tree at root and returns what its rules find there.
func tidy(root string) ([]finding, error) {
	tree, err := load(os.DirFS(root))
	if err != nil {
		return nil, err
	}
	exports, err := listExports(root, "./...")
	if err != nil {
		return nil, err
	}
	tree.resolve(exports)
	return judge(tree), nil
}
