package rpc

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// A kvService is etcd's KV service. RangeStream is not served yet.
type kvService struct {
	*carrier
	pb.UnimplementedKVServer
}

func (s *kvService) Range(ctx context.Context, r *pb.RangeRequest) (*pb.RangeResponse, error) {
	return carry[*pb.RangeResponse](ctx, s.carrier, r)
}

func (s *kvService) Put(ctx context.Context, r *pb.PutRequest) (*pb.PutResponse, error) {
	return carry[*pb.PutResponse](ctx, s.carrier, r)
}

func (s *kvService) DeleteRange(
	ctx context.Context, r *pb.DeleteRangeRequest,
) (*pb.DeleteRangeResponse, error) {
	return carry[*pb.DeleteRangeResponse](ctx, s.carrier, r)
}

func (s *kvService) Txn(ctx context.Context, r *pb.TxnRequest) (*pb.TxnResponse, error) {
	return carry[*pb.TxnResponse](ctx, s.carrier, r)
}

func (s *kvService) Compact(
	ctx context.Context, r *pb.CompactionRequest,
) (*pb.CompactionResponse, error) {
	return carry[*pb.CompactionResponse](ctx, s.carrier, r)
}
