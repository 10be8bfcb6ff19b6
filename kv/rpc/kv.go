package rpc

import (
	"context"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"detcd/kv"
)

// A kvService is etcd's KV service.
type kvService struct {
	*carrier
	pb.UnimplementedKVServer
}

func (s *kvService) Range(ctx context.Context, r *pb.RangeRequest) (*pb.RangeResponse, error) {
	return carry[*pb.RangeResponse](ctx, s.carrier, r)
}

// RangeStream reads a range of any size in pieces. Only one piece is in memory at a time: gRPC's
// flow control holds the next one back until the client has room.
func (s *kvService) RangeStream(r *pb.RangeRequest, stream pb.KV_RangeStreamServer) error {
	if err := kv.CheckStream(r); err != nil {
		return err
	}
	ctx, begun := stream.Context(), time.Now()
	read := s.node.Barrier
	if r.Serializable {
		read = s.node.View
	}
	view, err := read(ctx)
	if err != nil {
		return s.failure(ctx, err, begun)
	}
	if err := kv.Permit(view.(*kv.View), r, guest{s.carrier, ctx}); err != nil {
		return err
	}
	pages := kv.NewPages(r, view.(*kv.View), s.limits.RequestBytesMax)
	for {
		page, last, err := pages.Next()
		if err != nil {
			return err
		}
		if page.Header != nil {
			s.sign(page.Header)
		}
		err = stream.Send(&pb.RangeStreamResponse{RangeResponse: page})
		if err != nil || last {
			return err
		}
	}
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
