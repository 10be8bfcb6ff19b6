package main

import (
	"go/ast"
	"go/types"
	"strings"
)

// orderFree is what the comment line before a loop over a map begins with; the reason follows.
const orderFree = "order-free: "

// checkMapOrder reports where the order of a map escapes from a deterministic package: a range over
// a map, or over its keys or values, without a comment that says why the order does not matter.
// A range that binds neither key nor value only counts, and is allowed.
func checkMapOrder(t *tree, report report) {
	for _, p := range t.packages {
		for _, file := range deterministic(p) {
			reasons, sorted := orderFreeLines(t, file), sortedCalls(file)
			ast.Inspect(file.syntax, func(node ast.Node) bool {
				switch node := node.(type) {
				case *ast.RangeStmt:
					counts := node.Key == nil && node.Value == nil
					if line := t.line(node.Pos()); isMap(p.info, node.X) && !counts && !reasons[line-1] {
						report(file.path, line, "the order of a map escapes: sort, "+
							"or say why not in a comment \"// %sreason\"", orderFree)
					}
				case *ast.CallExpr:
					name := mapIterator(node)
					if line := t.line(node.Pos()); name != "" && !sorted[node] && !reasons[line-1] {
						report(file.path, line, "the order of a map escapes: "+
							"give maps.%s to slices.Sorted", name)
					}
				}
				return true
			})
		}
	}
}

// orderFreeLines returns the last line of every comment that gives such a reason.
func orderFreeLines(t *tree, file *goFile) map[int]bool {
	lines := map[int]bool{}
	for _, group := range file.syntax.Comments {
		for line := range strings.Lines(group.Text()) {
			reason, found := strings.CutPrefix(line, orderFree)
			if found && strings.TrimSpace(reason) != "" {
				lines[t.line(group.End()-1)] = true
			}
		}
	}
	return lines
}

// isMap tells whether an expression is a map. Without types (a package that does not compile is
// reported by the compiler) nothing is.
func isMap(info *types.Info, expression ast.Expr) bool {
	if info == nil || info.TypeOf(expression) == nil {
		return false
	}
	_, ok := info.TypeOf(expression).Underlying().(*types.Map)
	return ok
}

// mapIterator returns "Keys" for a call maps.Keys(...), and so on; else nothing.
func mapIterator(call *ast.CallExpr) string {
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	if name, ok := selector.X.(*ast.Ident); !ok || name.Name != "maps" || name.Obj != nil {
		return ""
	}
	switch selector.Sel.Name {
	case "Keys", "Values", "All":
		return selector.Sel.Name
	}
	return ""
}

// sortedCalls returns the calls that are the argument of one of slices' sorting functions.
func sortedCalls(file *goFile) map[ast.Node]bool {
	sorted := map[ast.Node]bool{}
	ast.Inspect(file.syntax, func(node ast.Node) bool {
		call, ok := node.(*ast.CallExpr)
		if !ok || len(call.Args) == 0 {
			return true
		}
		selector, ok := call.Fun.(*ast.SelectorExpr)
		if ok && strings.HasPrefix(selector.Sel.Name, "Sorted") {
			sorted[call.Args[0]] = true
		}
		return true
	})
	return sorted
}
