package main

import (
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strconv"
	"strings"
)

// deterministicTable names the packages whose behaviour depends on their inputs alone, so that one
// seed gives one run. "storage/..." is the package and all below it.
const deterministicTable = `
	storage/...
	consensus/replica
	kv kv/mvcc kv/lease kv/auth kv/watch kv/v2
	faults
	checker checker/etcd checker/judge checker/access
	sim/...
`

// exemptTable names the files of deterministic packages that touch the world: the half of vfs that
// is the operating system, and the two places that replace the randomness that raft hides.
const exemptTable = `
	storage/vfs/os*.go
	sim/entropy*.go
	sim/explore/entropy*.go
`

// forbiddenImports is what a deterministic package never imports: clock and operating system,
// network, locks, global randomness. "os/..." is the package and all below it.
const forbiddenImports = `
	os/... io/ioutil path/filepath syscall plugin golang.org/x/sys/...
	net/...
	sync golang.org/x/sync/...
	math/rand crypto/rand hash/maphash
	log/... flag expvar
`

// allowedNames limits packages that are deterministic in part to that part. All floating-point
// functions are forbidden: they differ between processors.
const allowedNames = `
	time: Duration Nanosecond Microsecond Millisecond Second Minute Hour ParseDuration
	math/rand/v2: New Rand Source NewPCG PCG NewChaCha8 ChaCha8
	math: MaxInt MaxInt8 MaxInt16 MaxInt32 MaxInt64 MinInt MinInt8 MinInt16 MinInt32 MinInt64
	math: MaxUint MaxUint8 MaxUint16 MaxUint32 MaxUint64
	math: Float64bits Float64frombits Float32bits Float32frombits
`

// forbiddenNames are hidden clocks and hidden outputs in packages that are otherwise allowed.
const forbiddenNames = `
	context: WithTimeout WithTimeoutCause WithDeadline WithDeadlineCause AfterFunc
	fmt: Print Printf Println Scan Scanf Scanln
`

// parseNames reads allowedNames or forbiddenNames.
func parseNames(table string) map[string][]string {
	names := map[string][]string{}
	for line := range strings.Lines(strings.TrimSpace(table)) {
		imported, list, _ := strings.Cut(strings.TrimSpace(line), ":")
		names[imported] = append(names[imported], strings.Fields(list)...)
	}
	return names
}

// within tells whether a package is in a table of names, some of which end in "/...".
func within(name, table string) bool {
	for _, entry := range strings.Fields(table) {
		family, deep := strings.CutSuffix(entry, "/...")
		if name == family || deep && strings.HasPrefix(name, family+"/") {
			return true
		}
	}
	return false
}

// exempt tells whether a file of a deterministic package may touch the world.
func exempt(file string) bool {
	for _, pattern := range strings.Fields(exemptTable) {
		if matched, _ := path.Match(pattern, file); matched {
			return true
		}
	}
	return false
}

// deterministic returns the shipped files of a deterministic package, without the exempt ones; of
// any other package none.
func deterministic(p *pkg) []*goFile {
	if !within(p.dir, deterministicTable) {
		return nil
	}
	return slices.DeleteFunc(p.shipped(), func(file *goFile) bool { return exempt(file.path) })
}

// checkDeterminism reports what can differ between two runs with the same inputs.
func checkDeterminism(t *tree, report report) {
	allowed, forbidden := parseNames(allowedNames), parseNames(forbiddenNames)
	for _, p := range t.packages {
		for _, file := range deterministic(p) {
			c := clockwork{t, file, importedNames(file), allowed, forbidden, report}
			c.checkImports()
			ast.Inspect(file.syntax, c.check)
		}
	}
}

// clockwork checks one file.
type clockwork struct {
	tree               *tree
	file               *goFile
	imports            map[string]string // local name to import path
	allowed, forbidden map[string][]string
	report             report
}

// importedNames returns the local name of each import.
func importedNames(file *goFile) map[string]string {
	names := map[string]string{}
	for _, spec := range file.syntax.Imports {
		imported, _ := strconv.Unquote(spec.Path.Value)
		name := strings.TrimSuffix(imported, "/v2")
		name = path.Base(name)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = imported
	}
	return names
}

// checkImports reports imports of the world.
func (c *clockwork) checkImports() {
	for _, spec := range c.file.syntax.Imports {
		imported, _ := strconv.Unquote(spec.Path.Value)
		_, limited := c.allowed[imported]
		switch {
		case within(imported, forbiddenImports):
			c.found(spec, "a deterministic package never imports %s", imported)
		case limited && spec.Name != nil && spec.Name.Name == ".":
			c.found(spec, "%s must be imported under a name", imported)
		}
	}
}

// check reports statements and names that let something other than the inputs decide.
func (c *clockwork) check(node ast.Node) bool {
	switch node := node.(type) {
	case *ast.GoStmt:
		c.found(node, "a goroutine lets the scheduler decide")
	case *ast.SelectStmt:
		c.found(node, "a select lets the scheduler decide")
	case *ast.SelectorExpr:
		c.checkName(node)
	}
	return true
}

// checkName reports names of packages that are deterministic in part only.
func (c *clockwork) checkName(selector *ast.SelectorExpr) {
	name, ok := selector.X.(*ast.Ident)
	if !ok || name.Obj != nil { // a local variable hides the import
		return
	}
	imported, member := c.imports[name.Name], selector.Sel.Name
	allowed, limited := c.allowed[imported]
	unlisted := limited && !slices.Contains(allowed, member)
	if unlisted || slices.Contains(c.forbidden[imported], member) {
		c.found(selector, "a deterministic package never uses %s.%s", name.Name, member)
	}
}

// found reports a finding at a node.
func (c *clockwork) found(node interface{ Pos() token.Pos }, format string, arguments ...any) {
	c.report(c.file.path, c.tree.line(node.Pos()), format, arguments...)
}
