package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"detcd/cmd/detcd/testbed"
)

// masks is what may differ between two runs of the same command, and what it is replaced by.
const masks = `
"raft_?[tT]erm":[0-9]+                TERM
"RaftTerm" : [0-9]+                   TERM
"raft(Applied)?Index":[0-9]+          INDEX
"Raft(Applied)?Index" : [0-9]+        INDEX
"dbSize(InUse)?":[0-9]+               SIZE
"DBSize(InUse)?" : [0-9]+             SIZE
│ *[0-9]+ [kM]B *                      SIZE
[0-9]+ [kM]B                          SIZE
[0-9]+%, [0-9.]+ GB, true, false, [0-9, ]+  STATUS
│ *[0-9]+% │.*                         STATUS
│? *TOOK *                            TOOK
127\.0\.0\.1:[1-9][0-9]{4}            ENDPOINT
(took = |"took":"|"Took" : )[0-9.]+[mµn]?s  TOOK
[0-9.]+[mµn]s                         TOOK
remaining\([0-9]+s\)                  REMAINING
"ttl":[0-9]+                          TTL
"TTL" : [0-9]+                        TTL
"(ID|id|lease)":[0-9]{13,}            LEASE
"(ID|Lease)" : [0-9]{13,}             LEASE
"(ID|Lease)" : [0-9a-f]{13,16}        LEASE
[0-9a-f]{13,16}                       HEX
mylk/[^"]*                            KEY
(bXlsay8|bXllbC8)[0-9A-Za-z+/=]*      KEY
─+                                    ─
`

// mask replaces what may differ.
func mask(output string) string {
	for line := range strings.Lines(strings.TrimSpace(masks)) {
		pattern, replacement, _ := strings.Cut(line, "  ")
		output = regexp.MustCompile(pattern).ReplaceAllString(output, strings.TrimSpace(replacement))
	}
	return output
}

// A step is one command of the script.
type step struct {
	line     int
	words    []string
	environ  []string
	input    string
	until    int  // lines after which it is interrupted
	exitOnly bool // what is said to the person differs
}

// String is how messages name the step.
func (s step) String() string {
	return fmt.Sprintf("line %d: %s", s.line, strings.Join(s.words, " "))
}

// readSteps parses a script.
func readSteps(t *testing.T, name string) []step {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var steps []step
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		line = strings.TrimSuffix(line, "\n")
		if input, ok := strings.CutPrefix(line, "|"); ok {
			steps[len(steps)-1].input += strings.TrimPrefix(input, " ") + "\n"
		} else if line != "" && !strings.HasPrefix(line, "#") {
			steps = append(steps, readStep(t, number, shellWords(line)))
		}
	}
	return steps
}

func readStep(t *testing.T, number int, words []string) step {
	t.Helper()
	s := step{line: number}
	for {
		switch words[0] {
		case "exit":
			s.exitOnly, words = true, words[1:]
		case "env":
			s.environ, words = append(s.environ, words[1]), words[2:]
		case "until":
			n, err := strconv.Atoi(words[1])
			if err != nil {
				t.Fatalf("line %d: %v", number, err)
			}
			s.until, words = n, words[2:]
		default:
			s.words = words
			return s
		}
	}
}

// shellWords splits a line at spaces that are not between double quotes.
func shellWords(line string) []string {
	var all []string
	for i, part := range strings.Split(line, `"`) {
		if i%2 == 1 {
			all = append(all, part)
		} else {
			all = append(all, strings.Fields(part)...)
		}
	}
	return all
}

// An operator runs one of the two programs against a server.
type operator struct {
	binary, endpoint, dir string
	lease                 string // the last that was granted
}

// stepTimeout ends what does not end by itself and should.
const stepTimeout = time.Minute

// A result is what a person or a script sees of a command.
type result struct {
	stdout, stderr string
	status         string
}

