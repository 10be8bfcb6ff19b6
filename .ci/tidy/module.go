package main

import (
	"strconv"
	"strings"
)

// A requirement is a line of go.mod that names another module.
type requirement struct {
	module   string
	line     int
	indirect bool
}

// requirements reads those of go.mod, of its blocks and of single lines.
func requirements(module string) (list []requirement) {
	inside := false
	for i, line := range strings.Split(module, "\n") {
		text, comment, _ := strings.Cut(line, "//")
		words := strings.Fields(text)
		switch {
		case len(words) == 2 && words[0] == "require" && words[1] == "(":
			inside = true
			continue
		case len(words) > 0 && words[0] == ")":
			inside = false
		case len(words) == 3 && words[0] == "require":
			words = words[1:]
		case !inside:
			continue
		}
		if len(words) == 2 {
			list = append(list, requirement{words[0], i + 1, strings.TrimSpace(comment) == "indirect"})
		}
	}
	return list
}

// checkModule reports where go.mod says something else of what is imported than the files do:
// "indirect" of a module that they import, or nothing of one that they do not. It is what "go mod
// tidy" writes, as far as it can be told from this tree alone, without any other module. A tree
// without go.mod is none.
func checkModule(t *tree, report report) {
	if t.module == "" {
		return
	}
	list := requirements(t.module)
	used := make([]bool, len(list))
	for _, p := range t.packages {
		for _, file := range p.files {
			if file.syntax == nil {
				continue
			}
			for _, spec := range file.syntax.Imports {
				imported, err := strconv.Unquote(spec.Path.Value)
				first, _, _ := strings.Cut(imported, "/")
				if err != nil || !strings.Contains(first, ".") {
					continue // the standard library, or this module
				}
				if at := holder(list, imported); at >= 0 {
					used[at] = true
				} else {
					report(file.path, t.line(spec.Pos()), "no module in go.mod has %s", imported)
				}
			}
		}
	}
	for i, r := range list {
		switch {
		case used[i] && r.indirect:
			report("go.mod", r.line, "%s is imported here: it is not indirect", r.module)
		case !used[i] && !r.indirect:
			report("go.mod", r.line, "%s is not imported here: it is indirect, or not needed", r.module)
		}
	}
}

// holder returns which module has a package, -1 if none: the one with the longest name.
func holder(list []requirement, imported string) int {
	at := -1
	for i, r := range list {
		if imported == r.module || strings.HasPrefix(imported, r.module+"/") {
			if at < 0 || len(r.module) > len(list[at].module) {
				at = i
			}
		}
	}
	return at
}
