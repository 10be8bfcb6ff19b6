package main

import (
	"go/ast"
	"go/token"
	"path"
	"strings"
)

// checkPackageComments reports packages without an attached comment, with two, or with one that
// does not begin as godoc expects: "Package name" or, for a command, its name.
func checkPackageComments(t *tree, report report) {
	for _, p := range t.packages {
		var commented []*goFile
		for _, file := range p.files {
			if file.syntax.Doc != nil {
				commented = append(commented, file)
			}
		}
		name := p.files[0].syntax.Name.Name
		if len(commented) > 0 { // the first file may be one of an external test
			name = commented[0].syntax.Name.Name
		}
		switch {
		case len(commented) == 0:
			report(p.files[0].path, 0, "package %s has no comment attached", name)
		case len(commented) > 1:
			report(commented[1].path, 0, "package %s has a second comment, after %s", name,
				commented[0].path)
		case !beginsWell(commented[0].syntax.Doc.Text(), name, p.dir):
			report(commented[0].path, t.line(commented[0].syntax.Doc.Pos()),
				"the comment of package %s does not begin with its name", name)
		}
	}
}

// beginsWell tells whether a package comment begins with the name of what it describes.
func beginsWell(comment, name, dir string) bool {
	if name != "main" {
		return strings.HasPrefix(comment, "Package "+name+" ")
	}
	base := path.Base(dir)
	return strings.HasPrefix(comment, "Command "+base+" ") ||
		strings.HasPrefix(strings.ToLower(comment), base+" ")
}

// checkExportedComments reports exported names of shipped code that nobody explained. In a group of
// constants or variables the comment of the group is enough.
func checkExportedComments(t *tree, report report) {
	for _, p := range t.packages {
		for _, file := range p.shipped() {
			if file.generated {
				continue
			}
			c := explainer{t, file, report}
			for _, declaration := range file.syntax.Decls {
				switch declaration := declaration.(type) {
				case *ast.FuncDecl:
					c.function(declaration)
				case *ast.GenDecl:
					c.group(declaration)
				}
			}
		}
	}
}

// explainer checks the comments of one file.
type explainer struct {
	tree   *tree
	file   *goFile
	report report
}

// function checks a function, or a method of an exported type.
func (e explainer) function(f *ast.FuncDecl) {
	if f.Recv != nil && !ast.IsExported(receiver(f.Recv.List[0].Type)) {
		return
	}
	e.name(f.Name, f.Doc)
}

// receiver returns the name of a method's type.
func receiver(kind ast.Expr) string {
	switch kind := kind.(type) {
	case *ast.Ident:
		return kind.Name
	case *ast.StarExpr:
		return receiver(kind.X)
	case *ast.IndexExpr:
		return receiver(kind.X)
	case *ast.IndexListExpr:
		return receiver(kind.X)
	}
	return ""
}

// group checks a declaration of types, constants or variables.
func (e explainer) group(g *ast.GenDecl) {
	grouped := g.Lparen != token.NoPos
	for _, spec := range g.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			doc := spec.Doc
			if doc == nil && !grouped {
				doc = g.Doc
			}
			e.name(spec.Name, doc)
		case *ast.ValueSpec:
			switch {
			case !grouped:
				e.name(spec.Names[0], g.Doc)
			case g.Doc == nil && spec.Doc == nil && spec.Comment == nil:
				e.name(spec.Names[0], nil)
			}
		}
	}
}

// name reports an exported name whose comment is missing or begins with something else.
func (e explainer) name(name *ast.Ident, doc *ast.CommentGroup) {
	if !name.IsExported() {
		return
	}
	line := e.tree.line(name.Pos())
	if doc.Text() == "" {
		e.report(e.file.path, line, "%s has no comment", name.Name)
		return
	}
	words := strings.Fields(doc.Text())
	if len(words) > 1 && (words[0] == "A" || words[0] == "An" || words[0] == "The") {
		words = words[1:]
	}
	if strings.TrimRight(words[0], ",.:;") != name.Name {
		e.report(e.file.path, line, "the comment of %s does not begin with its name", name.Name)
	}
}
