package rpc

import (
	"context"
	"time"

	"github.com/coreos/go-semver/semver"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"go.etcd.io/etcd/api/v3/version"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"detcd/kv"
)

// Downgrade says whether the cluster could be taken back to a version, as etcd would say it: one
// minor version at a time. There is no older detcd, so none is begun; and none is under way, which
// etcd, too, takes for a cancelled one.
func (s *maintenanceService) Downgrade(
	ctx context.Context, r *pb.DowngradeRequest,
) (*pb.DowngradeResponse, error) {
	if err := s.permit(ctx, r); err != nil {
		return nil, err
	}
	now := semver.New(version.Version)
	switch r.Action {
	case pb.DowngradeRequest_VALIDATE, pb.DowngradeRequest_ENABLE:
		if err := checkDowngrade(now, r.Version); err != nil {
			return nil, err
		}
		if r.Action == pb.DowngradeRequest_ENABLE {
			return s.UnimplementedMaintenanceServer.Downgrade(ctx, r)
		}
	case pb.DowngradeRequest_CANCEL:
	default:
		return nil, status.Error(codes.Unknown, "etcdserver: unknown method")
	}
	begun := time.Now()
	view, err := s.node.Barrier(ctx)
	if err != nil {
		return nil, s.failure(ctx, err, begun)
	}
	answer := &pb.DowngradeResponse{
		Header:  &pb.ResponseHeader{Revision: view.(*kv.View).Revision()},
		Version: version.Cluster(now.String()),
	}
	s.sign(answer.Header)
	return answer, nil
}

// checkDowngrade refuses all but the minor version before this one. The patch does not matter and
// may be left out.
func checkDowngrade(now *semver.Version, target string) error {
	wanted, err := semver.NewVersion(target)
	if err != nil {
		wanted, err = semver.NewVersion(target + ".0")
	}
	if err != nil {
		return rpctypes.ErrGRPCWrongDowngradeVersionFormat
	}
	if wanted.Major != now.Major || wanted.Minor != now.Minor-1 {
		return rpctypes.ErrGRPCInvalidDowngradeTargetVersion
	}
	return nil
}
