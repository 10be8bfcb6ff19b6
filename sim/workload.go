package sim

import (
	"bytes"
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// keyNumber draws one of the keys that the clients share: few, so that they get in each other's
// way.
func (c *client) keyNumber() int {
	v := &c.world.options.World
	if v[HotPercent] > 0 && c.random.Int64N(100) < v[HotPercent] {
		return 0
	}
	return c.random.IntN(int(v[Keys]))
}

func (c *client) key() []byte { return fmt.Appendf(nil, "k%02d", c.keyNumber()) }

// shelved is how many keys are touched now and then only. Their values are larger and outlive their
// neighbours in a segment, as most of a real store does: without them nearly all of every segment
// would be dead, and a merge would never leave anything where it is.
const shelved = 300

func (c *client) shelf() []byte { return fmt.Appendf(nil, "j%03d", c.random.IntN(shelved)) }

// span draws a key, an interval, a prefix, or everything.
func (c *client) span() (key, end []byte) {
	switch c.random.IntN(5) {
	case 0:
		keys := int(c.world.options.World[Keys])
		a, b := c.random.IntN(keys), c.random.IntN(keys+1)
		key, end = fmt.Appendf(nil, "k%02d", min(a, b)), fmt.Appendf(nil, "k%02d", max(a, b)+1)
		if bytes.Compare(key, end) > 0 { // k100 is before k11
			key, end = end, key
		}
		return key, end
	case 1:
		return []byte("k0"), []byte("k1")
	case 2:
		return c.key(), []byte{0}
	}
	return c.key(), nil
}

// value makes a value that nobody else writes, ever.
func (c *client) value() []byte {
	value := fmt.Appendf(nil, "c%d-%d-%d", c.number, c.slot, c.made)
	c.made++
	size := max(c.world.fates.valueSize, int(c.world.options.World[ValueBytes]))
	if size > 0 && c.random.IntN(4) == 0 {
		value = append(value, make([]byte, c.random.IntN(size))...)
	}
	return value
}

func (c *client) chance(oneIn int) bool { return c.random.IntN(oneIn) == 0 }

// someRevision draws a revision around those that are known.
func (c *client) someRevision() int64 {
	return max(1, c.world.judge.highest-c.random.Int64N(60)+c.random.Int64N(4))
}

// draw makes the next request.
func (c *client) draw() proto.Message {
	switch n := c.random.IntN(100); {
	case n < 38:
		return c.put()
	case n < 68:
		return c.rangeRequest()
	case n < 86:
		return c.txn(0)
	case n < 93:
		return c.deleteRange()
	case n < 95:
		return &pb.CompactionRequest{Revision: c.someRevision() - 30, Physical: c.chance(3)}
	case n < 97:
		return &pb.HashKVRequest{Revision: c.random.Int64N(2) * c.someRevision()}
	case n < 98:
		return &pb.LeaseLeasesRequest{}
	default:
		return &pb.LeaseTimeToLiveRequest{ID: c.someLease(), Keys: c.chance(2)}
	}
}

func (c *client) someLease() int64 {
	if c.holder != nil && c.holder.id != 0 && !c.chance(4) {
		return c.holder.id
	}
	return 1 + c.random.Int64N(1000)
}

func (c *client) put() *pb.PutRequest {
	r := &pb.PutRequest{Key: c.key(), Value: c.value(), PrevKv: c.chance(3)}
	if c.chance(4) {
		r.Key, r.Value = c.shelf(), append(r.Value, make([]byte, 200+c.random.IntN(200))...)
	}
	switch c.random.IntN(12) {
	case 0:
		r.IgnoreValue, r.Value = true, nil
	case 1:
		r.IgnoreLease = true
	case 2, 3:
		r.Lease = c.someLease()
	}
	return r
}

func (c *client) rangeRequest() *pb.RangeRequest {
	key, end := c.span()
	if c.chance(8) {
		key, end = c.shelf(), nil
	}
	r := &pb.RangeRequest{Key: key, RangeEnd: end, Serializable: c.chance(5)}
	if c.chance(4) {
		r.Revision = c.someRevision()
	}
	if c.chance(4) {
		r.Limit = c.random.Int64N(5)
		r.SortOrder = pb.RangeRequest_SortOrder(c.random.IntN(3))
		r.SortTarget = pb.RangeRequest_SortTarget(c.random.IntN(5))
	}
	if c.chance(8) {
		r.KeysOnly, r.CountOnly = c.chance(2), c.chance(2)
	}
	if c.chance(8) {
		r.MinModRevision, r.MaxModRevision = c.someRevision(), c.someRevision()
	}
	if c.chance(8) {
		r.MinCreateRevision, r.MaxCreateRevision = c.someRevision(), c.someRevision()
	}
	return r
}

func (c *client) deleteRange() *pb.DeleteRangeRequest {
	key, end := c.span()
	if c.chance(3) {
		key, end = c.shelf(), nil
	}
	return &pb.DeleteRangeRequest{Key: key, RangeEnd: end, PrevKv: c.chance(2)}
}

func (c *client) txn(depth int) *pb.TxnRequest {
	r := &pb.TxnRequest{}
	for range c.random.IntN(3) {
		r.Compare = append(r.Compare, c.compare())
	}
	r.Success, r.Failure = c.ops(depth), c.ops(depth)
	return r
}

func (c *client) compare() *pb.Compare {
	key, end := c.span()
	if !c.chance(4) {
		end = nil
	}
	r := &pb.Compare{Key: key, RangeEnd: end, Result: pb.Compare_CompareResult(c.random.IntN(4)),
		Target: pb.Compare_CompareTarget(c.random.IntN(5))}
	switch r.Target {
	case pb.Compare_VERSION:
		r.TargetUnion = &pb.Compare_Version{Version: c.random.Int64N(4)}
	case pb.Compare_CREATE:
		r.TargetUnion = &pb.Compare_CreateRevision{CreateRevision: c.random.Int64N(2) * c.someRevision()}
	case pb.Compare_MOD:
		r.TargetUnion = &pb.Compare_ModRevision{ModRevision: c.random.Int64N(2) * c.someRevision()}
	case pb.Compare_VALUE:
		r.TargetUnion = &pb.Compare_Value{Value: c.value()}
	case pb.Compare_LEASE:
		r.TargetUnion = &pb.Compare_Lease{Lease: c.random.Int64N(2) * c.someLease()}
	}
	return r
}

func (c *client) ops(depth int) []*pb.RequestOp {
	var ops []*pb.RequestOp
	for range c.random.IntN(4) {
		op := &pb.RequestOp{}
		switch n := c.random.IntN(10); {
		case n < 5:
			op.Request = &pb.RequestOp_RequestPut{RequestPut: c.put()}
		case n < 8:
			r := c.rangeRequest()
			r.Serializable = false
			op.Request = &pb.RequestOp_RequestRange{RequestRange: r}
		case n < 9 || depth > 1:
			op.Request = &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: c.deleteRange()}
		default:
			op.Request = &pb.RequestOp_RequestTxn{RequestTxn: c.txn(depth + 1)}
		}
		ops = append(ops, op)
	}
	return ops
}

