package rpc

import (
	"context"
	"slices"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"go.etcd.io/etcd/client/pkg/v3/types"
	"google.golang.org/protobuf/proto"
)

// A clusterService is etcd's Cluster service: who is a member. Its headers have, unlike all others,
// no revision.
type clusterService struct {
	*carrier
	pb.UnimplementedClusterServer
}

// MemberList lists the members as this one knows them, or as all of them do.
func (s *clusterService) MemberList(
	ctx context.Context, r *pb.MemberListRequest,
) (*pb.MemberListResponse, error) {
	header, members, err := s.members(ctx, r, func(ctx context.Context) ([]*pb.Member, error) {
		return s.node.Members(ctx, r.Linearizable)
	})
	if err != nil {
		return nil, err
	}
	return &pb.MemberListResponse{Header: header, Members: members}, nil
}

// MemberAdd adds a member that has yet to be started.
func (s *clusterService) MemberAdd(
	ctx context.Context, r *pb.MemberAddRequest,
) (*pb.MemberAddResponse, error) {
	urls, err := types.NewURLs(r.PeerURLs)
	if err != nil {
		return nil, rpctypes.ErrGRPCMemberBadURLs
	}
	var added *pb.Member
	header, members, err := s.members(ctx, r, func(ctx context.Context) ([]*pb.Member, error) {
		one, all, err := s.node.AddMember(ctx, urls.StringSlice(), r.IsLearner)
		added = one
		return all, err
	})
	if err != nil {
		return nil, err
	}
	return &pb.MemberAddResponse{Header: header, Member: added, Members: members}, nil
}

// MemberRemove removes a member for good.
func (s *clusterService) MemberRemove(
	ctx context.Context, r *pb.MemberRemoveRequest,
) (*pb.MemberRemoveResponse, error) {
	header, members, err := s.members(ctx, r, func(ctx context.Context) ([]*pb.Member, error) {
		return s.node.RemoveMember(ctx, r.ID)
	})
	if err != nil {
		return nil, err
	}
	return &pb.MemberRemoveResponse{Header: header, Members: members}, nil
}

// MemberUpdate changes the peer URLs of a member.
func (s *clusterService) MemberUpdate(
	ctx context.Context, r *pb.MemberUpdateRequest,
) (*pb.MemberUpdateResponse, error) {
	header, members, err := s.members(ctx, r, func(ctx context.Context) ([]*pb.Member, error) {
		if _, err := types.NewURLs(r.PeerURLs); err != nil {
			return nil, s.badURLs(ctx, r.ID)
		}
		return s.node.UpdateMember(ctx, r.ID, r.PeerURLs)
	})
	if err != nil {
		return nil, err
	}
	return &pb.MemberUpdateResponse{Header: header, Members: members}, nil
}

// badURLs is what to say of URLs that are none: that they are none, or, before that, that there is
// no such member.
func (s *clusterService) badURLs(ctx context.Context, id uint64) error {
	members, err := s.node.Members(ctx, true)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(members, func(m *pb.Member) bool { return m.ID == id }) {
		return rpctypes.ErrGRPCMemberNotFound
	}
	return rpctypes.ErrGRPCMemberBadURLs
}

// MemberPromote lets a learner vote.
func (s *clusterService) MemberPromote(
	ctx context.Context, r *pb.MemberPromoteRequest,
) (*pb.MemberPromoteResponse, error) {
	header, members, err := s.members(ctx, r, func(ctx context.Context) ([]*pb.Member, error) {
		return s.node.PromoteMember(ctx, r.ID)
	})
	if err != nil {
		return nil, err
	}
	return &pb.MemberPromoteResponse{Header: header, Members: members}, nil
}

// members does what gives the members, if the client may, within the time limit of a request.
func (s *clusterService) members(
	ctx context.Context, r proto.Message, do func(ctx context.Context) ([]*pb.Member, error),
) (*pb.ResponseHeader, []*pb.Member, error) {
	if err := s.permit(ctx, r); err != nil {
		return nil, nil, err
	}
	begun := time.Now()
	limited, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	members, err := do(limited)
	if err != nil {
		return nil, nil, s.failure(ctx, err, begun)
	}
	header := &pb.ResponseHeader{}
	s.sign(header)
	return header, members, nil
}
