package kv

import (
	"fmt"
	"strings"

	"github.com/coreos/go-semver/semver"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"go.etcd.io/etcd/api/v3/version"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A Downgrade is the version to which the cluster is on its way back, as in "3.6.0". The empty one
// is none: then the cluster has the version whose protocol is served.
type Downgrade string

// ClusterVersion is the version that all members speak, as in "3.7.0". While a downgrade is under
// way it is the target: members of that version may join.
func (d Downgrade) ClusterVersion() string {
	if d != "" {
		return string(d)
	}
	return version.Cluster(version.Version) + ".0"
}

// check refuses all but the minor version before that of the cluster, and a second downgrade.
func (d Downgrade) check(target string) error {
	now, wanted := semver.New(d.ClusterVersion()), semver.New(target)
	switch {
	case wanted.Major != now.Major || wanted.Minor != now.Minor-1:
		return rpctypes.ErrGRPCInvalidDowngradeTargetVersion
	case d != "":
		return rpctypes.ErrGRPCDowngradeInProcess
	}
	return nil
}

// valid refuses what no version is.
func (d Downgrade) valid() error {
	if d == "" {
		return nil
	}
	if _, err := semver.NewVersion(string(d)); err != nil {
		return fmt.Errorf("%w: a downgrade to version %q", ErrDamaged, string(d))
	}
	return nil
}

// response tells the version of the cluster without its patch.
func (d Downgrade) response(revision int64) *pb.DowngradeResponse {
	return &pb.DowngradeResponse{
		Header: header(revision), Version: strings.TrimSuffix(d.ClusterVersion(), ".0"),
	}
}

// targetOf reads a version. Its patch does not matter and may be left out.
func targetOf(text string) (string, error) {
	wanted, err := semver.NewVersion(text)
	if err != nil {
		wanted, err = semver.NewVersion(text + ".0")
	}
	if err != nil {
		return "", rpctypes.ErrGRPCWrongDowngradeVersionFormat
	}
	return (&semver.Version{Major: wanted.Major, Minor: wanted.Minor}).String(), nil
}

// downgrade begins a request that asks about a downgrade, begins one or ends it. The command has
// the target as all members are to see it.
func (c *Call) downgrade(r *pb.DowngradeRequest, limits Limits) {
	target, err := "", error(nil)
	switch r.Action {
	case pb.DowngradeRequest_VALIDATE, pb.DowngradeRequest_ENABLE:
		target, err = targetOf(r.Version)
	case pb.DowngradeRequest_CANCEL:
	default:
		err = status.Error(codes.Unknown, "etcdserver: unknown method")
	}
	ordered := &pb.DowngradeRequest{Action: r.Action, Version: target}
	if r.Action == pb.DowngradeRequest_VALIDATE {
		c.request = ordered
		c.read(err, false)
		return
	}
	c.submit(err, ordered, limits)
}

// Downgrade is the one that is under way. Any goroutine may call it.
func (s *Store) Downgrade() Downgrade { return *s.downgrade.Load() }

// changeDowngrade begins a downgrade or ends it. As in etcd the answer has the version from before,
// and to end none is no error.
func (s *Store) changeDowngrade(r *pb.DowngradeRequest) (*pb.DowngradeResponse, error) {
	was, next := s.Downgrade(), Downgrade(r.Version)
	if r.Action == pb.DowngradeRequest_ENABLE {
		if err := was.check(r.Version); err != nil {
			return nil, err
		}
	}
	if was != next {
		s.options.Tell(&News{Change: r, Downgrade: was})
	}
	s.downgrade.Store(&next)
	s.digest.bytes([]byte(next))
	return was.response(s.mvcc.Revision()), nil
}
