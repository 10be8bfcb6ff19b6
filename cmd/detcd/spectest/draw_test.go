package spectest

import (
	"math/rand/v2"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// A drawer draws requests that meet: few keys, few leases, revisions near the present.
type drawer struct{ random *rand.Rand }

// one tells that one of n cases is there.
func (d *drawer) one(n int) bool { return d.random.IntN(n) == 0 }

func (d *drawer) key() []byte {
	if d.one(60) {
		return nil
	}
	keys := []string{"a", "b", "c", "d", "a/1", "a/2", "\x00", "\xff", "\xfe\xff", "a\x00"}
	return []byte(keys[d.random.IntN(len(keys))])
}

func (d *drawer) end() []byte {
	switch d.random.IntN(5) {
	case 0:
		return []byte{0}
	case 1:
		return d.key()
	case 2:
		return []byte("b")
	}
	return nil
}

func (d *drawer) value() []byte {
	values := []string{"", "1", "2", "3", "\xff"}
	return []byte(values[d.random.IntN(len(values))])
}

func (d *drawer) lease() int64 { return int64(d.random.IntN(5) + 1) }

func (d *drawer) revision(now int64) int64 {
	switch d.random.IntN(6) {
	case 0:
		return now - d.random.Int64N(30)
	case 1:
		return now + d.random.Int64N(3) - 1
	}
	return 0
}

// request draws any request.
func (d *drawer) request(now int64) any {
	switch n := d.random.IntN(100); {
	case n < 3:
		return &pb.CompactionRequest{Revision: now - d.random.Int64N(25) + 1}
	case n < 10:
		return &pb.LeaseGrantRequest{ID: d.lease(), TTL: 1000 + d.random.Int64N(3)*4_500_000_000}
	case n < 14:
		return &pb.LeaseRevokeRequest{ID: d.lease()}
	case n < 45:
		return d.txn(now, 0)
	}
	switch d.random.IntN(5) {
	case 0:
		return d.delete()
	case 1, 2:
		return d.inRange(now)
	}
	return d.put()
}

func (d *drawer) put() *pb.PutRequest {
	r := &pb.PutRequest{Key: d.key(), PrevKv: d.one(2), IgnoreValue: d.one(6), IgnoreLease: d.one(6)}
	if !r.IgnoreValue || d.one(5) {
		r.Value = d.value()
	}
	if d.one(3) {
		r.Lease = d.lease()
	}
	return r
}

func (d *drawer) delete() *pb.DeleteRangeRequest {
	return &pb.DeleteRangeRequest{Key: d.key(), RangeEnd: d.end(), PrevKv: d.one(2)}
}

func (d *drawer) inRange(now int64) *pb.RangeRequest {
	r := &pb.RangeRequest{Key: d.key(), RangeEnd: d.end(), Revision: d.revision(now),
		KeysOnly: d.one(6), CountOnly: d.one(6), Serializable: d.one(3)}
	if d.one(2) {
		r.SortOrder = pb.RangeRequest_SortOrder(d.random.IntN(4))
		r.SortTarget = pb.RangeRequest_SortTarget(d.random.IntN(6))
	}
	if d.one(3) {
		r.Limit = d.random.Int64N(5) - 1
	}
	bound := func() int64 {
		if d.one(4) {
			return max(1, now-d.random.Int64N(20))
		}
		return 0
	}
	r.MinModRevision, r.MaxModRevision = bound(), bound()
	r.MinCreateRevision, r.MaxCreateRevision = bound(), bound()
	return r
}

func (d *drawer) txn(now int64, depth int) *pb.TxnRequest {
	r := &pb.TxnRequest{}
	for range d.random.IntN(3) {
		r.Compare = append(r.Compare, d.compare(now))
	}
	branch := func() (ops []*pb.RequestOp) {
		for range d.random.IntN(4) {
			ops = append(ops, d.operation(now, depth))
		}
		return ops
	}
	r.Success, r.Failure = branch(), branch()
	return r
}

// operation draws a part of a transaction. Puts in transactions do not need their key: together
// with a deletion without an end they would end etcd.
func (d *drawer) operation(now int64, depth int) *pb.RequestOp {
	switch n := d.random.IntN(10); {
	case n < 3:
		return &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: d.inRange(now)}}
	case n < 5:
		return &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{
			RequestDeleteRange: d.delete()}}
	case n < 7 && depth < 2:
		return &pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: d.txn(now, depth+1)}}
	case n == 7 && d.one(10):
		return &pb.RequestOp{}
	}
	put := d.put()
	put.IgnoreValue, put.IgnoreLease = false, false
	return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: put}}
}

func (d *drawer) compare(now int64) *pb.Compare {
	c := &pb.Compare{Key: d.key(), Result: pb.Compare_CompareResult(d.random.IntN(4)),
		Target: pb.Compare_CompareTarget(d.random.IntN(5))}
	if d.one(3) {
		c.RangeEnd = d.end()
	}
	near := max(0, now-d.random.Int64N(6))
	switch c.Target {
	case pb.Compare_VERSION:
		c.TargetUnion = &pb.Compare_Version{Version: d.random.Int64N(4)}
	case pb.Compare_CREATE:
		c.TargetUnion = &pb.Compare_CreateRevision{CreateRevision: near}
	case pb.Compare_MOD:
		c.TargetUnion = &pb.Compare_ModRevision{ModRevision: near}
	case pb.Compare_VALUE:
		c.TargetUnion = &pb.Compare_Value{Value: d.value()}
	case pb.Compare_LEASE:
		c.TargetUnion = &pb.Compare_Lease{Lease: d.lease()}
	}
	return c
}
