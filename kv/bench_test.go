package kv

import (
	"encoding/binary"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"detcd/storage/vfs"
)

// BenchmarkApply measures one command on a store of 100,000 keys, without its disk.
func BenchmarkApply(b *testing.B) {
	key := func(n int) string {
		return "registry/services/" + string(binary.BigEndian.AppendUint32(nil, uint32(n%100_000)))
	}
	value := string(make([]byte, 256))
	swap := func(n int) *pb.TxnRequest { // what Kubernetes does to update an object
		return &pb.TxnRequest{Success: list(put(key(n), value)), Failure: list(get(key(n), "")),
			Compare: []*pb.Compare{{Key: []byte(key(n)), Target: pb.Compare_MOD,
				Result: pb.Compare_GREATER, TargetUnion: &pb.Compare_ModRevision{ModRevision: 0}}}}
	}
	for name, command := range map[string]func(n int) []byte{
		"put":    func(n int) []byte { return encode(put(key(n), value)) },
		"leased": func(n int) []byte { return encode(leased(key(n), value, 1)) },
		"txn":    func(n int) []byte { return encode(swap(n)) },
	} {
		b.Run(name, func(b *testing.B) {
			m := &member{t: b, fs: vfs.NewMemory(), store: New(Options{})}
			if err := m.store.Restore(m.fs, dir, nil, nil); err != nil {
				b.Fatal(err)
			}
			m.store.Apply(0, encode(grant(1, 60)), false)
			for n := range 100_000 {
				m.store.Apply(0, encode(put(key(n), "")), false)
			}
			commands := make([][]byte, 1000)
			for n := range commands {
				commands[n] = command(n * 7919)
			}
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				if n++; n%1000 == 0 {
					for m.bulk() {
						continue
					}
				}
				m.store.Apply(0, commands[n%1000], true)
			}
		})
	}
}
