// Suites runs etcd's own common and e2e tests against detcd: what etcd's authors hold true of an
// etcd is a specification that nobody here has written.
//
//	go run ./.ci/suites --bin bin --tools .cache/etcd            all of them, about an hour
//	go run ./.ci/suites --run 'TestV3Curl.*' ...                 some; the rest keep their results
//	go run ./.ci/suites --document docs/compatibility.md ...     and write the score there
//
// The tests come from the Go module proxy (etcd/go.mod names the version), are built once, and run
// one at a time, each in a process of its own and in namespaces of its own: they use fixed ports,
// and what one leaves behind must not meet the next. Linux only. Some of them call curl.
//
// The status is 1 if a test does not pass that reasons.txt does not explain, or if one passes that
// it does explain.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"
)

// A job is what is to be done.
type job struct {
	bin, tools, work string
	run              *regexp.Regexp
	document         string
	reasons          map[string]string // by "suite/Test"
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == insideWord {
		os.Exit(inside(os.Args[2:]))
	}
	if err := perform(); err != nil {
		fmt.Fprintln(os.Stderr, "suites:", err)
		os.Exit(1)
	}
}

func perform() error {
	var j job
	flag.StringVar(&j.bin, "bin", "bin", "where detcd is")
	flag.StringVar(&j.tools, "tools", ".cache/etcd", "where etcdctl and etcdutl are")
	flag.StringVar(&j.work, "work", ".cache/suites", "where to build and to keep results")
	flag.StringVar(&j.document, "document", "", "where to write the score")
	pattern := flag.String("run", ".", "which tests to run; the others keep their results")
	explained := flag.String("reasons", ".ci/suites/reasons.txt", "why some do not pass")
	flag.Parse()
	var err error
	if j.run, err = regexp.Compile("^(" + *pattern + ")"); err != nil {
		return err
	}
	if *pattern == "." {
		j.run = regexp.MustCompile(".")
	}
	if j.reasons, err = readReasons(*explained); err != nil {
		return err
	}
	if j.work, err = filepath.Abs(j.work); err != nil {
		return err
	}
	suites, err := j.prepare()
	if err != nil {
		return err
	}
	for i := range suites {
		if err := j.runSuite(&suites[i]); err != nil {
			return err
		}
	}
	return j.finish(suites)
}

// runSuite runs those tests of a suite that are wanted.
func (j *job) runSuite(s *suite) error {
	for _, name := range s.tests {
		if !j.run.MatchString(name) {
			continue
		}
		r, err := s.runOne(name)
		if err != nil {
			return err
		}
		fmt.Printf("%-4s  %-6s  %-60s  %.1fs\n", r.Outcome, s.name, name, r.Took.Seconds())
	}
	return nil
}

// finish writes the score, and tells whether it is as it should be.
func (j *job) finish(suites []suite) error {
	s, err := collect(suites, j)
	if err != nil {
		return err
	}
	fmt.Print(s.counted())
	if j.document != "" {
		if err := s.writeInto(j.document); err != nil {
			return err
		}
	}
	var all []error
	for _, name := range s.unexplained {
		all = append(all, fmt.Errorf("%s does not pass, and reasons.txt has no reason", name))
	}
	for _, name := range s.stale {
		all = append(all, fmt.Errorf("%s passes, and reasons.txt says why it does not", name))
	}
	return errors.Join(all...)
}

// testTime bounds one test, far beyond what any takes: it is for one that hangs.
const testTime = 10 * time.Minute

// wanted tells whether a word of the list of tests is a test.
func wanted(line string) bool { return len(line) > 4 && line[:4] == "Test" }

// sorted returns the tests in the order of their names.
func sorted(tests []string) []string {
	slices.Sort(tests)
	return slices.Compact(tests)
}
