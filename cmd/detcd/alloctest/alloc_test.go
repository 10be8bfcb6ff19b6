//go:build !race

package alloctest

import (
	"bufio"
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"detcd/kv"
	"detcd/kv/watch"
	"detcd/storage/vfs"
	"detcd/storage/wal"
)

var update = flag.Bool("update", false, "write baseline.txt")

// A path is a piece of code that runs for every request.
type path struct {
	name  string
	make  func(t testing.TB) (once func())
	turns int // 0: counted
}

func paths() []path {
	return []path{
		{"rpc/put", rpcPut, 0},
		{"rpc/range", rpcRange, 0},
		{"replica/put", replicaPut, 0},
		{"replica/100", replicaHundred, ofBatch},
		{"kv/apply", kvApply, 0},
		{"kv/range/1", func(t testing.TB) func() { return kvRange(t, 1) }, 0},
		{"kv/range/100", func(t testing.TB) func() { return kvRange(t, 100) }, 0},
		{"watch/1", func(t testing.TB) func() { return watchStep(t, 1) }, 0},
		{"watch/100", func(t testing.TB) func() { return watchStep(t, 100) }, 0},
		{"wal/append", walAppend, 0},
	}
}

// keys is the number of keys that a path has to do with.
const keys = 1000

func keyOf(n int) []byte { return fmt.Appendf(nil, "%08d", n%keys) }

func rpcPut(t testing.TB) func() {
	m := newMember(t)
	n, key, value := 0, make([]byte, 8), make([]byte, 256)
	return discard(m.method("etcdserverpb.KV", "Put", func(request any) error {
		n++
		key = strconv.AppendInt(append(key[:0], "0000"...), int64(1000+n%keys), 10)
		r := request.(*pb.PutRequest)
		r.Key, r.Value = key, value
		return nil
	}))
}

func rpcRange(t testing.TB) func() {
	m := newMember(t)
	fillKeys(m)
	key := keyOf(7)
	return discard(m.method("etcdserverpb.KV", "Range", func(request any) error {
		request.(*pb.RangeRequest).Key = key
		return nil
	}))
}

func discard(call func() any) func() { return func() { call() } }

// fillKeys puts every key once.
func fillKeys(m *member) {
	for n := range keys {
		put := &pb.PutRequest{Key: keyOf(n), Value: make([]byte, 256)}
		if _, err := m.Submit(m.t.Context(), putCommand(put)); err != nil {
			m.t.Fatal(err)
		}
	}
}

func replicaPut(t testing.TB) func() {
	m := newMember(t)
	fillKeys(m)
	command := putCommand(&pb.PutRequest{Key: keyOf(7), Value: make([]byte, 256)})
	return func() {
		if _, err := m.Submit(nil, command); err != nil {
			t.Fatal(err)
		}
	}
}

// replicaHundred proposes a hundred puts that share an entry and a write, as they do under load.
func replicaHundred(t testing.TB) func() {
	m := newMember(t)
	fillKeys(m)
	command := putCommand(&pb.PutRequest{Key: keyOf(7), Value: make([]byte, 256)})
	return func() {
		for range 100 {
			m.id++
			m.replica.Submit(m.id, command)
		}
		m.turn()
	}
}

func kvApply(t testing.TB) func() {
	m := newMember(t)
	fillKeys(m)
	command, index := putCommand(&pb.PutRequest{Key: keyOf(7), Value: make([]byte, 256)}), uint64(1e6)
	return func() {
		index++
		m.store.Apply(index, command, true)
	}
}

func kvRange(t testing.TB, count int) func() {
	m := newMember(t)
	fillKeys(m)
	view := m.store.View().(*kv.View)
	request := &pb.RangeRequest{Key: keyOf(7), RangeEnd: keyOf(7 + count)}
	return func() {
		if answer, err := view.Read(request); err != nil || len(answer.Kvs) != count {
			t.Fatal(answer, err)
		}
	}
}

// watchStep puts a key and lets a stream find it. The put is part of the count: it is kv/apply's.
func watchStep(t testing.TB, watchers int) func() {
	m := newMember(t)
	fillKeys(m)
	stream := watch.NewStream(watch.Options{})
	for range watchers {
		stream.Request(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{
			CreateRequest: &pb.WatchCreateRequest{Key: keyOf(7)},
		}}, m.store.View().(*kv.View).View, 0)
	}
	stream.Take()
	command, index := putCommand(&pb.PutRequest{Key: keyOf(7), Value: make([]byte, 256)}), uint64(1e6)
	return func() {
		index++
		m.store.Apply(index, command, true)
		if _, err := stream.Step(m.store.View().(*kv.View).View, 0); err != nil {
			t.Fatal(err)
		}
		if told := len(stream.Take()); told != watchers {
			t.Fatalf("%d of %d watchers were told", told, watchers)
		}
	}
}

func walAppend(t testing.TB) func() {
	log, _, err := wal.Open(vfs.NewMemory(), "wal", 1, wal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	batch := make([][]byte, 16)
	for i := range batch {
		batch[i] = make([]byte, 300)
	}
	return func() {
		if err := log.Append(batch); err != nil {
			t.Fatal(err)
		}
		if err := log.Release(log.Next()); err != nil {
			t.Fatal(err)
		}
	}
}

// Turns of a path while its allocations are counted, and before.
const (
	counted  = 2000
	ofBatch  = 200 // of a path that is a hundred puts
	warmUpOf = 2   // counted turns for each one before
)

// allocations counts as testing.AllocsPerRun does, but does not round.
func allocations(once func(), counted int) float64 {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for range counted / warmUpOf {
		once()
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range counted {
		once()
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / float64(counted)
}

// tolerance is by how much a count may differ from its baseline: half an allocation, and two of a
// hundred where there are many.
func tolerance(baseline float64) float64 { return max(0.5, baseline/50) }

func TestHotPathsAllocateNoMoreThanTheirBaseline(t *testing.T) {
	baseline := readBaseline(t)
	var text bytes.Buffer
	for _, p := range paths() {
		got := allocations(p.make(t), cmp.Or(p.turns, counted))
		fmt.Fprintf(&text, "%-14s %7.1f\n", p.name, got)
		want, known := baseline[p.name]
		switch {
		case *update:
		case !known:
			t.Errorf("%s: %.1f allocations and no baseline; -update writes one", p.name, got)
		case got > want+tolerance(want):
			t.Errorf("%s: %.1f allocations, the baseline is %.1f", p.name, got, want)
		case got < want-tolerance(want):
			t.Logf("%s: %.1f allocations, less than the baseline of %.1f: -update keeps the gain",
				p.name, got, want)
		}
	}
	t.Logf("\n%s", &text)
	if *update {
		if err := os.WriteFile("baseline.txt", text.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func readBaseline(t *testing.T) map[string]float64 {
	t.Helper()
	file, err := os.Open("baseline.txt")
	if err != nil {
		if *update {
			return nil
		}
		t.Fatal(err)
	}
	defer file.Close()
	all := map[string]float64{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		count, err := strconv.ParseFloat(fields[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		all[fields[0]] = count
	}
	return all
}

func BenchmarkHotPaths(b *testing.B) {
	for _, p := range paths() {
		b.Run(p.name, func(b *testing.B) {
			once := p.make(b)
			b.ReportAllocs()
			for b.Loop() {
				once()
			}
		})
	}
}
