package explore

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A world is a small one in which a rule of raft decides.
type world struct {
	name          string
	find, replace string // in raft.go: the rule, and the same without it where OFF holds
	options       Options
	want          string // what does not hold without the rule
}

var worlds = []world{
	{
		// Figure 8 of the Raft paper. Each of two members has led and has an entry that nobody else
		// has; the first has crashed. What may follow, in any order, is all there is to search.
		name: "figure-8",
		find: "	return r.raftLog.maybeCommit(entryID{term: r.Term, index: r.trk.Committed()})\n",
		replace: `	if at := r.trk.Committed(); OFF {
		return r.raftLog.maybeCommit(entryID{r.raftLog.zeroTermOnOutOfBounds(r.raftLog.term(at)), at})
	}
	return r.raftLog.maybeCommit(entryID{term: r.Term, index: r.trk.Committed()})
`,
		options: Options{Depth: 10, Terms: 5, Crashes: 1, Ordered: true, InFlight: 1,
			From: "t1 1>2 2>1 t2 2>3 3>2 c1 t1 t1"},
		want: "m2 leads in term 5 without entry 2 of term 2, which was committed in term 4",
	},
	{
		// A leader answers reads for as long as it thinks that nobody else can lead. Clocks that
		// differ are all it takes.
		name: "read-by-lease",
		find: "	switch r.readOnly.option {\n	// If more",
		replace: "	option := r.readOnly.option\n	if OFF {\n		option = ReadOnlyLeaseBased\n	}\n" +
			"	switch option {\n	// If more",
		options: Options{Depth: 10, Terms: 3, Proposals: 1, Reads: 1, Ordered: true, InFlight: 1,
			From: "t1 1>2 2>1 1>2 2>1"},
		want: "a read at m1 sees 0 commands, and began after a client was told of 1",
	},
}

// traceMax is how many choices the trace of a planted fault takes at most.
const traceMax = 20

func TestWithoutARuleOfRaftAWorldIsRed(t *testing.T) {
	program := buildWithout(t)
	for _, w := range worlds {
		t.Run(w.name, func(t *testing.T) {
			bounds, err := json.Marshal(w.options)
			if err != nil {
				t.Fatal(err)
			}
			with, without := play(t, program, bounds, ""), play(t, program, bounds, w.name)
			if !strings.HasSuffix(strings.TrimSpace(with), ":") {
				t.Errorf("with the rule: %s", with)
			}
			if !strings.Contains(without, w.want) || strings.Count(without, "\n") > traceMax+1 {
				t.Errorf("without the rule, want %q in at most %d lines: %s", w.want, traceMax, without)
			}
			t.Logf("with the rule %swithout it %s", with, without)
		})
	}
}

// variable is the environment variable that names the rule that a run is without.
const variable = "DETCD_WITHOUT_RULE"

func play(t *testing.T, program string, bounds []byte, without string) string {
	cmd := exec.CommandContext(t.Context(), program, string(bounds))
	cmd.Env = append(os.Environ(), variable+"="+without)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// buildWithout builds the runner with a copy of raft in which every rule is behind a switch.
func buildWithout(t *testing.T) (program string) {
	dir := t.TempDir()
	from := strings.TrimSpace(run(t, "go", "list", "-m", "-f", "{{.Dir}}", "go.etcd.io/raft/v3"))
	raft := filepath.Join(dir, "raft")
	if err := os.CopyFS(raft, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	run(t, "chmod", "-R", "u+w", raft)
	text := read(t, filepath.Join(raft, "raft.go"))
	for _, w := range worlds {
		if n := strings.Count(text, w.find); n != 1 {
			t.Fatalf("the rule %s stands %d times in raft.go", w.name, n)
		}
		off := `os.Getenv("` + variable + `") == "` + w.name + `"`
		text = strings.Replace(text, w.find, strings.ReplaceAll(w.replace, "OFF", off), 1)
	}
	write(t, filepath.Join(raft, "raft.go"), strings.Replace(text, "import (", "import (\n\"os\"", 1))
	mod := filepath.Join(dir, "explore.mod")
	write(t, mod, read(t, "../../go.mod"))
	write(t, filepath.Join(dir, "explore.sum"), read(t, "../../go.sum"))
	run(t, "go", "mod", "edit", "-replace", "go.etcd.io/raft/v3="+raft, mod)
	program = filepath.Join(dir, "runner")
	run(t, "go", "build", "-buildvcs=false", "-modfile", mod, "-o", program, "./testdata/runner")
	return program
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