// countFields notes which fields of a request are set, in it and in what it contains.
//
// It looks at one request in eight: that is enough to see what is never set, and costs little.
func (w *world) countFields(request proto.Message) {
	if w.asked++; w.asked%8 != 1 {
		return
	}
	message := request.ProtoReflect()
	w.fields[string(message.Descriptor().Name())]++
	w.countSet(message)
}

func (w *world) countSet(message protoreflect.Message) {
	fields := message.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		if !message.Has(field) {
			continue
		}
		w.fields[string(message.Descriptor().Name())+"."+string(field.Name())]++
		value := message.Get(field)
		switch {
		case field.IsList() && field.Message() != nil:
			for j := range value.List().Len() {
				w.countSet(value.List().Get(j).Message())
			}
		case field.Message() != nil && !field.IsList() && !field.IsMap():
			w.countSet(value.Message())
		}
	}
}

// requestText tells a request in a few words.
func requestText(request proto.Message) string {
	switch r := request.(type) {
	case *pb.PutRequest:
		return fmt.Sprintf("put %s = %.20q", r.Key, r.Value)
	case *pb.RangeRequest:
		return fmt.Sprintf("range %s %q at revision %d", r.Key, r.RangeEnd, r.Revision)
	case *pb.DeleteRangeRequest:
		return fmt.Sprintf("delete %s %q", r.Key, r.RangeEnd)
	case *pb.TxnRequest:
		return fmt.Sprintf("txn: %d compares, then %d or %d operations", len(r.Compare),
			len(r.Success), len(r.Failure))
	case *pb.CompactionRequest:
		return fmt.Sprintf("compact at %d", r.Revision)
	case *pb.LeaseGrantRequest:
		return fmt.Sprintf("grant lease %d for %d s", r.ID, r.TTL)
	case *pb.LeaseRevokeRequest:
		return fmt.Sprintf("revoke lease %d", r.ID)
	case *pb.LeaseKeepAliveRequest:
		return fmt.Sprintf("keep lease %d alive", r.ID)
	case *pb.LeaseTimeToLiveRequest:
		return fmt.Sprintf("time to live of lease %d", r.ID)
	}
	return string(request.ProtoReflect().Descriptor().Name())
}
