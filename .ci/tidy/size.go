package main

import (
	"go/ast"
	"strings"
	"unicode/utf8"
)

// The sizes that fit a screen and a head.
const (
	functionLinesMax    = 70
	lineColumnsMax      = 100
	fileLinesMax        = 600
	structFieldsMax     = 20
	interfaceMethodsMax = 5
)

// The words that begin the line of a comment which states why a type is larger.
const (
	manyFields  = "Many fields:"
	manyMethods = "Many methods:"
)

// checkSize reports what does not fit. Generated files are as long as they are.
func checkSize(t *tree, report report) {
	for _, p := range t.packages {
		for _, file := range p.files {
			if file.generated {
				continue
			}
			checkLines(file, report)
			for _, declaration := range file.syntax.Decls {
				switch declaration := declaration.(type) {
				case *ast.FuncDecl:
					checkFunction(t, file, declaration, report)
				case *ast.GenDecl:
					checkTypes(t, file, declaration, report)
				}
			}
		}
	}
}

// checkLines reports long lines and long files. A tab is one column.
func checkLines(file *goFile, report report) {
	count := 0
	for line := range strings.Lines(string(file.source)) {
		count++
		columns := utf8.RuneCountInString(strings.TrimRight(line, "\n"))
		if columns > lineColumnsMax {
			report(file.path, count, "%d columns, at most %d", columns, lineColumnsMax)
		}
	}
	if count > fileLinesMax {
		report(file.path, 0, "%d lines, at most %d", count, fileLinesMax)
	}
}

// checkFunction reports a function that does not fit on a screen.
func checkFunction(t *tree, file *goFile, function *ast.FuncDecl, report report) {
	lines := t.line(function.End()) - t.line(function.Pos()) + 1
	if lines > functionLinesMax {
		report(file.path, t.line(function.Pos()), "%s has %d lines, at most %d",
			function.Name.Name, lines, functionLinesMax)
	}
}

// checkTypes reports structs and interfaces that are large without a stated reason.
func checkTypes(t *tree, file *goFile, declaration *ast.GenDecl, report report) {
	for _, spec := range declaration.Specs {
		spec, ok := spec.(*ast.TypeSpec)
		if !ok {
			continue
		}
		reason := declaration.Doc.Text() + "\n" + spec.Doc.Text()
		line := t.line(spec.Pos())
		switch kind := spec.Type.(type) {
		case *ast.StructType:
			if n := kind.Fields.NumFields(); n > structFieldsMax && !states(reason, manyFields) {
				report(file.path, line, "%s has %d fields, at most %d without a line %q",
					spec.Name.Name, n, structFieldsMax, manyFields)
			}
		case *ast.InterfaceType:
			n := kind.Methods.NumFields()
			if n > interfaceMethodsMax && !states(reason, manyMethods) {
				report(file.path, line, "%s has %d methods, at most %d without a line %q",
					spec.Name.Name, n, interfaceMethodsMax, manyMethods)
			}
		}
	}
}

// states tells whether a comment has a line that begins with the words and goes on.
func states(comment, words string) bool {
	for line := range strings.Lines(comment) {
		if reason, ok := strings.CutPrefix(line, words); ok && strings.TrimSpace(reason) != "" {
			return true
		}
	}
	return false
}
