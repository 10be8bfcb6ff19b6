package main

import (
	"go/ast"
	"go/parser"
	"regexp"
	"strings"
)

// todoWords and todoReason: work that is put off needs the number of an issue or of a decision
// record, as in TODO(#12) or TODO(0712).
const (
	todoWords  = `\b(TODO|FIXME|XXX|HACK)\b`
	todoReason = `\b(TODO|FIXME|XXX|HACK)\((#[0-9]+|[0-9]{4})\)`
)

// checkTodo reports work that was put off without a record.
func checkTodo(t *tree, report report) {
	words, reason := regexp.MustCompile(todoWords), regexp.MustCompile(todoReason)
	for _, p := range t.packages {
		for _, file := range p.files {
			for _, group := range file.syntax.Comments {
				for _, comment := range group.List {
					all := len(words.FindAllString(comment.Text, -1))
					if all > len(reason.FindAllString(comment.Text, -1)) {
						report(file.path, t.line(comment.Pos()),
							"put off without the number of an issue or of a decision record")
					}
				}
			}
		}
	}
}

// checkDeadCode reports comments that are code. A line of a comment is taken for code when it
// parses as a statement that no sentence looks like; examples, which are indented, are not looked
// at, nor are comments behind code.
func checkDeadCode(t *tree, report report) {
	for _, p := range t.packages {
		for _, file := range p.files {
			for _, group := range file.syntax.Comments {
				for _, comment := range group.List {
					text, ok := strings.CutPrefix(comment.Text, "// ")
					if ok && alone(t, file, comment) && isCode(text) {
						report(file.path, t.line(comment.Pos()), "code that was commented out")
					}
				}
			}
		}
	}
}

// alone tells whether nothing stands before a comment on its line.
func alone(t *tree, file *goFile, comment *ast.Comment) bool {
	offset := t.fset.Position(comment.Pos()).Offset
	start := strings.LastIndexByte(string(file.source[:offset]), '\n') + 1
	return strings.TrimSpace(string(file.source[start:offset])) == ""
}

// isCode tells whether a line is a Go statement and not a sentence.
func isCode(line string) bool {
	line = strings.TrimRight(line, " ")
	if line == "" || line[0] == ' ' || line[0] == '\t' {
		return false
	}
	if strings.HasSuffix(line, "{") {
		line += "\n}" // the head of a block
	}
	syntax, err := parser.ParseExpr("func() {\n" + line + "\n}")
	if err != nil {
		return false
	}
	body := syntax.(*ast.FuncLit).Body.List
	return len(body) == 1 && looksLikeCode(body[0])
}

// looksLikeCode leaves out the statements that a word or a heading parses as.
func looksLikeCode(statement ast.Stmt) bool {
	switch statement := statement.(type) {
	case *ast.ExprStmt:
		_, call := statement.X.(*ast.CallExpr)
		return call
	case *ast.ReturnStmt:
		return len(statement.Results) > 0
	case *ast.LabeledStmt, *ast.EmptyStmt, *ast.BranchStmt, *ast.BlockStmt:
		return false
	}
	return true
}
