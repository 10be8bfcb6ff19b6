package main

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

// checkState reports what outlives a call without anybody holding it: init functions, and
// variables of a package that are declared empty or assigned to.
func checkState(t *tree, report report) {
	for _, p := range t.packages {
		for _, file := range p.shipped() {
			if exempt(file.path) {
				continue
			}
			checkEmpty(t, file, report)
			ast.Inspect(file.syntax, func(node ast.Node) bool {
				switch node := node.(type) {
				case *ast.FuncDecl:
					if node.Recv == nil && node.Name.Name == "init" {
						report(file.path, t.line(node.Pos()), "an init function runs unasked")
					}
				case *ast.AssignStmt:
					for _, target := range node.Lhs {
						checkTarget(t, p, file, target, node.Tok, report)
					}
				case *ast.IncDecStmt:
					checkTarget(t, p, file, node.X, node.Tok, report)
				}
				return true
			})
		}
	}
}

// checkEmpty reports variables of a package that are declared without a value: they can only be
// there to be changed. What the compiler embeds is not.
func checkEmpty(t *tree, file *goFile, report report) {
	for _, declaration := range file.syntax.Decls {
		group, ok := declaration.(*ast.GenDecl)
		if !ok || group.Tok != token.VAR || embeds(group) {
			continue
		}
		for _, spec := range group.Specs {
			spec := spec.(*ast.ValueSpec)
			if name := spec.Names[0]; len(spec.Values) == 0 && name.Name != "_" {
				report(file.path, t.line(name.Pos()), "%s is declared without a value: "+
					"it can only be state of the package", name.Name)
			}
		}
	}
}

// embeds tells whether a declaration is filled by the compiler.
func embeds(group *ast.GenDecl) bool {
	if group.Doc == nil {
		return false
	}
	return slices.ContainsFunc(group.Doc.List, func(comment *ast.Comment) bool {
		return strings.HasPrefix(comment.Text, "//go:embed ")
	})
}

// checkTarget reports an assignment whose target is, or lies in, a variable of the package.
func checkTarget(t *tree, p *pkg, file *goFile, target ast.Expr, how token.Token, report report) {
	if how == token.DEFINE || p.info == nil {
		return
	}
	name := root(p.info, target)
	if name == nil {
		return
	}
	variable, ok := p.info.Uses[name].(*types.Var)
	if !ok || variable.IsField() || variable.Pkg() == nil {
		return
	}
	if variable.Parent() == variable.Pkg().Scope() {
		report(file.path, t.line(target.Pos()), "%s is state of a package: "+
			"put it into a value that somebody owns", name.Name)
	}
}

// root returns the variable that an assignable expression lies in; nil when it is reached through a
// pointer or a call.
func root(info *types.Info, target ast.Expr) *ast.Ident {
	switch target := target.(type) {
	case *ast.Ident:
		return target
	case *ast.SelectorExpr:
		if name, ok := target.X.(*ast.Ident); ok {
			if _, imported := info.Uses[name].(*types.PkgName); imported {
				return target.Sel
			}
		}
		return root(info, target.X)
	case *ast.IndexExpr:
		return root(info, target.X)
	}
	return nil
}
