package probe

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"detcd/checker/etcd"
)

// Requests, in short.

func get(key string) *pb.RangeRequest { return &pb.RangeRequest{Key: []byte(key)} }

func put(key, value string) *pb.PutRequest {
	return &pb.PutRequest{Key: []byte(key), Value: []byte(value)}
}

func remove(key string) *pb.DeleteRangeRequest {
	return &pb.DeleteRangeRequest{Key: []byte(key)}
}

// under reads all keys with a prefix, which ends with a slash.
func under(prefix string) *pb.RangeRequest {
	return &pb.RangeRequest{Key: []byte(prefix), RangeEnd: []byte(after(prefix))}
}

// oldest reads the key with the lowest create revision of those with a prefix. Without an order
// etcd would apply the limit first, to the order of keys.
func oldest(prefix string) *pb.RangeRequest {
	request := under(prefix)
	request.SortTarget, request.SortOrder = pb.RangeRequest_CREATE, pb.RangeRequest_ASCEND
	request.Limit = 1
	return request
}

// after returns the end of the range of keys with a prefix that ends with a slash.
func after(prefix string) string { return prefix[:len(prefix)-1] + "0" }

// everything reads all keys.
func everything() *pb.RangeRequest {
	return &pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}}
}

// unchanged compares the mod revision of a key; 0 is that of a key that is not there.
func unchanged(key string, mod int64) *pb.Compare {
	return &pb.Compare{Key: []byte(key), Target: pb.Compare_MOD,
		TargetUnion: &pb.Compare_ModRevision{ModRevision: mod}}
}

// created compares the create revision of a key.
func created(key string, revision int64) *pb.Compare {
	return &pb.Compare{Key: []byte(key), Target: pb.Compare_CREATE,
		TargetUnion: &pb.Compare_CreateRevision{CreateRevision: revision}}
}

// holding compares the value of a key.
func holding(key, value string) *pb.Compare {
	return &pb.Compare{Key: []byte(key), Target: pb.Compare_VALUE,
		TargetUnion: &pb.Compare_Value{Value: []byte(value)}}
}

// ops makes operations of a transaction from requests.
func ops(requests ...any) []*pb.RequestOp {
	list := make([]*pb.RequestOp, 0, len(requests))
	for _, request := range requests {
		op := &pb.RequestOp{}
		switch r := request.(type) {
		case *pb.RangeRequest:
			op.Request = &pb.RequestOp_RequestRange{RequestRange: r}
		case *pb.PutRequest:
			op.Request = &pb.RequestOp_RequestPut{RequestPut: r}
		case *pb.DeleteRangeRequest:
			op.Request = &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: r}
		case *pb.TxnRequest:
			op.Request = &pb.RequestOp_RequestTxn{RequestTxn: r}
		}
		list = append(list, op)
	}
	return list
}

// first returns the first key of an answer, or a key that is not there.
func first(answer *etcd.Response) etcd.KeyValue {
	if answer == nil || len(answer.KVs) == 0 {
		return etcd.KeyValue{}
	}
	return answer.KVs[0]
}
