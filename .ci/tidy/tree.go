package main

import (
	"bytes"
	"go/ast"
	"go/format"
	"go/parser"
	"go/scanner"
	"go/token"
	"go/types"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// A tree is everything that the rules look at, read once.
type tree struct {
	fset      *token.FileSet
	names     map[string]bool // every file and directory, by slash path
	packages  []*pkg          // sorted by directory
	documents []*document     // *.md, sorted by path
	module    string          // go.mod
}

// A pkg is one directory of Go files.
type pkg struct {
	dir   string
	files []*goFile
	info  *types.Info // of the files that are not tests; nil before resolve
}

// A goFile is one file of Go.
type goFile struct {
	path      string
	source    []byte
	syntax    *ast.File // what could be parsed
	err       error     // why the rest could not
	test      bool
	generated bool
}

// A document is one file of Markdown.
type document struct {
	path string
	text string
}

// shipped returns the files that are not tests.
func (p *pkg) shipped() []*goFile {
	var files []*goFile
	for _, file := range p.files {
		if !file.test {
			files = append(files, file)
		}
	}
	return files
}

// line returns the line number of a position.
func (t *tree) line(position token.Pos) int { return t.fset.Position(position).Line }

// load reads the Go files, the documents and the names of a tree. What git ignores, what a test
// reads as data, and other modules are no part of it.
func load(root fs.FS) (*tree, error) {
	t := &tree{fset: token.NewFileSet(), names: map[string]bool{}}
	packages := map[string]*pkg{}
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if ignored(name) {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		t.names[name] = true
		if entry.IsDir() || isData(name) || otherModule(root, path.Dir(name)) {
			return nil
		}
		return t.read(root, name, packages)
	})
	for _, p := range packages {
		t.packages = append(t.packages, p)
	}
	slices.SortFunc(t.packages, func(a, b *pkg) int { return strings.Compare(a.dir, b.dir) })
	return t, err
}

// read adds one file.
func (t *tree) read(root fs.FS, name string, packages map[string]*pkg) error {
	extension := path.Ext(name)
	if extension != ".go" && extension != ".md" && name != "go.mod" {
		return nil
	}
	source, err := fs.ReadFile(root, name)
	if err != nil {
		return err
	}
	if name == "go.mod" {
		t.module = string(source)
		return nil
	}
	if extension == ".md" {
		t.documents = append(t.documents, &document{name, string(source)})
		return nil
	}
	dir := path.Dir(name)
	if packages[dir] == nil {
		packages[dir] = &pkg{dir: dir}
	}
	syntax, err := parser.ParseFile(t.fset, name, source, parser.ParseComments)
	packages[dir].files = append(packages[dir].files, &goFile{
		path: name, source: source, syntax: syntax, err: err,
		test:      strings.HasSuffix(name, "_test.go"),
		generated: syntax != nil && ast.IsGenerated(syntax),
	})
	return nil
}

// ignored tells what git ignores, and git's own, which is a file in a tree beside the first one.
func ignored(name string) bool {
	base := path.Base(name)
	return base == ".git" || base == ".cache" || name == "bin" || strings.HasSuffix(base, ".etcd")
}

// isData tells files that only a test reads.
func isData(name string) bool { return slices.Contains(strings.Split(name, "/"), "testdata") }

// otherModule tells whether a directory below the root begins a module of its own.
func otherModule(root fs.FS, dir string) bool {
	if dir == "." {
		return false
	}
	_, err := fs.Stat(root, path.Join(dir, "go.mod"))
	return err == nil
}

// checkSyntax reports files that are not Go.
func checkSyntax(t *tree, report report) {
	for _, p := range t.packages {
		for _, file := range p.files {
			if errors, ok := file.err.(scanner.ErrorList); ok {
				report(file.path, errors[0].Pos.Line, "%s", errors[0].Msg)
			}
		}
	}
}

// checkFormat reports files that gofmt would change.
func checkFormat(t *tree, report report) {
	for _, p := range t.packages {
		for _, file := range p.files {
			formatted, err := format.Source(file.source)
			if err != nil || bytes.Equal(formatted, file.source) {
				continue // what is no Go is reported as syntax
			}
			report(file.path, firstDifference(formatted, file.source), "gofmt would change this")
		}
	}
}

// firstDifference returns the number of the first line that differs.
func firstDifference(a, b []byte) int {
	line := 1
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			break
		}
		if a[i] == '\n' {
			line++
		}
	}
	return line
}
