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

// LeaseKeepAlive answers the renewals of one stream in their order, until the client has sent its
// last. Those that have come together are carried together: a client sends the renewals of all its
// leases at once.
func (s *leaseService) LeaseKeepAlive(stream pb.Lease_LeaseKeepAliveServer) error {
	ctx := stream.Context()
	requests := receive(ctx, stream.Recv)
	for {
		renewals, ended := gather(ctx, requests)
		answers, err := carryAll[*pb.LeaseKeepAliveResponse](ctx, s.carrier, renewals)
		for _, answer := range answers {
			if err := stream.Send(answer); err != nil {
				return err
			}
		}
		switch {
		case err != nil:
			return err
		case errors.Is(ended, io.EOF):
			return nil
		case ctx.Err() != nil:
			return canceled(ctx, ctx.Err())
		case ended != nil:
			return ended
		}
	}
}

// gather waits for a request and takes those that have come with it. ended is why no more follow
// them.
func gather[R any](ctx context.Context, requests <-chan received[R]) (all []R, ended error) {
	select {
	case r := <-requests:
		for {
			if r.err != nil {
				return all, r.err
			}
			if all = append(all, r.message); len(all) == requestsMax {
				return all, nil
			}
			select {
			case r = <-requests:
			default:
				return all, nil
			}
		}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
