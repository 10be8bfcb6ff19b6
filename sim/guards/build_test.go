package guards

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// root is the folder of the module.
const root = "../.."

// variable is the environment variable that names the guard that a run is without.
const variable = "DETCD_WITHOUT_GUARD"

// buildWithout builds the runner of the simulator with every guard behind a switch. The sources are
// not touched: files of this module are replaced by -overlay, another module by a copy of it.
func buildWithout(t *testing.T, guards []guard) (program string) {
	t.Helper()
	dir := t.TempDir()
	program = filepath.Join(cmp.Or(*keep, dir), "runner")
	b := &builder{t: t, dir: dir, replaced: map[string]string{}, modules: map[string]string{},
		switches: map[string]bool{}}
	for _, g := range guards {
		for i, e := range g.edits {
			beside := b.patch(g.name, e)
			if i == 0 && g.more != "" {
				b.add(beside, strings.ReplaceAll(g.more, "OFF", off(g.name)))
			}
		}
	}
	args := []string{"build", "-buildvcs=false", "-o", program, "-overlay", b.overlay()}
	if len(b.modules) > 0 {
		args = append(args, "-modfile", b.modfile())
	}
	b.run("go", append(args, "./sim/builds/testdata/runner")...)
	return program
}

// builder gathers the patched files.
type builder struct {
	t        *testing.T
	dir      string
	replaced map[string]string // files of this module, and what stands for them
	modules  map[string]string // other modules, and their copies
	switches map[string]bool   // files that were added to these
}

// off is the condition under which a guard is away.
func off(name string) string { return fmt.Sprintf("withoutGuard == %q", name) }

// patch puts the switch of a guard into a file, and returns the file beside it in which the switch
// is declared.
func (b *builder) patch(name string, e edit) (beside string) {
	file, beside := b.file(e)
	text := b.read(file)
	if n := strings.Count(text, e.find); n != 1 {
		b.t.Fatalf("%s: what guards stands %d times in %s:\n%s", name, n, e.file, e.find)
	}
	without := strings.ReplaceAll(e.replace, "OFF", off(name))
	b.write(file, strings.Replace(text, e.find, without, 1))
	return beside
}

// file returns a copy of an edit's file that may be changed, and the file that is added to its
// package.
func (b *builder) file(e edit) (copied, beside string) {
	if e.module != "" {
		copied = filepath.Join(b.module(e.module), e.file)
		beside = filepath.Join(filepath.Dir(copied), added)
		if !b.switches[beside] {
			b.switches[beside] = true
			b.write(beside, switchFor(b.read(copied)))
		}
		return copied, beside
	}
	original, err := filepath.Abs(filepath.Join(root, e.file))
	if err != nil {
		b.t.Fatal(err)
	}
	if b.replaced[original] == "" {
		b.replaced[original] = filepath.Join(b.dir, fmt.Sprintf("%d.go", len(b.replaced)))
		b.write(b.replaced[original], b.read(original))
	}
	beside = filepath.Join(filepath.Dir(original), added)
	if b.replaced[beside] == "" {
		b.replaced[beside] = filepath.Join(b.dir, fmt.Sprintf("%d.go", len(b.replaced)))
		b.write(b.replaced[beside], switchFor(b.read(original)))
	}
	return b.replaced[original], b.replaced[beside]
}

// added is the name of the file that is added to a package that has guards.
const added = "without_guard.go"

// switchFor is the file that reads the environment, for the package that another file is of.
func switchFor(text string) string {
	pkg := regexp.MustCompile(`(?m)^package (\w+)$`).FindStringSubmatch(text)
	return fmt.Sprintf("package %s\n\nimport \"os\"\n\nvar withoutGuard = os.Getenv(%q)\n",
		pkg[1], variable)
}

func (b *builder) add(file, text string) { b.write(file, b.read(file)+text) }

func (b *builder) read(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		b.t.Fatal(err)
	}
	return string(text)
}

func (b *builder) write(file, text string) {
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// module copies another module, once.
func (b *builder) module(path string) string {
	if copied, ok := b.modules[path]; ok {
		return copied
	}
	from := strings.TrimSpace(b.run("go", "list", "-m", "-f", "{{.Dir}}", path))
	copied := filepath.Join(b.dir, "module", path)
	if err := os.CopyFS(copied, os.DirFS(from)); err != nil {
		b.t.Fatal(err)
	}
	b.run("chmod", "-R", "u+w", copied)
	b.modules[path] = copied
	return copied
}

func (b *builder) overlay() string {
	text, err := json.Marshal(map[string]any{"Replace": b.replaced})
	if err != nil {
		b.t.Fatal(err)
	}
	name := filepath.Join(b.dir, "overlay.json")
	b.write(name, string(text))
	return name
}

// modfile writes a go.mod in which the copies stand for their modules.
func (b *builder) modfile() string {
	name := filepath.Join(b.dir, "guards.mod")
	b.write(name, b.read(filepath.Join(root, "go.mod")))
	b.write(filepath.Join(b.dir, "guards.sum"), b.read(filepath.Join(root, "go.sum")))
	for module, copied := range b.modules {
		b.run("go", "mod", "edit", "-replace", module+"="+copied, name)
	}
	return name
}

// run runs a command in the folder of the module.
func (b *builder) run(name string, args ...string) string {
	b.t.Helper()
	cmd := exec.CommandContext(b.t.Context(), name, args...)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	if err != nil {
		b.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}
