package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Outcomes of a test.
const (
	outcomePass = "pass"
	outcomeFail = "FAIL"
	outcomeSkip = "skip"
)

// A result is what became of one test. It is kept, so that a test can be run again alone.
type result struct {
	Outcome string
	Took    time.Duration
	Parts   []string // subtests that failed, none below another
	Note    string   // why it was skipped
}

// runOne runs one test and keeps its result and its output.
func (s *suite) runOne(name string) (result, error) {
	start := time.Now()
	// Some leave a data directory where they run.
	if err := errors.Join(os.RemoveAll(s.dir), os.MkdirAll(s.dir, 0o755)); err != nil {
		return result{}, err
	}
	c := isolated(s.program, "-test.run", "^"+name+"$", "-test.v", "-test.timeout", testTime.String())
	c.Dir = s.dir
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := c.Run()
	if ended := new(exec.ExitError); err != nil && !errors.As(err, &ended) {
		return result{}, fmt.Errorf("%s/%s: %w", s.name, name, err)
	}
	r := judge(name, out.String())
	r.Took = time.Since(start)
	encoded, err := json.Marshal(r)
	if err != nil {
		return r, err
	}
	base := filepath.Join(s.results, name)
	return r, errors.Join(os.WriteFile(base+".log", out.Bytes(), 0o644),
		os.WriteFile(base+".json", encoded, 0o644))
}

var (
	failedPart = regexp.MustCompile(`(?m)^ *--- FAIL: (\S+)`)
	folders    = regexp.MustCompile(`/(?:[^/"\s]+/)+`) // a path of this machine is no reason
	skipReason = regexp.MustCompile(`(?m)^ +\w+\.go:\d+: (.*)\n--- SKIP`)
)

// judge reads what a test has printed. A test that does not say that it has passed has not. The
// status says less: the suites look for goroutines that were left over, and a test that is run
// alone and does not wait for the end of its server leaves some, with etcd itself as well.
func judge(name, out string) result {
	switch {
	case strings.Contains(out, "\n--- SKIP: "+name+" "):
		r := result{Outcome: outcomeSkip}
		if match := skipReason.FindStringSubmatch(out); match != nil {
			r.Note = folders.ReplaceAllString(match[1], "")
		}
		return r
	case strings.Contains(out, "\n--- PASS: "+name+" "):
		return result{Outcome: outcomePass}
	}
	return result{Outcome: outcomeFail, Parts: failedParts(name, out)}
}

// failedParts are the innermost subtests that failed, by their names below the test.
func failedParts(name, out string) (parts []string) {
	all := failedPart.FindAllStringSubmatch(out, -1)
	for _, match := range all {
		part, inner := strings.CutPrefix(match[1], name+"/")
		leaf := true
		for _, other := range all {
			leaf = leaf && !strings.HasPrefix(other[1], match[1]+"/")
		}
		if inner && leaf {
			parts = append(parts, part)
		}
	}
	return sorted(parts)
}

// load reads what a run has kept; false: it was never run.
func (s *suite) load(name string) (r result, ok bool, err error) {
	encoded, err := os.ReadFile(filepath.Join(s.results, name+".json"))
	if errors.Is(err, os.ErrNotExist) {
		return r, false, nil
	}
	if err == nil {
		err = json.Unmarshal(encoded, &r)
	}
	return r, true, err
}
