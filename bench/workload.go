package bench

import (
	"encoding/binary"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
)

// The gRPC methods of the workloads.
const (
	methodPut       = "/etcdserverpb.KV/Put"
	methodRange     = "/etcdserverpb.KV/Range"
	methodTxn       = "/etcdserverpb.KV/Txn"
	methodGrant     = "/etcdserverpb.Lease/LeaseGrant"
	methodKeepAlive = "/etcdserverpb.Lease/LeaseKeepAlive"
	methodWatch     = "/etcdserverpb.Watch/Watch"
	methodStatus    = "/etcdserverpb.Maintenance/Status"
)

// A source makes the requests of one client, one after the other, in the same messages.
type source struct {
	method string
	order  *atomic.Int64 // shared by all clients: the number of the next key; nil is random
	keys   int           // that a request may begin at
	random *rand.Rand
	key    []byte
	end    []byte // of a range of several keys
	value  []byte
	turn   int
	stamp  bool // the value begins with the time at which the request was due
	epoch  time.Time
	lease  *int64 // of the request: the number of the key, from 1
	span   int
	turns  []proto.Message      // the requests, in turn
	reply  func() proto.Message // a new message for the answer
	want   int                  // bytes that an answer must at least have
}

// newSource makes the source of one client. With an order the clients take the keys in turn.
func newSource(o *Options, workload Workload, client int, order *atomic.Int64) *source {
	s := &source{keys: o.Keys, order: order, span: 1, epoch: o.epoch}
	s.random = rand.New(rand.NewPCG(o.Seed, uint64(client)))
	s.key = make([]byte, o.KeySize)
	s.value = make([]byte, o.ValueSize)
	s.randomize(len(s.value))
	put := &etcdserverpb.PutRequest{Key: s.key, Value: s.value}
	switch workload {
	case Range:
		s.ranges(o)
	case Txn:
		s.method, s.turns = methodTxn, s.txns(put)
		s.reply = func() proto.Message { return new(etcdserverpb.TxnResponse) }
	case Grant:
		grant := &etcdserverpb.LeaseGrantRequest{TTL: leaseTTL}
		if order != nil {
			s.lease = &grant.ID
		}
		s.method, s.turns = methodGrant, []proto.Message{grant}
		s.reply = func() proto.Message { return new(etcdserverpb.LeaseGrantResponse) }
	case KeepAlive:
		renewal := &etcdserverpb.LeaseKeepAliveRequest{}
		s.lease = &renewal.ID
		s.method, s.turns = methodKeepAlive, []proto.Message{renewal}
	case Empty:
		s.method, s.turns = methodStatus, []proto.Message{&etcdserverpb.StatusRequest{}}
		s.reply = func() proto.Message { return new(etcdserverpb.StatusResponse) }
	default:
		s.method, s.turns = methodPut, []proto.Message{put}
		s.reply = func() proto.Message { return new(etcdserverpb.PutResponse) }
		s.stamp = workload == Watch
	}
	return s
}

// leaseTTL is so long that no lease ends during a run.
const leaseTTL = 600

// ranges makes the source read.
func (s *source) ranges(o *Options) {
	request := &etcdserverpb.RangeRequest{Key: s.key, Serializable: o.Serializable}
	if o.Span > 1 {
		s.span, s.keys = o.Span, o.Keys-o.Span+1
		s.end = make([]byte, o.KeySize)
		request.RangeEnd, request.Limit = s.end, int64(o.Span)
	}
	s.method, s.turns = methodRange, []proto.Message{request}
	s.want, s.value = s.span*o.ValueSize, nil
	s.reply = func() proto.Message { return new(etcdserverpb.RangeResponse) }
}

// txns returns a transaction that reads a key and one that writes it, each if it is there.
func (s *source) txns(put *etcdserverpb.PutRequest) []proto.Message {
	exists := []*etcdserverpb.Compare{{
		Key: s.key, Target: etcdserverpb.Compare_CREATE, Result: etcdserverpb.Compare_GREATER,
		TargetUnion: &etcdserverpb.Compare_CreateRevision{CreateRevision: 0},
	}}
	read := &etcdserverpb.RequestOp{Request: &etcdserverpb.RequestOp_RequestRange{
		RequestRange: &etcdserverpb.RangeRequest{Key: s.key},
	}}
	write := &etcdserverpb.RequestOp{Request: &etcdserverpb.RequestOp_RequestPut{RequestPut: put}}
	return []proto.Message{
		&etcdserverpb.TxnRequest{Compare: exists, Success: []*etcdserverpb.RequestOp{read}},
		&etcdserverpb.TxnRequest{Compare: exists, Success: []*etcdserverpb.RequestOp{write}},
	}
}

// freshBytes is how much of a value is new in every request. More would be the client's time.
const freshBytes = 256

// stampSize is the length of the time in a value.
const stampSize = 8

// next returns the next request, which should leave when it is due. The message before it is
// overwritten.
func (s *source) next(due time.Time) proto.Message {
	number := 0
	if s.order != nil {
		number = int((s.order.Add(1) - 1) % int64(s.keys))
	} else {
		number = s.random.IntN(s.keys)
	}
	writeKey(s.key, number)
	if s.end != nil {
		writeKey(s.end, number+s.span)
	}
	s.randomize(min(len(s.value), freshBytes))
	if s.stamp {
		binary.BigEndian.PutUint64(s.value, uint64(due.Sub(s.epoch)))
	}
	if s.lease != nil {
		*s.lease = int64(number) + 1
	}
	s.turn++
	return s.turns[s.turn%len(s.turns)]
}

// randomize makes the first bytes of the value new.
func (s *source) randomize(size int) {
	at := 0
	for ; at+8 <= size; at += 8 {
		binary.LittleEndian.PutUint64(s.value[at:], s.random.Uint64())
	}
	for ; at < size; at++ {
		s.value[at] = byte(s.random.Uint32())
	}
}

// short says whether an answer lacks what was asked for.
func (s *source) short(answer proto.Message) bool {
	read, isRange := answer.(*etcdserverpb.RangeResponse)
	if !isRange {
		return false
	}
	size := 0
	for _, kv := range read.Kvs {
		size += len(kv.Value)
	}
	return len(read.Kvs) != s.span || size < s.want
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
