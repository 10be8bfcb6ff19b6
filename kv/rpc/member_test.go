package rpc

import (
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/proto"

	"detcd/kv"
)

// The list of members has, unlike all else, no revision in its header.
func TestMemberList(t *testing.T) {
	s := serve(t, Options{})
	got, err := pb.NewClusterClient(s.conn).MemberList(soon(t), &pb.MemberListRequest{})
	want := &pb.MemberListResponse{
		Header: &pb.ResponseHeader{ClusterId: 0xc0ffee, MemberId: 7, RaftTerm: 3},
		Members: []*pb.Member{{
			ID: 7, Name: "loner",
			PeerURLs:   []string{"http://127.0.0.1:2380"},
			ClientURLs: []string{"http://127.0.0.1:2379"},
		}},
	}
	if err != nil || !proto.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

// A member describes itself even when it has no leader, and says so.
func TestStatus(t *testing.T) {
	s := serve(t, Options{})
	ctx, maintenance := soon(t), pb.NewMaintenanceClient(s.conn)
	want := &pb.StatusResponse{
		Header:  &pb.ResponseHeader{ClusterId: 0xc0ffee, MemberId: 7, RaftTerm: 3, Revision: 1},
		Version: "3.7.3", StorageVersion: "3.7.0",
		Leader: 7, RaftTerm: 3, RaftIndex: 41, RaftAppliedIndex: 40,
		DbSize: 2000, DbSizeInUse: 1000, DbSizeQuota: 2147483648,
		DowngradeInfo: &pb.DowngradeInfo{},
	}
	got, err := maintenance.Status(ctx, &pb.StatusRequest{})
	if err != nil || !proto.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	s.change(func(s *Status) {
		s.Leader = 0
		s.Learner = true
		s.Alarms = []kv.Alarm{{Member: 9, Kind: pb.AlarmType_NOSPACE}, {Kind: pb.AlarmType_CORRUPT}}
	})
	want.Leader, want.IsLearner = 0, true
	s.troubles = []string{"no leader since noon", "not reachable: m2"}
	want.Errors = []string{"etcdserver: no leader", "memberID:9 alarm:NOSPACE", "alarm:CORRUPT",
		"no leader since noon", "not reachable: m2"}
	got, err = maintenance.Status(ctx, &pb.StatusRequest{})
	if err != nil || !proto.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

// The hash of the keys tells to which revision it belongs.
func TestHashKV(t *testing.T) {
	s := serve(t, Options{})
	ctx, maintenance := soon(t), pb.NewMaintenanceClient(s.conn)
	c := s.client(t)
	for _, value := range []string{"1", "2"} {
		if _, err := c.Put(ctx, "a", value); err != nil {
			t.Fatal(err)
		}
	}
	now, err := maintenance.HashKV(ctx, &pb.HashKVRequest{})
	if err != nil || now.HashRevision != 3 || now.Header.MemberId != 7 || now.Header.Revision != 3 {
		t.Errorf("got %v, %v", now, err)
	}
	before, err := maintenance.HashKV(ctx, &pb.HashKVRequest{Revision: 2})
	if err != nil || before.HashRevision != 2 || before.Hash == now.Hash {
		t.Errorf("got %v, %v", before, err)
	}
	_, err = maintenance.HashKV(ctx, &pb.HashKVRequest{Revision: 4})
	wantError(t, err, codes.OutOfRange,
		"etcdserver: mvcc: required revision is a future revision")
}

func TestHealthServiceSaysServing(t *testing.T) {
	s := serve(t, Options{})
	got, err := grpc_health_v1.NewHealthClient(s.conn).Check(soon(t),
		&grpc_health_v1.HealthCheckRequest{})
	if err != nil || got.Status != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Errorf("got %v, %v", got, err)
	}
}
