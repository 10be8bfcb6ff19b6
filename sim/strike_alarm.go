package sim

import (
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"detcd/faults"
	"detcd/kv"
	"detcd/kv/auth"
)

// space is what a member may store; without a quota nothing is bounded.
func (m *member) space() kv.Space {
	quota := m.world.fates.quota
	if quota == 0 {
		return kv.Space{}
	}
	return kv.Space{Quota: quota, Used: m.store.Used(), Member: uint64(m.number)}
}

// fill gives all members a quota of so many hundredths of what the leader stores. The next clients
// that want more raise the alarm, each with the member that it happens to ask. Meanwhile an
// operator begins a downgrade and ends it: clients see nothing of it, but the state has it.
func (f *fates) fill(fault faults.Fault) bool {
	leader := f.world.leader()
	if leader == nil || f.quota != 0 {
		return false
	}
	f.quota = max(1, leader.store.Used()*fault.Amount/100)
	f.world.downgrade(pb.DowngradeRequest_ENABLE)
	return f.lasting(fault, func() {
		f.quota = 0
		f.world.downgrade(pb.DowngradeRequest_CANCEL)
		f.world.disarm()
	})
}

// downgrade is the operator, who orders one if there is a leader to order it from.
func (w *world) downgrade(action pb.DowngradeRequest_DowngradeAction) {
	if leader := w.leader(); leader != nil {
		leader.serve(auth.Root, &pb.DowngradeRequest{Action: action, Version: "3.6"},
			func(proto.Message, error) {})
	}
}

// accuse raises the alarm that some member is corrupt.
func (f *fates) accuse(fault faults.Fault) bool {
	leader := f.world.leader()
	if leader == nil {
		return false
	}
	leader.serve(auth.Root, &pb.AlarmRequest{
		Action: pb.AlarmRequest_ACTIVATE, Alarm: pb.AlarmType_CORRUPT, MemberID: 1,
	}, func(proto.Message, error) {})
	return f.lasting(fault, f.world.disarm)
}

// disarm is the operator, who disarms all alarms, and looks again until there are none. As long as
// somebody else wants one, it is his.
func (w *world) disarm() {
	const pause = 200 * time.Millisecond
	leader := w.leader()
	if leader != nil {
		raised := leader.store.Alarms()
		if len(raised) == 0 {
			return
		}
		for _, alarm := range raised {
			leader.serve(auth.Root, &pb.AlarmRequest{
				Action: pb.AlarmRequest_DEACTIVATE, Alarm: alarm.Kind, MemberID: alarm.Member,
			}, func(proto.Message, error) {})
		}
	}
	w.after(pause, w.disarm)
}
