package rpc

import (
	"context"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// A clusterService is etcd's Cluster service: the list of members. Changes of membership are not
// served yet.
type clusterService struct {
	*carrier
	pb.UnimplementedClusterServer
}

// MemberList has, as all of this service, no revision in its header.
func (s *clusterService) MemberList(
	ctx context.Context, r *pb.MemberListRequest,
) (*pb.MemberListResponse, error) {
	begun := time.Now()
	limited, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	members, err := s.node.Members(limited, r.Linearizable)
	if err != nil {
		return nil, s.failure(ctx, err, begun)
	}
	answer := &pb.MemberListResponse{Header: &pb.ResponseHeader{}, Members: members}
	s.sign(answer.Header)
	return answer, nil
}
