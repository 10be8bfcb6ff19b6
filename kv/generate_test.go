package kv

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

// Random requests over so few keys, values, leases and revisions that they meet each other.

func anyKey(t *rapid.T) []byte {
	return []byte(rapid.SampledFrom([]string{"a", "b", "b\x00", "c", "d"}).Draw(t, "key"))
}

func anyEnd(t *rapid.T) []byte {
	end := rapid.SampledFrom([]string{"", "", "b", "d", "z", "\x00"}).Draw(t, "end")
	if end == "" {
		return nil
	}
	return []byte(end)
}

func anyValue(t *rapid.T) []byte {
	return rapid.SampledFrom([][]byte{nil, []byte("1"), []byte("2"), []byte("22")}).Draw(t, "value")
}

func anyRange(t *rapid.T) *pb.RangeRequest {
	small := rapid.Int64Range(-1, 6)
	r := &pb.RangeRequest{Key: anyKey(t), RangeEnd: anyEnd(t), Limit: small.Draw(t, "limit")}
	r.Serializable = rapid.Bool().Draw(t, "serializable")
	switch rapid.IntRange(0, 9).Draw(t, "sort of range") {
	case 0:
		r.CountOnly = true
	case 1:
		r.KeysOnly = true
	case 2:
		r.SortOrder = pb.RangeRequest_SortOrder(rapid.IntRange(0, 2).Draw(t, "order"))
		r.SortTarget = pb.RangeRequest_SortTarget(rapid.IntRange(0, 4).Draw(t, "target"))
	case 3:
		r.MinModRevision, r.MaxModRevision = small.Draw(t, "min"), small.Draw(t, "max")
	case 5:
		r.MinCreateRevision, r.MaxCreateRevision = small.Draw(t, "min"), small.Draw(t, "max")
	case 4:
		r.Revision = rapid.Int64Range(-2, 12).Draw(t, "revision")
	}
	return r
}

func anyPut(t *rapid.T) *pb.PutRequest {
	r := &pb.PutRequest{Key: anyKey(t), PrevKv: rapid.Bool().Draw(t, "prev")}
	flags := rapid.IntRange(0, 9).Draw(t, "sort of put")
	if r.IgnoreValue = flags == 1 || flags == 3; !r.IgnoreValue {
		r.Value = anyValue(t)
	}
	if r.IgnoreLease = flags == 2 || flags == 3; !r.IgnoreLease && flags > 6 {
		r.Lease = rapid.Int64Range(0, 4).Draw(t, "lease")
	}
	return r
}

func anyDelete(t *rapid.T) *pb.DeleteRangeRequest {
	return &pb.DeleteRangeRequest{Key: anyKey(t), RangeEnd: anyEnd(t),
		PrevKv: rapid.Bool().Draw(t, "prev")}
}

func anyCompare(t *rapid.T) *pb.Compare {
	c := &pb.Compare{Key: anyKey(t), RangeEnd: anyEnd(t),
		Result: pb.Compare_CompareResult(rapid.IntRange(0, 3).Draw(t, "result")),
		Target: pb.Compare_CompareTarget(rapid.IntRange(0, 5).Draw(t, "target"))}
	number := rapid.Int64Range(0, 8).Draw(t, "number")
	switch rapid.IntRange(0, 4).Draw(t, "union") {
	case 0:
		c.TargetUnion = &pb.Compare_Version{Version: number}
	case 1:
		c.TargetUnion = &pb.Compare_CreateRevision{CreateRevision: number}
	case 2:
		c.TargetUnion = &pb.Compare_ModRevision{ModRevision: number}
	case 3:
		c.TargetUnion = &pb.Compare_Value{Value: anyValue(t)}
	case 4:
		c.TargetUnion = &pb.Compare_Lease{Lease: number}
	}
	return c
}

func anyOps(t *rapid.T, depth int) (ops []*pb.RequestOp) {
	for range rapid.IntRange(0, 3).Draw(t, "ops") {
		op := &pb.RequestOp{}
		switch rapid.IntRange(0, 4).Draw(t, "op") {
		case 0:
			op.Request = &pb.RequestOp_RequestRange{RequestRange: anyRange(t)}
		case 1, 2:
			op.Request = &pb.RequestOp_RequestPut{RequestPut: anyPut(t)}
		case 3:
			op.Request = &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: anyDelete(t)}
		case 4:
			if depth == 0 {
				continue
			}
			op.Request = &pb.RequestOp_RequestTxn{RequestTxn: anyTxn(t, depth-1)}
		}
		ops = append(ops, op)
	}
	return ops
}

func anyTxn(t *rapid.T, depth int) *pb.TxnRequest {
	r := &pb.TxnRequest{}
	for range rapid.IntRange(0, 2).Draw(t, "compares") {
		r.Compare = append(r.Compare, anyCompare(t))
	}
	r.Success, r.Failure = anyOps(t, depth), anyOps(t, depth)
	return r
}

// anyRequest is one of those that the store's state decides, mostly.
func anyRequest(t *rapid.T) proto.Message {
	id := rapid.Int64Range(1, 4)
	switch rapid.IntRange(0, 19).Draw(t, "request") {
	case 0, 1:
		return anyRange(t)
	case 2, 3, 4, 5:
		return anyPut(t)
	case 6, 7:
		return anyDelete(t)
	case 8:
		return &pb.CompactionRequest{Revision: rapid.Int64Range(-1, 12).Draw(t, "revision")}
	case 9, 10:
		return &pb.LeaseGrantRequest{ID: id.Draw(t, "id"), TTL: rapid.Int64Range(1, 3).Draw(t, "ttl")}
	case 11:
		return &pb.LeaseRevokeRequest{ID: id.Draw(t, "id")}
	case 12:
		return anyAlarm(t)
	}
	return anyTxn(t, 2)
}

// anyAlarm disarms more often than it raises.
func anyAlarm(t *rapid.T) *pb.AlarmRequest {
	return &pb.AlarmRequest{
		Action: rapid.SampledFrom([]pb.AlarmRequest_AlarmAction{
			pb.AlarmRequest_GET, pb.AlarmRequest_ACTIVATE,
			pb.AlarmRequest_DEACTIVATE, pb.AlarmRequest_DEACTIVATE, pb.AlarmRequest_DEACTIVATE,
		}).Draw(t, "action"),
		Alarm:    pb.AlarmType(rapid.IntRange(0, 2).Draw(t, "alarm")),
		MemberID: rapid.Uint64Range(0, 1).Draw(t, "member"),
	}
}
