package clienttest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"detcd/cmd/detcd/testbed"
)

// masks is what may differ between two runs of the same command, and what it is replaced by.
const masks = `
"raft_?[tT]erm":[0-9]+           TERM
"RaftTerm" : [0-9]+              TERM
"raftIndex":[0-9]+               INDEX
"RaftIndex" : [0-9]+             INDEX
"raftAppliedIndex":[0-9]+        APPLIED
"RaftAppliedIndex" : [0-9]+      APPLIED
"dbSize":[0-9]+                  SIZE
"DBSize" : [0-9]+                SIZE
"dbSizeInUse":[0-9]+             USED
"DBSizeInUse" : [0-9]+           USED
127\.0\.0\.1:[1-3][0-9]{4}       ENDPOINT
took (= )?[0-9.]+[mµn]?s         TOOK
"took":"[0-9.]+[mµn]?s"          TOOK
remaining\([0-9]+s\)             REMAINING
"ttl":[0-9]+                     TTL
"TTL" : [0-9]+                   TTL
"(ID|id|lease)":[0-9]{13,}       LEASE
"(ID|Lease)" : [0-9]{13,}        LEASE
[0-9a-f]{13,16}                  HEX
`

// mask replaces what may differ. The member's and the cluster's ID are equal on both sides, and
// stay.
func mask(output string) string {
	for line := range strings.Lines(strings.TrimSpace(masks)) {
		pattern, replacement, _ := strings.Cut(line, "  ")
		mask := strings.TrimSpace(replacement)
		output = regexp.MustCompile(pattern).ReplaceAllString(output, mask)
	}
	return output
}

// A command is one line of the script with its input.
type command struct {
	line  int
	words []string
	input string
}

// String is how messages name the command.
func (c command) String() string {
	return fmt.Sprintf("line %d: etcdctl %s", c.line, strings.Join(c.words, " "))
}

// readScript parses a script.
func readScript(t *testing.T, name string) []command {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var script []command
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		line = strings.TrimSuffix(line, "\n")
		if input, ok := strings.CutPrefix(line, "|"); ok {
			script[len(script)-1].input += strings.TrimPrefix(input, " ") + "\n"
			continue
		}
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		script = append(script, command{line: number, words: words(line)})
	}
	return script
}

// words splits a line at spaces that are not between double quotes.
func words(line string) []string {
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

// An operator runs etcdctl against one server.
type operator struct {
	etcdctl, endpoint string
	dir               string // its working directory
	lease             string // the last that was granted
}

// What does not end by itself, watches and elections, is ended when it has said nothing more for
// quietTime, or nothing at all for silenceTime.
const (
	quietTime   = time.Second
	silenceTime = 4 * time.Second
)

// spoken is what a command has said. It begins to wait for the end of it with each word.
type spoken struct {
	bytes.Buffer
	quiet *time.Timer // nil: it ends by itself
}

func (s *spoken) Write(b []byte) (int, error) {
	if s.quiet != nil {
		s.quiet.Reset(quietTime)
	}
	return s.Buffer.Write(b)
}

// run runs a command and returns all that a person or a script sees of it.
func (o *operator) run(c command) string {
	arguments := []string{"--endpoints", o.endpoint}
	for _, word := range c.words {
		arguments = append(arguments, strings.ReplaceAll(word, "$LEASE", o.lease))
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var stdout, stderr spoken
	if c.words[0] == "watch" || c.words[0] == "elect" {
		stdout.quiet = time.AfterFunc(silenceTime, cancel)
		stderr.quiet = stdout.quiet
	}
	process := exec.CommandContext(ctx, o.etcdctl, arguments...)
	process.Cancel = func() error { return process.Process.Signal(syscall.SIGINT) }
	process.WaitDelay = time.Minute
	process.Dir = o.dir
	process.Stdin = strings.NewReader(c.input)
	process.Stdout, process.Stderr = &stdout, &stderr
	err := process.Run()
	if granted := regexp.MustCompile(`^lease ([0-9a-f]{16}) granted`).
		FindStringSubmatch(stdout.String()); granted != nil {
		o.lease = granted[1]
	}
	return fmt.Sprintf("%s%s[%v, %v]", stdout.String(), withoutLog(stderr.String()),
		process.ProcessState, err)
}

// withoutLog removes the client's log, which has times in it.
func withoutLog(stderr string) string {
	var rest strings.Builder
	for line := range strings.Lines(stderr) {
		if !strings.HasPrefix(line, "{") {
			rest.WriteString(line)
		}
	}
	return rest.String()
}

// transcripts runs a script against two servers and reports every difference.
func transcripts(t *testing.T, binaryA, binaryB string) {
	t.Parallel()
	var operators []*operator
	for _, binary := range []string{binaryA, binaryB} {
		cluster := testbed.Launch(t, testbed.Options{
			Binary: binary, Args: append(testbed.Alike(), "--bcrypt-cost=4"),
		})
		operators = append(operators, &operator{
			etcdctl: testbed.Tool(t, "etcdctl"), endpoint: cluster.Endpoints()[0],
			dir: t.TempDir(),
		})
	}
	for _, c := range readScript(t, "testdata/etcdctl.txt") {
		var group errgroup.Group
		said := make([]string, len(operators))
		for i, operator := range operators {
			group.Go(func() error {
				said[i] = operator.run(c)
				return nil
			})
		}
		_ = group.Wait()
		if a, b := mask(said[0]), mask(said[1]); a != b {
			t.Errorf("%v:\nA: %s\nB: %s", c, a, b)
		}
	}
}

func TestEtcdctlSaysTheSameOfEtcdAndEtcd(t *testing.T) {
	etcd := testbed.Tool(t, "etcd")
	transcripts(t, etcd, etcd)
}

func TestEtcdctlSaysTheSameOfEtcdAndDetcd(t *testing.T) {
	transcripts(t, testbed.Tool(t, "etcd"), testbed.Detcd(t))
}
