package main

import (
	"cmp"
	"fmt"
	"slices"
)

// A finding is one place where the tree breaks a rule.
type finding struct {
	file string
	line int // 0: the file as a whole
	rule string
	text string
}

// String is the form that editors jump to.
func (f finding) String() string {
	if f.line == 0 {
		return fmt.Sprintf("%s: %s: %s", f.file, f.rule, f.text)
	}
	return fmt.Sprintf("%s:%d: %s: %s", f.file, f.line, f.rule, f.text)
}

// A report takes one finding of the rule that is being checked.
type report func(file string, line int, format string, arguments ...any)

// A rule looks at the whole tree.
type rule struct {
	name  string
	check func(t *tree, report report)
}

// rules returns all there are, in the order of the style guide and the design.
func rules() []rule {
	return []rule{
		{"syntax", checkSyntax},
		{"gofmt", checkFormat},
		{"layout", checkLayout},
		{"floors", checkFloors},
		{"determinism", checkDeterminism},
		{"map-order", checkMapOrder},
		{"state", checkState},
		{"size", checkSize},
		{"module", checkModule},
		{"package-comment", checkPackageComments},
		{"comment", checkExportedComments},
		{"todo", checkTodo},
		{"dead-code", checkDeadCode},
		{"links", checkLinks},
	}
}

// judge applies every rule and sorts what they found by place.
func judge(t *tree) []finding {
	var findings []finding
	for _, r := range rules() {
		r.check(t, func(file string, line int, format string, arguments ...any) {
			text := fmt.Sprintf(format, arguments...)
			findings = append(findings, finding{file, line, r.name, text})
		})
	}
	slices.SortStableFunc(findings, func(a, b finding) int {
		return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.line, b.line))
	})
	return findings
}
