package mvcc

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"detcd/storage/vfs"
)

// A script is a story that a person can read: requests, one on a line, and below each what came of
// it, on lines that begin with a mark. Lines that begin with # are for the reader.
const mark = "  "

// play performs the requests of a file and compares what comes of them, or rewrites the file.
func play(t *testing.T, file string, rewrite bool, do func(request []string) string) {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for line := range strings.Lines(string(data)) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, mark) {
			continue
		}
		out.WriteString(line + "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		for answer := range strings.Lines(do(strings.Fields(line))) {
			out.WriteString(mark + strings.TrimRight(answer, "\n") + "\n")
		}
	}
	if rewrite {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got, want := out.String(), string(data); got != want {
		t.Errorf("%s: got\n%s\nwant\n%s", file, got, want)
	}
}

// scripts runs a test for each file of a folder.
func scripts(t *testing.T, folder string, test func(t *testing.T, file string)) {
	files, err := filepath.Glob(filepath.Join("testdata", folder, "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts in %s: %v", folder, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { test(t, file) })
	}
}

// newScripted is an empty store.
func newScripted(t *testing.T) *Store {
	s := New(Options{})
	if err := s.Restore(vfs.NewMemory(), dir, nil, nil, nil); err != nil {
		t.Fatal(err)
	}
	return s
}

// word turns a word of a script into bytes: ” is empty, \0 is a zero byte.
func word(text string) []byte {
	if text == "''" {
		return nil
	}
	return []byte(strings.ReplaceAll(text, `\0`, "\x00"))
}

// number panics when there is none: the script is wrong.
func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

// arguments are the words of a request: keys first, then options such as limit=2.
type arguments []string

func (a arguments) word(i int) []byte {
	if i < len(a) && !strings.Contains(a[i], "=") {
		return word(a[i])
	}
	return nil
}

func (a arguments) number(i int) int64 {
	if i < len(a) {
		return number(a[i])
	}
	return 0
}

// parseRange reads: KEY [END] [rev=N] [limit=N] [sort=T] [order=O] [keys] [count] [min-mod=N] ...
func parseRange(a arguments) RangeOptions {
	o := RangeOptions{Key: word(a[0])}
	targets := map[string]Target{"key": TargetKey, "version": TargetVersion, "create": TargetCreate,
		"mod": TargetMod, "value": TargetValue}
	orders := map[string]Order{"ascend": OrderAscend, "descend": OrderDescend}
	numbers := map[string]*int64{"rev": &o.Revision, "limit": &o.Limit,
		"min-mod": &o.MinModRevision, "max-mod": &o.MaxModRevision,
		"min-create": &o.MinCreateRevision, "max-create": &o.MaxCreateRevision}
	for _, option := range a[1:] {
		name, value, assigned := strings.Cut(option, "=")
		switch {
		case name == "sort":
			o.Target = targets[value]
		case name == "order":
			o.Order = orders[value]
		case name == "keys":
			o.KeysOnly = true
		case name == "count":
			o.CountOnly = true
		case assigned:
			*numbers[name] = number(value)
		default:
			o.End = word(option)
		}
	}
	return o
}

// describe prints the answer to a range.
func describe(kvs []*mvccpb.KeyValue, count int64, more bool, revision int64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "count %d", count)
	if more {
		b.WriteString(", more")
	}
	fmt.Fprintf(&b, ", revision %d\n", revision)
	for _, kv := range kvs {
		fmt.Fprintf(&b, "%s = %q, version %d, %d to %d",
			kv.Key, kv.Value, kv.Version, kv.CreateRevision, kv.ModRevision)
		if kv.Lease != 0 {
			fmt.Fprintf(&b, ", lease %d", kv.Lease)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func describeRange(r *Result, err error) string {
	if err != nil {
		return err.Error()
	}
	return describe(r.KVs, r.Count, r.More, r.Revision)
}