// run runs a step.
func (o *operator) run(s step) (result, error) {
	arguments := []string{"--endpoints", o.endpoint}
	for _, word := range s.words {
		arguments = append(arguments, strings.ReplaceAll(word, "$LEASE", o.lease))
	}
	ctx, cancel := context.WithTimeout(context.Background(), stepTimeout)
	defer cancel()
	process := exec.CommandContext(ctx, o.binary, arguments...)
	process.Dir = o.dir
	process.Env = append(os.Environ(), s.environ...)
	process.Stdin = strings.NewReader(s.input)
	if s.until > 0 { // input that stays open
		input, writer, err := os.Pipe()
		if err != nil {
			return result{}, err
		}
		defer input.Close()
		defer writer.Close()
		if _, err := writer.WriteString(s.input); err != nil {
			return result{}, err
		}
		process.Stdin = input
	}
	var stdout, stderr bytes.Buffer
	process.Stdout, process.Stderr = &stdout, &stderr
	if s.until > 0 {
		process.Stdout = &interrupter{kept: &stdout, left: s.until, process: process}
	}
	err := process.Run()
	if ctx.Err() != nil {
		return result{}, fmt.Errorf("%s %v did not end:\n%s%s", o.binary, s, &stdout, &stderr)
	}
	if process.ProcessState == nil {
		return result{}, err
	}
	if granted := regexp.MustCompile(`^lease ([0-9a-f]{16}) granted`).
		FindStringSubmatch(stdout.String()); granted != nil {
		o.lease = granted[1]
	}
	return result{
		mask(stdout.String()), mask(stderr.String()), process.ProcessState.String(),
	}, nil
}

// An interrupter interrupts a process when it has printed enough lines. What comes later is
// dropped.
type interrupter struct {
	kept    *bytes.Buffer
	left    int
	process *exec.Cmd
}

func (i *interrupter) Write(p []byte) (int, error) {
	for line := range bytes.Lines(p) {
		if i.left <= 0 {
			break
		}
		i.kept.Write(line)
		if bytes.HasSuffix(line, []byte("\n")) {
			if i.left--; i.left == 0 {
				_ = i.process.Process.Signal(syscall.SIGINT)
			}
		}
	}
	return len(p), nil
}

// said is what is said to the person: without logs, which only etcdctl writes, without help, which
// is in other words, and without advice, which only detcdctl gives.
func said(stderr string) string {
	var rest strings.Builder
	lines := bufio.NewScanner(strings.NewReader(stderr))
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "Usage:") {
			break
		}
		if !strings.HasPrefix(line, "{") && !strings.HasPrefix(line, "Hint:") &&
			!strings.HasPrefix(line, "Cause:") && line != "" {
			rest.WriteString(strings.ReplaceAll(line, "detcdctl", "etcdctl") + "\n")
		}
	}
	return rest.String()
}

// buildDetcdctl builds the program into a directory of the test.
func buildDetcdctl(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "detcdctl")
	if output, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, output)
	}
	return path
}

// pair starts two servers that are equal, one for each program.
func pair(t *testing.T) [2]*operator {
	t.Helper()
	var operators [2]*operator
	for i, binary := range []string{testbed.Tool(t, "etcdctl"), buildDetcdctl(t)} {
		cluster := testbed.Launch(t, testbed.Options{
			Binary: testbed.Tool(t, "etcd"), Args: append(testbed.Alike(), "--bcrypt-cost=4"),
		})
		operators[i] = &operator{binary: binary, endpoint: cluster.Endpoints()[0], dir: t.TempDir()}
	}
	return operators
}

// both runs a step with both programs.
func both(t *testing.T, operators [2]*operator, s step) (theirs, ours result) {
	t.Helper()
	var results [2]result
	var group errgroup.Group
	for i, operator := range operators {
		group.Go(func() (err error) {
			results[i], err = operator.run(s)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
	return results[0], results[1]
}

func TestEveryCommandPrintsAndExitsAsEtcdctlDoes(t *testing.T) {
	t.Parallel()
	operators := pair(t)
	for _, s := range readSteps(t, "testdata/same.txt") {
		theirs, ours := both(t, operators, s)
		theirs.stderr, ours.stderr = said(theirs.stderr), said(ours.stderr)
		if s.exitOnly {
			theirs.stderr, ours.stderr = "", ""
			if s.words[0] == "version" || s.words[0] == "options" {
				theirs.stdout, ours.stdout = "", ""
			}
		}
		if theirs != ours {
			t.Errorf("%v:\netcdctl:  %s\n%s%s\ndetcdctl: %s\n%s%s", s, theirs.status, theirs.stdout,
				theirs.stderr, ours.status, ours.stdout, ours.stderr)
		}
	}
}
