package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"detcd/cmd/detcd/testbed"
	"detcd/kv/server"
)

// A call is one run of the program in this process.
type call struct {
	out, errors bytes.Buffer
	status      int
}

// runHere runs the program in this process.
func runHere(ctx context.Context, args ...string) *call {
	c := &call{}
	p := &program{
		in: bufio.NewReader(strings.NewReader("")), out: &c.out, errors: &c.errors,
	}
	c.status = p.run(ctx, args)
	return c
}

// mustRun is runHere for what must succeed; it returns what was printed.
func mustRun(t *testing.T, args ...string) string {
	t.Helper()
	c := runHere(t.Context(), args...)
	if c.status != 0 {
		t.Fatalf("%q: status %d\n%s%s", args, c.status, &c.out, &c.errors)
	}
	return c.out.String()
}

func TestASnapshotIsSavedLookedAtAndRestored(t *testing.T) {
	cluster := testbed.Launch(t, testbed.Options{Binary: testbed.Tool(t, "etcd")})
	endpoint := cluster.Endpoints()[0]
	for i := range 20 {
		mustRun(t, "--endpoints", endpoint, "put", fmt.Sprint("key", i%7), fmt.Sprint(i))
	}
	mustRun(t, "--endpoints", endpoint, "del", "key3")
	file := filepath.Join(t.TempDir(), "snapshot.db")
	said := mustRun(t, "--endpoints", endpoint, "snapshot", "save", file)
	if said != "Snapshot saved at "+file+"\nServer version 3.7.0\n" {
		t.Error(said)
	}
	if _, err := os.Stat(file + ".part"); !os.IsNotExist(err) {
		t.Errorf("the file beside it is there: %v", err)
	}
	etcdutl := testbed.Tool(t, "etcdutl")
	for _, format := range []string{"simple", "json", "fields", "table"} {
		want, err := exec.Command(etcdutl, "snapshot", "status", file, "-w", format).Output()
		if err != nil {
			t.Fatal(err)
		}
		if got := mustRun(t, "snapshot", "status", file, "-w", format); got != string(want) {
			t.Errorf("etcdutl:  %s\ndetcdctl: %s", want, got)
		}
	}
	dir := filepath.Join(t.TempDir(), "data")
	mustRun(t, "snapshot", "restore", file, "--data-dir", dir, "--initial-cluster",
		"default=http://localhost:2380")
	if err := server.Verify(dir, "", io.Discard); err != nil {
		t.Error(err)
	}
	c := runHere(t.Context(), "snapshot", "restore", file, "--data-dir", dir)
	if c.status != exitError {
		t.Errorf("into a directory that is not empty: %+v", c)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/2] ^= 1
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if c := runHere(t.Context(), "snapshot", "status", file); c.status != exitError {
		t.Errorf("a damaged file: %+v", c)
	}
}

func TestASnapshotEndsWithItsSum(t *testing.T) {
	content := bytes.Repeat([]byte("detcd"), 512)
	sum := sha256.Sum256(content)
	whole := append(content, sum[:]...)
	for _, c := range []struct {
		name  string
		bytes []byte
		good  bool
	}{
		{"whole", whole, true}, {"cut", whole[:len(whole)-512], false},
		{"without a sum", whole[:len(content)], false}, {"empty", nil, false},
		{"changed", append([]byte("D"), whole[1:]...), false},
	} {
		for _, size := range []int{1, 31, 32, 33, 1000, 1 << 20} {
			check := tailSum{sum: sha256.New()}
			for rest := c.bytes; len(rest) > 0; rest = rest[min(size, len(rest)):] {
				check.add(rest[:min(size, len(rest))])
			}
			if err := check.compare(int64(len(c.bytes))); (err == nil) != c.good {
				t.Errorf("%s, in pieces of %d: %v", c.name, size, err)
			}
		}
	}
}

func TestAMirrorHasWhatIsThereAndWhatComes(t *testing.T) {
	etcd := testbed.Tool(t, "etcd")
	from := testbed.Launch(t, testbed.Options{Binary: etcd}).Endpoints()[0]
	to := testbed.Launch(t, testbed.Options{Binary: etcd}).Endpoints()[0]
	source, destination := testbed.Client(t, from), testbed.Client(t, to)
	write := func(key, value string) {
		t.Helper()
		if _, err := source.Put(t.Context(), key, value); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 300 {
		write(fmt.Sprintf("jobs/%03d", i), "x")
	}
	for i := range 5 { // more than one request may hold
		write(fmt.Sprintf("jobs/big%d", i), strings.Repeat("x", 600<<10))
	}
	write("other", "x")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan *call)
	go func() {
		ended <- runHere(ctx, "--endpoints", from, "make-mirror", "--prefix", "jobs/",
			"--dest-prefix", "copy/jobs/", to)
	}()
	await(t, destination, "copy/", 305)
	if _, err := source.Txn(t.Context()).Then(clientv3.OpDelete("jobs/000"),
		clientv3.OpPut("jobs/new1", "1"), clientv3.OpPut("jobs/new2", "2")).Commit(); err != nil {
		t.Fatal(err)
	}
	await(t, destination, "copy/", 306)
	await(t, destination, "copy/jobs/000", 0)
	await(t, destination, "", 306)
	cancel()
	if c := <-ended; c.status == 0 || c.out.Len() > 0 {
		t.Errorf("%+v", c)
	}
}

