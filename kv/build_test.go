package kv

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// Short words for the requests of the tests.

type ops = []*pb.RequestOp

func put(key, value string) *pb.PutRequest {
	return &pb.PutRequest{Key: []byte(key), Value: []byte(value)}
}

func leased(key, value string, id int64) *pb.PutRequest {
	return &pb.PutRequest{Key: []byte(key), Value: []byte(value), Lease: id}
}

func del(key, end string) *pb.DeleteRangeRequest {
	return &pb.DeleteRangeRequest{Key: []byte(key), RangeEnd: []byte(end)}
}

func get(key, end string) *pb.RangeRequest {
	return &pb.RangeRequest{Key: []byte(key), RangeEnd: []byte(end)}
}

func getAt(key string, revision int64) *pb.RangeRequest {
	return &pb.RangeRequest{Key: []byte(key), Revision: revision}
}

func grant(id, ttl int64) *pb.LeaseGrantRequest { return &pb.LeaseGrantRequest{ID: id, TTL: ttl} }

func compact(revision int64) *pb.CompactionRequest {
	return &pb.CompactionRequest{Revision: revision}
}

// list makes operations of requests; nil is one without a request.
func list(requests ...any) (out ops) {
	for _, r := range requests {
		op := &pb.RequestOp{}
		switch r := r.(type) {
		case *pb.RangeRequest:
			op.Request = &pb.RequestOp_RequestRange{RequestRange: r}
		case *pb.PutRequest:
			op.Request = &pb.RequestOp_RequestPut{RequestPut: r}
		case *pb.DeleteRangeRequest:
			op.Request = &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: r}
		case *pb.TxnRequest:
			op.Request = &pb.RequestOp_RequestTxn{RequestTxn: r}
		}
		out = append(out, op)
	}
	return out
}

// then is a transaction that executes these.
func then(requests ...any) *pb.TxnRequest { return &pb.TxnRequest{Success: list(requests...)} }

// either is a transaction with two branches, of which it executes the first.
func either(success, failure ops) *pb.TxnRequest {
	return &pb.TxnRequest{Success: success, Failure: failure}
}
