package kv

import (
	"cmp"
	"maps"
	"slices"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/protobuf/proto"
)

// alarm is the naive store's: a set.
func (n *naive) alarm(r *pb.AlarmRequest) *pb.AlarmResponse {
	response := &pb.AlarmResponse{Header: header(n.revision())}
	one := Alarm{r.Alarm, r.MemberID}
	member := &pb.AlarmMember{MemberID: r.MemberID, Alarm: r.Alarm}
	switch {
	case r.Action == pb.AlarmRequest_GET:
		all := slices.SortedFunc(maps.Keys(n.alarms), func(a, b Alarm) int {
			return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Member, b.Member))
		})
		for _, a := range all {
			if r.Alarm == 0 || r.Alarm == a.Kind {
				response.Alarms = append(response.Alarms,
					&pb.AlarmMember{MemberID: a.Member, Alarm: a.Kind})
			}
		}
	case r.Alarm == 0:
	case r.Action == pb.AlarmRequest_ACTIVATE:
		n.alarms[one] = true
		response.Alarms = append(response.Alarms, member)
	case n.alarms[one]:
		delete(n.alarms, one)
		response.Alarms = append(response.Alarms, member)
	}
	return response
}

// alarmed is what the naive store refuses.
func (n *naive) alarmed(request proto.Message) error {
	txn, isTxn := request.(*pb.TxnRequest)
	readOnly := isTxn && onlyReads(txn)
	if _, isRange := request.(*pb.RangeRequest); isRange || readOnly {
		return nil
	}
	for one := range n.alarms {
		if one.Kind == pb.AlarmType_CORRUPT {
			return rpctypes.ErrGRPCCorrupt
		}
	}
	for one := range n.alarms {
		_, isPut := request.(*pb.PutRequest)
		_, isGrant := request.(*pb.LeaseGrantRequest)
		if one.Kind == pb.AlarmType_NOSPACE && (isPut || isGrant || isTxn && puts(txn)) {
			return rpctypes.ErrGRPCNoSpace
		}
	}
	return nil
}

func onlyReads(r *pb.TxnRequest) bool {
	for _, op := range slices.Concat(r.Success, r.Failure) {
		if op.GetRequestRange() == nil {
			return false
		}
	}
	return true
}

func puts(r *pb.TxnRequest) bool {
	return slices.ContainsFunc(slices.Concat(r.Success, r.Failure), func(op *pb.RequestOp) bool {
		inner := op.GetRequestTxn()
		return op.GetRequestPut() != nil || inner != nil && puts(inner)
	})
}

func raise(kind pb.AlarmType, id uint64) *pb.AlarmRequest {
	return &pb.AlarmRequest{Action: pb.AlarmRequest_ACTIVATE, Alarm: kind, MemberID: id}
}

func disarm(kind pb.AlarmType, id uint64) *pb.AlarmRequest {
	return &pb.AlarmRequest{Action: pb.AlarmRequest_DEACTIVATE, Alarm: kind, MemberID: id}
}

func TestWhatAnAlarmForbids(t *testing.T) {
	m := newMember(t)
	m.want(put("a", "1"), nil)
	m.want(grant(1, 60), nil)
	m.want(raise(pb.AlarmType_NOSPACE, 7), nil)
	full := rpctypes.ErrGRPCNoSpace
	m.want(put("a", "2"), full)
	m.want(leased("a", "2", 99), full)
	m.want(put("", ""), rpctypes.ErrGRPCEmptyKey)
	m.want(grant(2, 60), full)
	m.want(grant(2, 1<<60), full)
	m.want(either(list(get("a", "")), list(then(put("b", "")))), full)
	m.want(then(del("a", ""), get("a", "")), nil)
	m.want(compact(3), nil)
	m.want(&pb.LeaseRevokeRequest{ID: 1}, nil)
	m.want(raise(pb.AlarmType_CORRUPT, 0), nil)
	corrupt := rpctypes.ErrGRPCCorrupt
	m.want(put("a", "2"), corrupt)
	m.want(del("a", ""), corrupt)
	m.want(then(del("a", "")), corrupt)
	m.want(compact(99), corrupt)
	m.want(grant(2, 60), corrupt)
	m.want(&pb.LeaseRevokeRequest{ID: 99}, corrupt)
	m.want(get("a", ""), nil)
	m.want(then(get("a", "")), nil)
	m.want(disarm(pb.AlarmType_CORRUPT, 0), nil)
	m.want(disarm(pb.AlarmType_NOSPACE, 8), &pb.AlarmResponse{Header: header(3)})
	m.want(put("a", "2"), full)
	m.want(disarm(pb.AlarmType_NOSPACE, 7), nil)
	m.want(put("a", "2"), nil)
}

