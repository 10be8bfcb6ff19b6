package mvcc

import (
	"context"
	"fmt"
	"strings"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
)

// etcdServer sends the requests of a script to a real member.
type etcdServer struct{ connection *grpc.ClientConn }

// call makes one call; an error of the wire is an answer.
func call[Q, A any](do func(context.Context, Q, ...grpc.CallOption) (A, error), q Q) (A, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return do(ctx, q)
}

func (e etcdServer) txn(ops [][]string) string {
	request := &pb.TxnRequest{}
	for _, op := range ops {
		request.Success = append(request.Success, operation(op[0], op[1:]))
	}
	kv := pb.NewKVClient(e.connection)
	if r := request.Success[0].GetRequestRange(); r != nil && len(ops) == 1 {
		a, err := call(kv.Range, r)
		if err != nil {
			return textOf(err)
		}
		return describe(a.Kvs, a.Count, a.More, a.Header.Revision)
	}
	response, err := call(kv.Txn, request)
	if err != nil {
		return textOf(err)
	}
	var out strings.Builder
	wrote := false
	for _, r := range response.Responses {
		switch {
		case r.GetResponsePut() != nil:
			wrote = true
		case r.GetResponseDeleteRange() != nil:
			deleted := r.GetResponseDeleteRange().Deleted
			wrote = wrote || deleted > 0
			fmt.Fprintf(&out, "deleted %d\n", deleted)
		default:
			a := r.GetResponseRange()
			out.WriteString(describe(a.Kvs, a.Count, a.More, a.Header.Revision))
		}
	}
	if wrote {
		fmt.Fprintf(&out, "revision %d\n", response.Header.Revision)
	}
	return out.String()
}

func operation(name string, a arguments) *pb.RequestOp {
	switch name {
	case "put":
		return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{
			Key: a.word(0), Value: a.word(1), Lease: a.number(2)}}}
	case "delete":
		return &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{
			RequestDeleteRange: &pb.DeleteRangeRequest{Key: a.word(0), RangeEnd: a.word(1)}}}
	}
	o := parseRange(a)
	return &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{
		Key: o.Key, RangeEnd: o.End, Revision: o.Revision, Limit: o.Limit,
		SortOrder:  pb.RangeRequest_SortOrder(o.Order),
		SortTarget: pb.RangeRequest_SortTarget(o.Target),
		KeysOnly:   o.KeysOnly, CountOnly: o.CountOnly,
		MinModRevision: o.MinModRevision, MaxModRevision: o.MaxModRevision,
		MinCreateRevision: o.MinCreateRevision, MaxCreateRevision: o.MaxCreateRevision}}}
}

// compact waits until the compaction is done: only then etcd remembers its hash.
func (e etcdServer) compact(revision int64) error {
	_, err := call(pb.NewKVClient(e.connection).Compact,
		&pb.CompactionRequest{Revision: revision, Physical: true})
	return err
}

func (e etcdServer) hash(revision int64) (uint32, int64, int64, error) {
	a, err := call(pb.NewMaintenanceClient(e.connection).HashKV, &pb.HashKVRequest{Revision: revision})
	return a.GetHash(), a.GetCompactRevision(), a.GetHashRevision(), err
}

func (e etcdServer) grant(lease int64) {
	_, err := call(pb.NewLeaseClient(e.connection).LeaseGrant,
		&pb.LeaseGrantRequest{ID: lease, TTL: 100000})
	if err != nil {
		panic(err)
	}
}
