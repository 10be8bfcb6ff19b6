package main

import (
	"strconv"
	"strings"
)

// module is the import path of the root.
const module = "detcd"

// floorTable is the architecture: a package imports packages of lower floors only, never one of its
// own floor. Commands are above all floors, and nothing imports them. A package that is not here
// has no place yet: give it one in the design first.
const floorTable = `
	floor 7: kv/server
	floor 6: kv/gateway kv/gateway/v2http sim/builds
	floor 5: kv/rpc kv/backup sim
	floor 4: kv
	floor 3: consensus/node kv/watch sim/explore
	floor 2: consensus/replica consensus/transport kv/mvcc checker/judge checker/probe faults/nemesis
	floor 1: storage/wal storage/archive storage/checkpoint storage/vfs/vfstest
	floor 1: checker/etcd checker/access faults bench
	floor 0: storage/vfs kv/lease kv/auth kv/v2 checker
`

// neverTable holds what no floor allows. A name stands for the package and all below it; "*" is
// every package of ours; those after "except" may all the same.
const neverTable = `
	storage    never imports  consensus kv
	consensus  never imports  kv
	kv         never imports  consensus      except kv/server
	kv/lease   never imports  kv/mvcc
	kv/mvcc    never imports  kv/lease kv/v2
	kv/v2      only imports   kv/v2
	*          never imports  sim            except sim cmd
	*          never imports  bench          except bench cmd
	checker    only imports   checker
`

// forbiddenModules are never imported by shipped code or tests: they are what we compare with.
const forbiddenModules = "go.etcd.io/etcd/server go.etcd.io/etcd/etcdctl go.etcd.io/etcd/etcdutl"

// top is the floor of commands and of the tools of continuous integration.
const top = 99

// parseFloors reads floorTable.
func parseFloors() map[string]int {
	floors := map[string]int{}
	for line := range strings.Lines(strings.TrimSpace(floorTable)) {
		head, packages, _ := strings.Cut(strings.TrimSpace(line), ":")
		floor, err := strconv.Atoi(strings.TrimPrefix(head, "floor "))
		if err != nil {
			panic("floorTable: " + line)
		}
		for _, name := range strings.Fields(packages) {
			floors[name] = floor
		}
	}
	return floors
}

// A clause is one line of neverTable.
type clause struct {
	only              bool // "only imports", else "never imports"
	who, what, except []string
}

// parseNever reads neverTable.
func parseNever() []clause {
	var table []clause
	for line := range strings.Lines(strings.TrimSpace(neverTable)) {
		who, rest, never := strings.Cut(line, "never imports")
		if !never {
			who, rest, _ = strings.Cut(line, "only imports")
		}
		what, except, _ := strings.Cut(rest, "except")
		table = append(table, clause{
			!never, strings.Fields(who), strings.Fields(what), strings.Fields(except),
		})
	}
	return table
}

// forbids tells whether the clause forbids that one package imports the other.
func (c clause) forbids(from, to string) bool {
	concerned := among(from, c.who) && !among(from, c.except)
	return concerned && among(to, c.what) != c.only
}

// among tells whether a package is one of the named or below one of them.
func among(dir string, names []string) bool {
	for _, name := range names {
		if name == "*" || dir == name || strings.HasPrefix(dir, name+"/") {
			return true
		}
	}
	return false
}

// floorOf returns the floor of a directory.
func floorOf(floors map[string]int, dir string) (int, bool) {
	if among(dir, []string{"cmd", ".ci"}) {
		return top, true
	}
	floor, ok := floors[dir]
	return floor, ok
}

// checkFloors reports imports that go up or sideways, or that are never allowed.
func checkFloors(t *tree, report report) {
	floors, nevers := parseFloors(), parseNever()
	for _, p := range t.packages {
		if _, ok := floorOf(floors, p.dir); !ok && len(p.shipped()) > 0 {
			report(p.shipped()[0].path, 0, "%s has no floor: the table does not name it", p.dir)
			continue
		}
		for _, file := range p.files {
			checkImports(t, p.dir, file, floors, nevers, report)
		}
	}
}

// checkImports checks one file against both tables.
func checkImports(t *tree, dir string, file *goFile,
	floors map[string]int, nevers []clause, report report) {
	for _, spec := range file.syntax.Imports {
		imported, _ := strconv.Unquote(spec.Path.Value)
		line := t.line(spec.Pos())
		if among(imported, strings.Fields(forbiddenModules)) {
			report(file.path, line, "%s is what we compare with, never a part", imported)
		}
		to, ours := strings.CutPrefix(imported, module+"/")
		if !ours || file.test {
			continue
		}
		from, _ := floorOf(floors, dir)
		if floor, ok := floorOf(floors, to); ok && floor >= from {
			report(file.path, line, "%s (floor %d) imports %s (floor %d)", dir, from, to, floor)
		}
		for _, clause := range nevers {
			if clause.forbids(dir, to) {
				report(file.path, line, "%s never imports %s", dir, to)
			}
		}
	}
}
