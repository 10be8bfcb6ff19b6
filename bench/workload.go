package bench

import (
	"math/rand/v2"
	"strconv"
	"sync/atomic"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
)

// The gRPC methods of the workloads.
const (
	methodPut   = "/etcdserverpb.KV/Put"
	methodRange = "/etcdserverpb.KV/Range"
)

// A source makes the requests of one client, one after the other, in the same two messages.
type source struct {
	keys   int
	order  *atomic.Int64 // shared by all clients: the number of the next key; nil is random
	random *rand.Rand
	key    []byte
	put    *etcdserverpb.PutRequest
	read   *etcdserverpb.RangeRequest
	want   int // bytes that an answer must at least have
}

// newSource makes the source of one client. With an order the clients take the keys in turn.
func newSource(o *Options, workload Workload, client int, order *atomic.Int64) *source {
	s := &source{keys: o.Keys, order: order}
	s.random = rand.New(rand.NewPCG(o.Seed, uint64(client)))
	s.key = make([]byte, o.KeySize)
	if workload == Range {
		s.read = &etcdserverpb.RangeRequest{Key: s.key, Serializable: o.Serializable}
		s.want = o.ValueSize
		return s
	}
	value := make([]byte, o.ValueSize)
	for i := range value {
		value[i] = byte(s.random.Uint32())
	}
	s.put = &etcdserverpb.PutRequest{Key: s.key, Value: value}
	return s
}

// method is the gRPC method of the requests.
func (s *source) method() string {
	if s.read != nil {
		return methodRange
	}
	return methodPut
}

// next returns the next request. The message before it is overwritten.
func (s *source) next() proto.Message {
	if s.order != nil {
		writeKey(s.key, int((s.order.Add(1)-1)%int64(s.keys)))
	} else {
		writeKey(s.key, s.random.IntN(s.keys))
	}
	if s.read != nil {
		return s.read
	}
	return s.put
}

// keyPrefix begins the keys when there is room for it.
const keyPrefix = "bench/"

// writeKey fills key with a number in decimal, zeros before it, and before those the prefix if the
// key has room for that and ten digits.
func writeKey(key []byte, number int) {
	for i := range key {
		key[i] = '0'
	}
	if len(key) >= len(keyPrefix)+10 {
		copy(key, keyPrefix)
	}
	var digits [20]byte
	text := strconv.AppendInt(digits[:0], int64(number), 10)
	copy(key[len(key)-len(text):], text)
}