// Who has lost its lease by the leader's clock keeps its keys while nobody knows which member is
// right, and loses them afterwards.
func TestNoLeaseEndsInACorruptCluster(t *testing.T) {
	m := newMember(t)
	m.store.Lead(m.now, true)
	m.want(grant(1, 2), nil)
	m.want(leased("a", "1", 1), nil)
	m.pass(time.Second)
	m.want(raise(pb.AlarmType_CORRUPT, 0), nil)
	m.pass(time.Hour)
	m.want(&pb.LeaseLeasesRequest{}, &pb.LeaseLeasesResponse{Header: header(2),
		Leases: []*pb.LeaseStatus{{ID: 1}}})
	m.want(disarm(pb.AlarmType_CORRUPT, 0), nil)
	m.pass(time.Second)
	m.want(&pb.LeaseLeasesRequest{}, &pb.LeaseLeasesResponse{Header: header(3)})
}

func TestAlarmsSurviveACheckpoint(t *testing.T) {
	m := newMember(t)
	for _, one := range []Alarm{{2, 1 << 63}, {1, 9}, {-7, 3}, {2, 0}} {
		m.want(raise(one.Kind, one.Member), nil)
	}
	state, segments, flush := m.store.Checkpoint()
	m.execute(flush)
	hash := m.store.Hash()
	m.restore(state, segments)
	want := []Alarm{{-7, 3}, {1, 9}, {2, 0}, {2, 1 << 63}}
	if got := m.store.Alarms(); !slices.Equal(got, want) || m.store.Hash() != hash {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestTheQuota(t *testing.T) {
	m := newMember(t)
	m.want(put("x", string(make([]byte, 600))), nil)
	limits, used := testLimits, m.store.Used()
	limits.Space = Space{Quota: used + 300, Used: used, Member: 7}
	next := func(request proto.Message) Need { return NewCall(request, limits, nil, nil).Next() }
	for _, request := range []proto.Message{
		put("a", string(make([]byte, 42))), grant(1, 60), then(put("a", ""), del("b", "")),
		either(list(put("a", "")), list(put("b", string(make([]byte, 42))))),
		then(put("a", ""), get("a", "")),
	} {
		if next(request) != NeedCommand {
			t.Errorf("%T{%v} is refused", request, request)
		}
	}
	big := put("a", string(make([]byte, 43)))
	for _, request := range []proto.Message{big, then(then(big)), then(put("a", ""), put("b", ""))} {
		c := NewCall(request, limits, nil, nil)
		if c.Next() != NeedBarrier {
			t.Fatalf("%T{%v} is taken", request, request)
		}
		c.Give(m.store.View())
		c.Give(m.apply(c.Command()))
		if _, err := c.Response(); c.Next() != Done || err != rpctypes.ErrGRPCNoSpace {
			t.Errorf("got %v", err)
		}
		m.want(&pb.AlarmRequest{}, &pb.AlarmResponse{Header: header(2),
			Alarms: []*pb.AlarmMember{{MemberID: 7, Alarm: pb.AlarmType_NOSPACE}}})
	}
	limits.Space.Used, limits.Space.Alarmed = 5000, true
	if _, err := NewCall(grant(1, 60), limits, nil, nil).Response(); err != rpctypes.ErrGRPCNoSpace {
		t.Errorf("got %v", err)
	}
	for _, request := range []proto.Message{then(del("a", "")), del("a", ""), compact(1)} {
		if next(request) != NeedCommand {
			t.Errorf("%T{%v} is refused", request, request)
		}
	}
}

// A member that is about to say that it is full waits for the room that a compaction makes.
func TestRoomIsOnItsWay(t *testing.T) {
	m := newMember(t)
	for range 5000 {
		m.want(put("a", "1"), nil)
	}
	limits, used := testLimits, m.store.Used()
	limits.Space = Space{Quota: used, Used: used, Member: 7}
	m.want(compact(m.store.Revision()), nil)
	c := NewCall(put("b", "2"), limits, nil, nil)
	if c.Next() != NeedBarrier {
		t.Fatalf("it needs %v", c.Next())
	}
	c.Give(m.store.View())
	pauses := 0
	for ; c.Next() == NeedPause; pauses++ {
		if pauses == 10_000 {
			t.Fatal("it waits for ever")
		}
		m.bulk()
		c.Give(m.store.View())
	}
	c.Give(m.apply(c.Command()))
	if _, err := c.Response(); err != nil || len(m.store.Alarms()) > 0 || pauses == 0 {
		t.Errorf("the put gives %v after %d pauses, the alarms are %v",
			err, pauses, m.store.Alarms())
	}
}

// Room comes back by compaction alone, whatever files there are.
func TestCompactionFreesTheQuota(t *testing.T) {
	m := newMember(t)
	for range 20 {
		m.want(put("a", string(make([]byte, 1000))), nil)
	}
	if used := m.store.Used(); used < 20_000 {
		t.Fatalf("%d bytes are used", used)
	}
	m.want(compact(21), nil)
	for m.bulk() {
	}
	if used := m.store.Used(); used > 2000 {
		t.Errorf("%d bytes are used", used)
	}
}
