package watch

import (
	"fmt"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// What it costs to put a key and to have a stream hear of it, or that it is nothing to it. Without
// a watch it is the put alone.
func BenchmarkPutAndStep(b *testing.B) {
	for _, c := range []struct {
		name     string
		watchers int
		end      string
		key      string // that is put
	}{
		{"none", 0, "", "k"},
		{"1 key", 1, "", "k"},
		{"1 key, not mine", 1, "", "x"},
		{"1000 times 1 key", 1000, "", "k"},
		{"1000 ranges", 1000, "l", "k"},
		{"1000 ranges, not mine", 1000, "l", "x"},
	} {
		b.Run(c.name, func(b *testing.B) {
			client := newClient(b, Options{})
			for range c.watchers {
				client.create(&pb.WatchCreateRequest{Key: []byte("k"), RangeEnd: []byte(c.end)})
			}
			key, value := []byte(c.key), make([]byte, 256)
			b.ReportAllocs()
			for b.Loop() {
				txn := client.store.Begin()
				txn.Put(key, value, 0)
				txn.End()
				if _, err := client.Step(client.store.View(), 0); err != nil {
					b.Fatal(err)
				}
				client.Take()
			}
		})
	}
}

// What it costs to read a history of which one event in a hundred matters.
func BenchmarkCatchUp(b *testing.B) {
	const revisions = 100_000
	world := newWorld(b)
	value := make([]byte, 256)
	for i := range revisions {
		txn := world.store.Begin()
		txn.Put(fmt.Appendf(nil, "k%02d", i%100), value, 0)
		txn.End()
	}
	for _, end := range []string{"", "k43"} {
		name := "a key"
		if end != "" {
			name = "a range"
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				client := &client{Stream: NewStream(Options{}), world: world}
				client.create(&pb.WatchCreateRequest{
					Key: []byte("k42"), RangeEnd: []byte(end), StartRevision: 1,
				})
				if n := len(client.settle(b)); n == 0 {
					b.Fatal("no events")
				}
			}
		})
	}
}
