package rpc

import (
	"context"
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"go.etcd.io/etcd/api/v3/version"
)

// A maintenanceService is etcd's Maintenance service: Status and HashKV. Alarms, snapshots,
// defragmentation, transfer of leadership and downgrade are not served yet.
type maintenanceService struct {
	*carrier
	pb.UnimplementedMaintenanceServer
}

func (s *maintenanceService) HashKV(
	ctx context.Context, r *pb.HashKVRequest,
) (*pb.HashKVResponse, error) {
	return carry[*pb.HashKVResponse](ctx, s.carrier, r)
}

// Status is answered by every member for itself, with or without a leader.
func (s *maintenanceService) Status(
	ctx context.Context, _ *pb.StatusRequest,
) (*pb.StatusResponse, error) {
	view, err := s.history(ctx)
	if err != nil {
		return nil, err
	}
	now := s.node.Status()
	answer := &pb.StatusResponse{
		Header:           &pb.ResponseHeader{Revision: view.Revision()},
		Version:          version.Version,
		StorageVersion:   now.StorageVersion,
		Leader:           now.Leader,
		IsLearner:        now.Learner,
		RaftTerm:         now.RaftTerm,
		RaftIndex:        now.RaftIndex,
		RaftAppliedIndex: now.RaftApplied,
		DbSize:           now.DBSize,
		DbSizeInUse:      now.DBSizeInUse,
		DbSizeQuota:      now.DBSizeQuota,
		DowngradeInfo:    &pb.DowngradeInfo{},
	}
	s.sign(answer.Header)
	if now.Leader == 0 {
		answer.Errors = append(answer.Errors, rpctypes.ErrNoLeader.Error())
	}
	for _, alarm := range now.Alarms {
		text := fmt.Sprintf("memberID:%d alarm:%s", alarm.MemberID, alarm.Alarm)
		answer.Errors = append(answer.Errors, text)
	}
	return answer, nil
}
