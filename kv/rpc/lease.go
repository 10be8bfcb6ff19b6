package rpc

import (
	"context"
	"errors"
	"io"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// A leaseService is etcd's Lease service.
type leaseService struct {
	*carrier
	pb.UnimplementedLeaseServer
}

func (s *leaseService) LeaseGrant(
	ctx context.Context, r *pb.LeaseGrantRequest,
) (*pb.LeaseGrantResponse, error) {
	return carry[*pb.LeaseGrantResponse](ctx, s.carrier, r)
}

func (s *leaseService) LeaseRevoke(
	ctx context.Context, r *pb.LeaseRevokeRequest,
) (*pb.LeaseRevokeResponse, error) {
	return carry[*pb.LeaseRevokeResponse](ctx, s.carrier, r)
}

func (s *leaseService) LeaseTimeToLive(
	ctx context.Context, r *pb.LeaseTimeToLiveRequest,
) (*pb.LeaseTimeToLiveResponse, error) {
	return carry[*pb.LeaseTimeToLiveResponse](ctx, s.carrier, r)
}

func (s *leaseService) LeaseLeases(
	ctx context.Context, r *pb.LeaseLeasesRequest,
) (*pb.LeaseLeasesResponse, error) {
	return carry[*pb.LeaseLeasesResponse](ctx, s.carrier, r)
}

// LeaseKeepAlive answers the renewals of one stream one after another, until the client has sent
// its last.
func (s *leaseService) LeaseKeepAlive(stream pb.Lease_LeaseKeepAliveServer) error {
	ctx := stream.Context()
	requests := receive(ctx, stream.Recv)
	for {
		select {
		case r := <-requests:
			if errors.Is(r.err, io.EOF) {
				return nil
			}
			if r.err != nil {
				return r.err
			}
			answer, err := carry[*pb.LeaseKeepAliveResponse](ctx, s.carrier, r.message)
			if err != nil {
				return err
			}
			if err := stream.Send(answer); err != nil {
				return err
			}
		case <-ctx.Done():
			return canceled(ctx, ctx.Err())
		}
	}
}
