package main

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/types"
	"io"
	"os"
	"os/exec"
	"strings"
)

// exports maps an import path to the file with its compiled declarations.
type exports map[string]string

// listExports has the go command compile packages and everything they import, and returns where
// the declarations are. Packages that do not compile are left out.
func listExports(dir string, patterns ...string) (exports, error) {
	arguments := []string{"list", "-e", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}"}
	command := exec.Command("go", append(arguments, patterns...)...)
	command.Dir = dir
	var complaints strings.Builder
	command.Stderr = &complaints
	output, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, complaints.String())
	}
	found := exports{}
	for line := range strings.Lines(string(output)) {
		if fields := strings.Fields(line); len(fields) == 2 {
			found[fields[0]] = fields[1]
		}
	}
	return found, nil
}

// open finds the declarations of one package for the importer.
func (e exports) open(imported string) (io.ReadCloser, error) {
	file, ok := e[imported]
	if !ok {
		return nil, fmt.Errorf("%s was not compiled", imported)
	}
	return os.Open(file)
}

// resolve finds the types of what is shipped. Errors are ignored: go vet reports them, and what
// could be resolved is enough for the rules.
func (t *tree) resolve(from exports) {
	compiled := importer.ForCompiler(t.fset, "gc", from.open)
	for _, p := range t.packages {
		var files []*ast.File
		for _, file := range p.shipped() {
			files = append(files, file.syntax)
		}
		p.info = &types.Info{
			Types: map[ast.Expr]types.TypeAndValue{},
			Uses:  map[*ast.Ident]types.Object{},
			Defs:  map[*ast.Ident]types.Object{},
		}
		config := types.Config{Importer: compiled, Error: func(error) {}}
		_, _ = config.Check(module+"/"+p.dir, t.fset, files, p.info)
	}
}
