// Package builds tests that a seed is the same run in every build of the program.
package builds

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

var (
	buildFirst  = flag.Uint64("build-first", 1, "the first seed that every build runs")
	buildSeeds  = flag.Uint64("build-seeds", 6, "how many seeds every build runs")
	buildLength = flag.Duration("build-duration", 15*time.Second, "virtual time of these runs")
)

// A build is one way in which the same source is made into a program and run.
type build struct {
	name string
	env  []string // of go build
	args []string // of go build
	run  func(ctx context.Context, program string, args ...string) (string, error)
}

// builds are all ways; the first is the one that the others are compared with. Wasm is run by an
// interpreter that is itself a Go module, so that it needs nothing but Go. See decision 0901.
func builds() []build {
	return []build{
		{name: "GOMAXPROCS=1", run: native("GOMAXPROCS=1")},
		{name: "GOMAXPROCS=2", run: native("GOMAXPROCS=2")},
		{name: "race", args: []string{"-race"}, run: native()},
		{name: "386", env: []string{"GOARCH=386", "CGO_ENABLED=0"}, run: native()},
		{name: "wasm", env: []string{"GOOS=wasip1", "GOARCH=wasm"}, run: wasm},
	}
}

// errCannot says that this machine cannot make or run a build.
var errCannot = errors.New("this machine cannot run it")

// A seed is the same run, event for event, whatever the program was built for: that is what makes a
// seed something that can be passed on.
func TestASeedHasOneHashInEveryBuild(t *testing.T) {
	args := []string{"-first", fmt.Sprint(*buildFirst), "-count", fmt.Sprint(*buildSeeds),
		"-duration", buildLength.String()}
	var first *built
	for _, b := range builds() {
		one, err := makeBuild(t, b)
		if errors.Is(err, errCannot) {
			t.Logf("passed over: %s: %v", b.name, err)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if one.told, err = one.run(t.Context(), one.program, args...); err != nil {
			t.Fatalf("%s: %v\n%s", b.name, err, one.told)
		}
		t.Logf("%-14s %d seeds in %v", b.name, *buildSeeds, time.Since(start).Round(time.Millisecond))
		if first == nil {
			first = one
			continue
		}
		for _, seed := range differing(first.told, one.told) {
			first.sameSources(t)
			t.Errorf("seed %d is not one run:\n%s", seed, explain(t, seed, first, one))
		}
	}
}

// That the test above can fail: a program that crashes a member after five seconds, as no other
// does, is found out, and the first event that differs is that crash.
func TestABuildThatDiffersIsFoundOut(t *testing.T) {
	right, err := makeBuild(t, builds()[0])
	if err != nil {
		t.Fatal(err)
	}
	wrong := *right
	wrong.name = "disturbed"
	wrong.run = func(ctx context.Context, program string, args ...string) (string, error) {
		return right.run(ctx, program, append(args, "-disturb", "5s")...)
	}
	args := []string{"-first", "4", "-count", "3", "-duration", "10s"}
	for _, b := range []*built{right, &wrong} {
		if b.told, err = b.run(t.Context(), b.program, args...); err != nil {
			t.Fatal(err)
		}
	}
	seeds := differing(right.told, wrong.told)
	if len(seeds) != 3 {
		t.Fatalf("of three seeds that differ, %v are found", seeds)
	}
	*buildLength = min(*buildLength, 10*time.Second)
	text := explain(t, 4, right, &wrong)
	t.Log("\n" + text)
	if !strings.Contains(text, "5.000000s") || !strings.Contains(text, "disturbed: ") ||
		!strings.Contains(text, "crashes") {
		t.Error("the first event that differs is not told")
	}
}

// A built program, and what it told.
type built struct {
	build
	program string
	told    string
}

// makeBuild builds testdata/runner. What differs only in how it is run is built once, by the cache
// of the go command.
func makeBuild(t *testing.T, b build) (*built, error) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "runner")
	args := append([]string{"build", "-buildvcs=false", "-o", program}, b.args...)
	cmd := exec.CommandContext(t.Context(), "go", append(args, "./testdata/runner")...)
	cmd.Env = append(os.Environ(), b.env...)
	out, err := cmd.CombinedOutput()
	if err == nil {
		return &built{build: b, program: program}, nil
	}
	for _, reason := range []string{"requires cgo", "not supported on", "executable file not found"} {
		if bytes.Contains(out, []byte(reason)) {
			return nil, fmt.Errorf("%w: %s", errCannot, bytes.TrimSpace(out))
		}
	}
	return nil, fmt.Errorf("%s: %w\n%s", b.name, err, out)
}

