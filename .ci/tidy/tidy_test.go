package main

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// A fixture is a small tree in one file of testdata: first the story, then each file of the tree
// under a line "-- name --", last, under "-- want --", the findings.
type fixture struct {
	tree fstest.MapFS
	want []string
}

// readFixture parses a fixture.
func readFixture(t *testing.T, name string) fixture {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	read := fixture{tree: fstest.MapFS{}}
	file := ""
	for line := range strings.Lines(string(text)) {
		marker, found := strings.CutPrefix(line, "-- ")
		switch {
		case found && strings.HasSuffix(marker, " --\n"):
			file = strings.TrimSuffix(marker, " --\n")
			if file != "want" {
				read.tree[file] = &fstest.MapFile{}
			}
		case file == "want":
			read.want = append(read.want, strings.TrimSpace(line))
		case file != "":
			read.tree[file].Data = append(read.tree[file].Data, line...)
		}
	}
	return read
}

// fixtures returns the names of the fixtures in a folder of testdata.
func fixtures(t *testing.T, folder string) []string {
	t.Helper()
	names, err := filepath.Glob("testdata/" + folder + "/*.txt")
	if err != nil || len(names) == 0 {
		t.Fatalf("no fixtures in %s (%v)", folder, err)
	}
	return names
}

// judgeTree runs every rule over a tree of a fixture.
func judgeTree(t *testing.T, root fs.FS) []string {
	t.Helper()
	loaded, err := load(root)
	if err != nil {
		t.Fatal(err)
	}
	standard, err := listExports(".", "maps", "slices", "errors", "time", "math/rand/v2")
	if err != nil {
		t.Fatal(err)
	}
	loaded.resolve(standard)
	var found []string
	for _, finding := range judge(loaded) {
		found = append(found, finding.String())
	}
	return found
}

func TestRefusedTreesAreRefusedForTheStatedReasons(t *testing.T) {
	for _, name := range fixtures(t, "refused") {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			fixture := readFixture(t, name)
			if len(fixture.want) == 0 {
				t.Fatal("the fixture wants nothing")
			}
			if found := judgeTree(t, fixture.tree); !slices.Equal(found, fixture.want) {
				t.Errorf("found:\n%s\nwant:\n%s",
					strings.Join(found, "\n"), strings.Join(fixture.want, "\n"))
			}
		})
	}
}

func TestAcceptedTreesAreAccepted(t *testing.T) {
	for _, name := range fixtures(t, "accepted") {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			for _, found := range judgeTree(t, readFixture(t, name).tree) {
				t.Error(found)
			}
		})
	}
}

func TestEveryRuleRefusesSomething(t *testing.T) {
	refused := map[string]bool{}
	for _, name := range fixtures(t, "refused") {
		for _, want := range readFixture(t, name).want {
			for _, part := range strings.Split(want, ": ") {
				refused[part] = true
			}
		}
	}
	for _, rule := range rules() {
		if !refused[rule.name] {
			t.Errorf("no fixture is refused by the rule %s", rule.name)
		}
	}
}

func TestEveryDeterministicPackageHasAFloor(t *testing.T) {
	floors := slices.Collect(maps.Keys(parseFloors()))
	for _, name := range strings.Fields(deterministicTable) {
		family := []string{strings.TrimSuffix(name, "/...")}
		if !slices.ContainsFunc(floors, func(dir string) bool { return among(dir, family) }) {
			t.Errorf("%s is deterministic but has no floor", name)
		}
	}
}

func TestWhatIsOneLineTooLongIsRefused(t *testing.T) {
	function := func(lines int) string {
		return "func put() {\n" + strings.Repeat("\tput()\n", lines-2) + "}\n"
	}
	header := "// Package kv is long.\npackage kv\n\n"
	filler := strings.Repeat("// A line.\n\n", 2)
	cases := []struct {
		name, source string
		want         []string
	}{
		{"a function of 70 lines", header + function(70), nil},
		{"a function of 71 lines", header + function(71),
			[]string{"kv/kv.go:4: size: put has 71 lines, at most 70"}},
		{"a file of 600 lines", header + strings.Repeat(filler, 149) + "// End.\n", nil},
		{"a file of 601 lines", header + strings.Repeat(filler, 149) + "// The\n// end.\n",
			[]string{"kv/kv.go: size: 601 lines, at most 600"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			tree := fstest.MapFS{"kv/kv.go": &fstest.MapFile{Data: []byte(c.source)}}
			if found := judgeTree(t, tree); !slices.Equal(found, c.want) {
				t.Errorf("found %q, want %q", found, c.want)
			}
		})
	}
}
