package difftest

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"pgregory.net/rapid"
)

// drawRangeRequest draws every field of a range.
func drawRangeRequest(t *rapid.T, at moment) *pb.RangeRequest {
	key, end := drawRange(t)
	r := &pb.RangeRequest{Key: key, RangeEnd: end, Revision: drawRevision(t, at)}
	if seldom(t, "limited", 3) {
		r.Limit = pick[int64](t, "limit", 1, 2, 3, 100, -1)
	}
	if seldom(t, "ordered", 3) {
		r.SortOrder = pick[pb.RangeRequest_SortOrder](t, "order", 0, 1, 1, 2, 2, 3, -1)
		r.SortTarget = pick[pb.RangeRequest_SortTarget](t, "target", 0, 1, 2, 3, 4, 4, 5, -1)
	}
	r.Serializable = seldom(t, "serializable", 4)
	r.KeysOnly = seldom(t, "keys only", 6)
	r.CountOnly = seldom(t, "count only", 8)
	if seldom(t, "filtered", 4) {
		bound := func(label string) int64 { return drawNumber(t, label, at) }
		r.MinModRevision, r.MaxModRevision = bound("min mod"), bound("max mod")
		r.MinCreateRevision, r.MaxCreateRevision = bound("min create"), bound("max create")
	}
	return r
}

// drawPut draws every field of a put.
func drawPut(t *rapid.T) *pb.PutRequest {
	r := &pb.PutRequest{Key: drawKey(t), PrevKv: seldom(t, "prev kv", 3)}
	if r.IgnoreValue = seldom(t, "ignore value", 8); !r.IgnoreValue || seldom(t, "value too", 4) {
		r.Value = drawValue(t)
	}
	r.IgnoreLease = seldom(t, "ignore lease", 8)
	if seldom(t, "leased", 3) && (!r.IgnoreLease || seldom(t, "lease too", 4)) {
		r.Lease = drawLease(t)
	}
	return r
}

// drawDelete draws every field of a delete.
func drawDelete(t *rapid.T) *pb.DeleteRangeRequest {
	key := drawKey(t)
	r := &pb.DeleteRangeRequest{Key: key, PrevKv: seldom(t, "prev kv", 3)}
	if seldom(t, "several", 3) {
		r.RangeEnd = drawEnd(t, key)
	}
	return r
}

// txnDepthMax is how deep transactions nest. The limit of operations is reached before.
const txnDepthMax = 3

// drawTxn draws a transaction with compares, both branches and transactions inside.
func drawTxn(t *rapid.T, at moment, depth int) *pb.TxnRequest {
	r := &pb.TxnRequest{}
	for range drawCount(t, "compares") {
		r.Compare = append(r.Compare, drawCompare(t, at))
	}
	for range drawCount(t, "success") {
		r.Success = append(r.Success, drawOperation(t, at, depth))
	}
	for range drawCount(t, "failure") {
		r.Failure = append(r.Failure, drawOperation(t, at, depth))
	}
	return r
}

// calm takes from a transaction what ends etcd: a put that needs its key, beside a deletion without
// an end that may take the key away before. etcd does not see that the two meet, begins, and panics
// in the middle, on every member and at every start. detcd refuses such a transaction.
func calm(r *pb.TxnRequest) *pb.TxnRequest {
	endless := deletesToTheEnd(r)
	eachOperation(r, func(op *pb.RequestOp) {
		if put := op.GetRequestPut(); put != nil && endless {
			put.IgnoreValue, put.IgnoreLease = false, false
		}
	})
	return r
}

// deletesToTheEnd tells whether a transaction may delete all keys from one on.
func deletesToTheEnd(r *pb.TxnRequest) (endless bool) {
	eachOperation(r, func(op *pb.RequestOp) {
		endless = endless || string(op.GetRequestDeleteRange().GetRangeEnd()) == "\x00"
	})
	return endless
}

// eachOperation visits the operations of a transaction at every depth.
func eachOperation(r *pb.TxnRequest, visit func(*pb.RequestOp)) {
	for _, operations := range [][]*pb.RequestOp{r.Success, r.Failure} {
		for _, operation := range operations {
			visit(operation)
			if nested := operation.GetRequestTxn(); nested != nil {
				eachOperation(nested, visit)
			}
		}
	}
}

// drawCount draws the length of a part of a transaction; seldom one near or beyond the limit.
func drawCount(t *rapid.T, label string) int {
	if seldom(t, "many "+label, 50) {
		return rapid.IntRange(txnOpsMax-1, txnOpsMax+1).Draw(t, "count of "+label)
	}
	return pick(t, "count of "+label, 0, 1, 1, 2, 3)
}

// drawOperation draws one operation of a transaction; seldom one that says nothing.
func drawOperation(t *rapid.T, at moment, depth int) *pb.RequestOp {
	kind := pick(t, "operation", "put", "put", "put", "range", "range", "delete", "txn")
	switch {
	case seldom(t, "no operation", 60):
		return &pb.RequestOp{}
	case kind == "range":
		r := drawRangeRequest(t, at)
		return &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: r}}
	case kind == "delete":
		r := drawDelete(t)
		return &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: r}}
	case kind == "txn" && depth < txnDepthMax:
		r := drawTxn(t, at, depth+1)
		return &pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: r}}
	}
	return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: drawPut(t)}}
}

// drawCompare draws a compare: every target, every result, one key or a range, and now and then a
// value that belongs to another target, or none, or an enumeration's number that does not exist.
func drawCompare(t *rapid.T, at moment) *pb.Compare {
	c := &pb.Compare{
		Result: pick[pb.Compare_CompareResult](t, "result", 0, 0, 1, 1, 2, 2, 3, 3, 4, -1),
		Target: pick[pb.Compare_CompareTarget](t, "target", 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, -1),
		Key:    drawKey(t),
	}
	if seldom(t, "compare a range", 4) {
		c.RangeEnd = drawEnd(t, c.Key)
	}
	union := c.Target
	if seldom(t, "mismatched", 10) {
		union = pick[pb.Compare_CompareTarget](t, "union", 0, 1, 2, 3, 4, 5)
	}
	switch union {
	case pb.Compare_VERSION:
		c.TargetUnion = &pb.Compare_Version{Version: drawNumber(t, "version", at)}
	case pb.Compare_CREATE:
		c.TargetUnion = &pb.Compare_CreateRevision{CreateRevision: drawNumber(t, "create", at)}
	case pb.Compare_MOD:
		c.TargetUnion = &pb.Compare_ModRevision{ModRevision: drawNumber(t, "mod", at)}
	case pb.Compare_VALUE:
		c.TargetUnion = &pb.Compare_Value{Value: drawValue(t)}
	case pb.Compare_LEASE:
		c.TargetUnion = &pb.Compare_Lease{Lease: drawLease(t)}
	}
	return c
}

// drawCompaction draws a compaction, mostly of what is far enough behind to leave some history.
func drawCompaction(t *rapid.T, at moment) *pb.CompactionRequest {
	r := &pb.CompactionRequest{Physical: seldom(t, "physical", 2)}
	if seldom(t, "any revision", 3) {
		r.Revision = drawRevision(t, at)
	} else {
		r.Revision = at.now - rapid.Int64Range(0, 20).Draw(t, "back")
	}
	return r
}
