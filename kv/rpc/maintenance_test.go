package rpc

import (
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/codes"
)

// etcdctl's "endpoint health" asks for the alarms, and takes any error for a sick member.
func TestAlarmsCanBeListedAndDisarmed(t *testing.T) {
	s := serve(t, Options{})
	maintenance, ctx := pb.NewMaintenanceClient(s.conn), soon(t)
	for _, action := range []pb.AlarmRequest_AlarmAction{
		pb.AlarmRequest_GET, pb.AlarmRequest_DEACTIVATE,
	} {
		answer, err := maintenance.Alarm(ctx, &pb.AlarmRequest{Action: action})
		if err != nil || len(answer.Alarms) != 0 || answer.Header.Revision != 1 {
			t.Errorf("%v: %v, %v", action, answer, err)
		}
	}
	if _, err := maintenance.Alarm(ctx, &pb.AlarmRequest{Action: 9}); err == nil {
		t.Error("an unknown action was taken")
	}
}

// Defragmentation and a transfer of leadership have empty answers, without even a header.
func TestMaintenanceWithoutHeaders(t *testing.T) {
	s := serve(t, Options{})
	maintenance, ctx := pb.NewMaintenanceClient(s.conn), soon(t)
	done, err := maintenance.Defragment(ctx, &pb.DefragmentRequest{})
	if err != nil || done.Header != nil {
		t.Errorf("got %v, %v", done, err)
	}
	moved, err := maintenance.MoveLeader(ctx, &pb.MoveLeaderRequest{TargetID: 7})
	if err != nil || moved.Header != nil {
		t.Errorf("got %v, %v", moved, err)
	}
	_, err = maintenance.MoveLeader(ctx, &pb.MoveLeaderRequest{TargetID: 8})
	wantError(t, err, codes.FailedPrecondition, "etcdserver: bad leader transferee")
}

// Hash is the hash of the present, whatever that is.
func TestHash(t *testing.T) {
	s := serve(t, Options{})
	maintenance, ctx := pb.NewMaintenanceClient(s.conn), soon(t)
	if _, err := s.client(t).Put(ctx, "a", "v"); err != nil {
		t.Fatal(err)
	}
	want, err := maintenance.HashKV(ctx, &pb.HashKVRequest{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := maintenance.Hash(ctx, &pb.HashRequest{})
	if err != nil || got.Hash != want.Hash || got.Header.Revision != 2 {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

// One minor version back is possible.
func TestDowngradeIsChecked(t *testing.T) {
	s := serve(t, Options{})
	maintenance, ctx := pb.NewMaintenanceClient(s.conn), soon(t)
	for _, target := range []string{"3.6", "3.6.0", "3.6.9"} {
		got, err := maintenance.Downgrade(ctx, &pb.DowngradeRequest{Version: target})
		if err != nil || got.Version != "3.7" || got.Header.Revision != 1 {
			t.Errorf("%s: %v, %v", target, got, err)
		}
	}
	const format = "etcdserver: wrong downgrade target version format"
	const invalid = "etcdserver: invalid downgrade target version"
	for target, want := range map[string]string{
		"": format, "3": format, "x.y": format, "3.7": invalid, "3.5": invalid, "4.6.0": invalid,
	} {
		_, err := maintenance.Downgrade(ctx, &pb.DowngradeRequest{Version: target})
		wantError(t, err, codes.InvalidArgument, want)
	}
	cancel := &pb.DowngradeRequest{Action: pb.DowngradeRequest_CANCEL}
	if got, err := maintenance.Downgrade(ctx, cancel); err != nil || got.Version != "3.7" {
		t.Errorf("got %v, %v", got, err)
	}
	_, err := maintenance.Downgrade(ctx, &pb.DowngradeRequest{Action: 7})
	wantError(t, err, codes.Unknown, "etcdserver: unknown method")
}

// While a downgrade is under way all that a member says of versions is of the older one.
func TestDowngradeBeginsAndEnds(t *testing.T) {
	s := serve(t, Options{})
	maintenance, ctx := pb.NewMaintenanceClient(s.conn), soon(t)
	order := func(action pb.DowngradeRequest_DowngradeAction, target string) (string, error) {
		r, err := maintenance.Downgrade(ctx, &pb.DowngradeRequest{Action: action, Version: target})
		return r.GetVersion(), err
	}
	state := func() string {
		now, err := maintenance.Status(ctx, &pb.StatusRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return now.StorageVersion + " " + now.DowngradeInfo.TargetVersion
	}
	const enable, cancel = pb.DowngradeRequest_ENABLE, pb.DowngradeRequest_CANCEL
	if was, err := order(enable, "3.6.4"); err != nil || was != "3.7" || state() != "3.6.0 3.6.0" {
		t.Errorf("%q, %v, then %s", was, err, state())
	}
	_, err := order(enable, "3.6")
	wantError(t, err, codes.InvalidArgument, "etcdserver: invalid downgrade target version")
	_, err = order(enable, "3.5")
	wantError(t, err, codes.FailedPrecondition,
		"etcdserver: cluster has a downgrade job in progress")
	_, err = order(pb.DowngradeRequest_VALIDATE, "3.5")
	wantError(t, err, codes.FailedPrecondition,
		"etcdserver: cluster has a downgrade job in progress")
	if was, err := order(cancel, "any"); err != nil || was != "3.6" || state() != "3.7.0 " {
		t.Errorf("%q, %v, then %s", was, err, state())
	}
	if was, err := order(cancel, ""); err != nil || was != "3.7" || state() != "3.7.0 " {
		t.Errorf("%q, %v, then %s", was, err, state())
	}
}
