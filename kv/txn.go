package kv

import (
	"bytes"
	"cmp"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"detcd/kv/lease"
	"detcd/kv/mvcc"
)

// branch is what of a transaction is executed, once its comparisons are decided.
type branch struct {
	succeeded bool
	ops       []*pb.RequestOp
	nested    []branch // of those ops that are transactions, in order
}

// size is how many operations the branch has, at all depths.
func (b branch) size() int {
	n := len(b.ops) - len(b.nested)
	for _, inner := range b.nested {
		n += inner.size()
	}
	return n
}

// decide makes all comparisons, at all depths that can be reached, before anything is written.
func decide(r *pb.TxnRequest, from reader) (b branch, err error) {
	b.succeeded, b.ops = true, r.Success
	for _, c := range r.Compare {
		holds, err := compare(c, from)
		if err != nil {
			return b, err
		}
		if !holds {
			b.succeeded, b.ops = false, r.Failure
			break
		}
	}
	for _, op := range b.ops {
		if inner := op.GetRequestTxn(); inner != nil {
			nested, err := decide(inner, from)
			if err != nil {
				return b, err
			}
			b.nested = append(b.nested, nested)
		}
	}
	return b, nil
}

// compare tells whether a comparison holds for every key that it names. When there is none, it
// is made with a key of version 0; but a value that is not there equals and differs from nothing.
func compare(c *pb.Compare, from reader) (bool, error) {
	if len(c.RangeEnd) == 0 && c.Target != pb.Compare_VALUE {
		return holds(c, from.Meta(c.Key), nil), nil
	}
	bare := c.Target != pb.Compare_VALUE && c.Target != pb.Compare_LEASE // all is in the index
	result, err := from.Range(mvcc.RangeOptions{Key: c.Key, End: c.RangeEnd, KeysOnly: bare})
	if err != nil {
		return false, err
	}
	if len(result.KVs) == 0 {
		return c.Target != pb.Compare_VALUE && holds(c, mvcc.Meta{}, nil), nil
	}
	for _, kv := range result.KVs {
		meta := mvcc.Meta{CreateRevision: kv.CreateRevision, ModRevision: kv.ModRevision,
			Version: kv.Version, Lease: kv.Lease}
		if !holds(c, meta, kv.Value) {
			return false, nil
		}
	}
	return true, nil
}

// holds compares one key. What it does not know it takes for equal, as etcd does.
func holds(c *pb.Compare, meta mvcc.Meta, value []byte) bool {
	order := 0
	switch c.Target {
	case pb.Compare_VERSION:
		order = cmp.Compare(meta.Version, c.GetVersion())
	case pb.Compare_CREATE:
		order = cmp.Compare(meta.CreateRevision, c.GetCreateRevision())
	case pb.Compare_MOD:
		order = cmp.Compare(meta.ModRevision, c.GetModRevision())
	case pb.Compare_LEASE:
		order = cmp.Compare(meta.Lease, c.GetLease())
	case pb.Compare_VALUE:
		order = bytes.Compare(value, c.GetValue())
	}
	switch c.Result {
	case pb.Compare_EQUAL:
		return order == 0
	case pb.Compare_NOT_EQUAL:
		return order != 0
	case pb.Compare_GREATER:
		return order > 0
	case pb.Compare_LESS:
		return order < 0
	}
	return true
}

// grounds are what a transaction's operations are checked against before the first is executed.
type grounds struct {
	from      reader
	compacted int64
	leases    *lease.Book // nil: nothing is put
}

// check finds the first operation of a branch, at any depth, that cannot be executed.
func (g grounds) check(b branch) error {
	nested := b.nested
	for _, op := range b.ops {
		var err error
		switch op := op.Request.(type) {
		case *pb.RequestOp_RequestRange:
			err = g.checkRange(op.RequestRange.Revision)
		case *pb.RequestOp_RequestPut:
			err = g.checkPut(op.RequestPut)
		case *pb.RequestOp_RequestTxn:
			err = g.check(nested[0])
			nested = nested[1:]
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// checkRange is stricter than a range outside of a transaction, where a revision below zero means
// the present.
func (g grounds) checkRange(revision int64) error {
	switch {
	case revision == 0:
		return nil
	case revision > g.from.Revision():
		return rpctypes.ErrGRPCFutureRev
	case revision < g.compacted:
		return rpctypes.ErrGRPCCompacted
	}
	return nil
}

func (g grounds) checkPut(r *pb.PutRequest) error {
	if r.Lease != 0 && !g.leases.Has(lease.ID(r.Lease)) {
		return rpctypes.ErrGRPCLeaseNotFound
	}
	if (r.IgnoreValue || r.IgnoreLease) && !g.from.Meta(r.Key).Exists() {
		return rpctypes.ErrGRPCKeyNotFound
	}
	return nil
}

// ReadOnly tells whether a transaction only reads, whatever it finds.
func ReadOnly(r *pb.TxnRequest) bool {
	only, _ := readOnly(r)
	return only
}

// readOnly tells whether a transaction needs no entry in the log: all its operations are ranges.
// It is serializable, too, when each of them is; so one without operations asks nobody.
func readOnly(r *pb.TxnRequest) (readOnly, serializable bool) {
	serializable = true
	for _, ops := range [...][]*pb.RequestOp{r.Success, r.Failure} {
		for _, op := range ops {
			inner := op.GetRequestRange()
			if inner == nil {
				return false, false
			}
			serializable = serializable && inner.Serializable
		}
	}
	return true, serializable
}

// readTxn answers a transaction that only reads.
func readTxn(from *View, r *pb.TxnRequest) (*pb.TxnResponse, error) {
	b, err := decide(r, from)
	if err != nil {
		return nil, err
	}
	if err := (grounds{from: from, compacted: from.Compacted()}).check(b); err != nil {
		return nil, err
	}
	response := &pb.TxnResponse{Header: header(from.Revision()), Succeeded: b.succeeded}
	for _, op := range b.ops {
		inner, err := from.Read(op.GetRequestRange())
		if err != nil {
			return nil, err
		}
		response.Responses = append(response.Responses, rangeOp(inner))
	}
	return response, nil
}

func rangeOp(r *pb.RangeResponse) *pb.ResponseOp {
	return &pb.ResponseOp{Response: &pb.ResponseOp_ResponseRange{ResponseRange: r}}
}