// await waits until so many keys begin with a prefix.
func await(t *testing.T, client *clientv3.Client, prefix string, count int64) {
	t.Helper()
	for {
		r, err := client.Get(t.Context(), prefix, clientv3.WithPrefix(), clientv3.WithCountOnly())
		if err != nil {
			t.Fatal(err)
		}
		if r.Count == count {
			return
		}
		select {
		case <-t.Context().Done():
			t.Fatalf("%d keys begin with %q; want %d", r.Count, prefix, count)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func TestChecksWriteJudgeAndCleanUp(t *testing.T) {
	cluster := testbed.Launch(t, testbed.Options{Binary: testbed.Tool(t, "etcd")})
	c := &call{}
	p := &program{out: &c.out, errors: &c.errors}
	root := p.root()
	if err := root.PersistentFlags().Set("endpoints", cluster.Endpoints()[0]); err != nil {
		t.Fatal(err)
	}
	root.SetContext(t.Context())
	s, err := p.open(root)
	if err != nil {
		t.Fatal(err)
	}
	if s.client, err = s.dial(s.spec); err != nil {
		t.Fatal(err)
	}
	defer s.close()
	flags := checking{compact: true, defrag: true}
	_ = s.perf(load{ // a busy machine may fail it
		clients: 3, rate: 50, duration: time.Second, keyBytes: 20, valBytes: 20, prefix: "p/",
	}, flags)
	if err := s.datascale(load{
		clients: 3, count: 100, keyBytes: 20, valBytes: 20, prefix: "d/",
	}, flags); err != nil {
		t.Error(err)
	}
	for _, want := range []string{
		`Throughput.* [0-9]+ writes/s`, `Slowest request took`, `Stddev`, `(?m)^(PASS|FAIL)$`,
		`Compacted with revision [0-9]+`, `Defragmented "127`, `100 key-value pairs, 40 bytes`,
		`PASS: Approximate system memory used : -?[0-9.]+ MB`,
	} {
		if !regexp.MustCompile(want).MatchString(c.out.String()) {
			t.Errorf("%s is missing:\n%s%s", want, &c.out, &c.errors)
		}
	}
	await(t, s.client, "", 0)
}

func TestALoadIsJudgedByThreeLimits(t *testing.T) {
	for _, c := range []struct {
		name  string
		took  []time.Duration
		error error
		want  string
	}{
		{"good", []time.Duration{time.Millisecond, time.Millisecond}, nil,
			"PASS: Throughput is 3 writes/s\nPASS: Slowest request took 0.001000s\n" +
				"PASS: Stddev is 0.000000s\n"},
		{"too few", []time.Duration{time.Millisecond}, nil,
			"FAIL: Throughput too low: 2 writes/s\nPASS: Slowest request took 0.001000s\n" +
				"PASS: Stddev is 0.000000s\n"},
		{"slow", []time.Duration{0, time.Second}, nil,
			"PASS: Throughput is 3 writes/s\nSlowest request took too long: 1.000000s\n" +
				"Stddev too high: 0.500000s\n"},
		{"wrong", []time.Duration{0, 0}, io.ErrUnexpectedEOF,
			"FAIL: too many errors\nFAIL: ERROR(unexpected EOF) -> 1\nPASS: Throughput is 3 writes/s\n" +
				"PASS: Slowest request took 0.000000s\nPASS: Stddev is 0.000000s\n"},
	} {
		o := &outcome{errors: map[string]int{}, elapsed: time.Second}
		for _, took := range c.took {
			o.add(took, nil)
		}
		if c.error != nil {
			o.add(0, c.error)
		}
		var out bytes.Buffer
		s := &session{program: &program{out: &out}}
		if passed := s.judge(o, 2); passed != (c.name == "good") || out.String() != c.want {
			t.Errorf("%s: %v\n%s", c.name, passed, &out)
		}
	}
}
