package main

import (
	"path"
	"slices"
	"strings"
)

// topLevel is everything that may lie in the root. What git ignores is not looked at.
const topLevel = `
	consensus storage kv sim faults checker bench cmd docs deploy
	README.md CONTRIBUTING.md CHANGELOG.md LICENSE Makefile Dockerfile .dockerignore
	go.mod go.sum .ci .gitignore .gitattributes
`

// emptyNames say nothing of what a folder holds.
const emptyNames = `
	util utils common commons helper helpers base types internal pkg misc shared lib
`

// checkLayout reports entries of the root that the design does not know, and folders whose name
// says nothing.
func checkLayout(t *tree, report report) {
	for name := range t.names {
		if path.Dir(name) == "." && name != "." && !slices.Contains(strings.Fields(topLevel), name) {
			report(name, 0, "the design has no such entry in the root")
		}
		if slices.Contains(strings.Fields(emptyNames), path.Base(name)) {
			report(name, 0, "the name %s says nothing of what is inside", path.Base(name))
		}
	}
}
