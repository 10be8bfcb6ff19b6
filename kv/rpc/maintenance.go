package rpc

import (
	"context"
	"fmt"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"go.etcd.io/etcd/api/v3/version"
)

// A maintenanceService is etcd's Maintenance service.
type maintenanceService struct {
	*carrier
	meter *Meter
	pb.UnimplementedMaintenanceServer
}

func (s *maintenanceService) HashKV(
	ctx context.Context, r *pb.HashKVRequest,
) (*pb.HashKVResponse, error) {
	defer s.meter.hashed(&s.meter.took.HashRev, time.Now())
	return carry[*pb.HashKVResponse](ctx, s.carrier, r)
}

// Hash is a hash of all keys and their history, that of HashKV at the present revision. etcd's own
// is one of the file of its database; what both are for is that members can be compared.
func (s *maintenanceService) Hash(
	ctx context.Context, _ *pb.HashRequest,
) (*pb.HashResponse, error) {
	defer s.meter.hashed(&s.meter.took.Hash, time.Now())
	answer, err := carry[*pb.HashKVResponse](ctx, s.carrier, &pb.HashKVRequest{}) // the same rights
	if err != nil {
		return nil, err
	}
	return &pb.HashResponse{Header: answer.Header, Hash: answer.Hash}, nil
}

// Defragment rewrites what is partly dead, and answers when the room is given back. Requests are
// served meanwhile. A client that does not wait for the end does not end it. Like etcd's, the
// answer has no header.
func (s *maintenanceService) Defragment(
	ctx context.Context, r *pb.DefragmentRequest,
) (*pb.DefragmentResponse, error) {
	if err := s.permit(ctx, r); err != nil {
		return nil, err
	}
	begun := time.Now()
	if err := s.node.Defragment(ctx); err != nil {
		return nil, s.failure(ctx, err, begun)
	}
	return &pb.DefragmentResponse{}, nil
}

// MoveLeader lets another voter lead, when this member is the leader. Like etcd's, the answer has
// no header.
func (s *maintenanceService) MoveLeader(
	ctx context.Context, r *pb.MoveLeaderRequest,
) (*pb.MoveLeaderResponse, error) {
	if err := s.permit(ctx, r); err != nil {
		return nil, err
	}
	begun := time.Now()
	limited, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	if err := s.node.MoveLeader(limited, r.TargetID); err != nil {
		return nil, s.failure(ctx, err, begun)
	}
	return &pb.MoveLeaderResponse{}, nil
}

// Alarm lists, raises and disarms alarms.
func (s *maintenanceService) Alarm(
	ctx context.Context, r *pb.AlarmRequest,
) (*pb.AlarmResponse, error) {
	if err := s.permit(ctx, r); err != nil {
		return nil, err
	}
	return carry[*pb.AlarmResponse](ctx, s.carrier, r)
}

// Downgrade says whether the cluster could be taken back to the minor version before its own, lets
// members of that version join, or ends that.
func (s *maintenanceService) Downgrade(
	ctx context.Context, r *pb.DowngradeRequest,
) (*pb.DowngradeResponse, error) {
	if err := s.permit(ctx, r); err != nil {
		return nil, err
	}
	return carry[*pb.DowngradeResponse](ctx, s.carrier, r)
}

// Status is answered by every member for itself, with or without a leader.
func (s *maintenanceService) Status(
	ctx context.Context, r *pb.StatusRequest,
) (*pb.StatusResponse, error) {
	if err := s.permit(ctx, r); err != nil {
		return nil, err
	}
	view, err := s.history(ctx)
	if err != nil {
		return nil, err
	}
	now := s.node.Status()
	answer := &pb.StatusResponse{
		Header:           &pb.ResponseHeader{Revision: view.Revision()},
		Version:          version.Version,
		StorageVersion:   now.Downgrade.ClusterVersion(),
		Leader:           now.Leader,
		IsLearner:        now.Learner,
		RaftTerm:         now.RaftTerm,
		RaftIndex:        now.RaftIndex,
		RaftAppliedIndex: now.RaftApplied,
		DbSize:           now.DBSize,
		DbSizeInUse:      now.DBSizeInUse,
		DbSizeQuota:      now.DBSizeQuota,
		DowngradeInfo: &pb.DowngradeInfo{
			Enabled: now.Downgrade != "", TargetVersion: string(now.Downgrade),
		},
	}
	s.sign(answer.Header)
	if now.Leader == 0 {
		answer.Errors = append(answer.Errors, rpctypes.ErrNoLeader.Error())
	}
	for _, alarm := range now.Alarms {
		text := fmt.Sprintf("alarm:%s", alarm.Kind)
		if alarm.Member != 0 {
			text = fmt.Sprintf("memberID:%d %s", alarm.Member, text)
		}
		answer.Errors = append(answer.Errors, text)
	}
	answer.Errors = append(answer.Errors, s.node.Troubles()...)
	return answer, nil
}
