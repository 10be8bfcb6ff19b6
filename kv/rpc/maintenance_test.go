package rpc

import (
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
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