// sameSources ends the test if somebody edits what it compares: a build is the same to the byte as
// long as its sources are.
func (b *built) sameSources(t *testing.T) {
	t.Helper()
	again, err := makeBuild(t, b.build)
	if err != nil {
		t.Fatal(err)
	}
	was, err := os.ReadFile(b.program)
	is, errNow := os.ReadFile(again.program)
	if err != nil || errNow != nil || !bytes.Equal(was, is) {
		t.Fatalf("the sources changed while this test built them (%v, %v)", err, errNow)
	}
}

func native(env ...string) func(context.Context, string, ...string) (string, error) {
	return func(ctx context.Context, program string, args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, program, args...)
		cmd.Env = append(os.Environ(), env...)
		out, err := cmd.CombinedOutput()
		if errors.Is(err, syscall.ENOEXEC) {
			err = fmt.Errorf("%w: %w", errCannot, err)
		}
		return string(out), err
	}
}

// wasm gives the program true randomness and a true clock, so that it has the chance to use them.
func wasm(ctx context.Context, program string, args ...string) (string, error) {
	code, err := os.ReadFile(program)
	if err != nil {
		return "", err
	}
	machine := wazero.NewRuntime(ctx)
	defer machine.Close(ctx)
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, machine); err != nil {
		return "", err
	}
	var out strings.Builder
	config := wazero.NewModuleConfig().WithArgs(append([]string{"runner"}, args...)...).
		WithStdout(&out).WithStderr(&out).WithRandSource(rand.Reader).WithSysNanotime().
		WithSysWalltime()
	_, err = machine.InstantiateWithConfig(ctx, code, config)
	return out.String(), err
}

// differing returns the seeds whose lines are not equal.
func differing(a, b string) (seeds []uint64) {
	linesA, linesB := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range max(len(linesA), len(linesB)) {
		var lineA, lineB string
		if i < len(linesA) {
			lineA = linesA[i]
		}
		if i < len(linesB) {
			lineB = linesB[i]
		}
		if lineA != lineB {
			seed := *buildFirst + uint64(i)
			_, _ = fmt.Sscanf(lineA, "seed %d:", &seed)
			seeds = append(seeds, seed)
		}
	}
	return seeds
}

// explain runs a seed on both sides again, with every event, and tells the first that differs.
func explain(t *testing.T, seed uint64, a, b *built) string {
	args := []string{"-first", fmt.Sprint(seed), "-duration", buildLength.String(), "-trace"}
	var traces [2][]string
	for i, side := range []*built{a, b} {
		out, err := side.run(t.Context(), side.program, args...)
		if err != nil {
			return fmt.Sprintf("%s: %v\n%s", side.name, err, out)
		}
		traces[i] = append(strings.Split(out, "\n"), "nothing any more")
	}
	for i := range min(len(traces[0]), len(traces[1])) {
		if traces[0][i] == traces[1][i] {
			continue
		}
		before := traces[0][max(0, i-3):i]
		return fmt.Sprintf("  both: %s\n  %s: %s\n  %s: %s", strings.Join(before, "\n  both: "),
			a.name, traces[0][i], b.name, traces[1][i])
	}
	return "it is, when it is told event by event: what differs is not in the trace"
}
