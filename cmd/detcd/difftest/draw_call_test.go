package difftest

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

// kinds are the steps of a session, each named as often as it weighs. Those of streams come last.
func kinds() []string {
	return []string{
		"range", "range", "range", "range", "range", "put", "put", "put", "put", "put", "put",
		"delete", "delete", "txn", "txn", "txn", "txn", "txn", "txn", "compact",
		"grant", "grant", "revoke", "time to live", "leases", "maintenance",
		"range stream", "keep alive", "watch", "watch", "watch",
		"cancel", "progress", "settle", "close",
	}
}

// drawCall draws a request of a kind that is answered once, and the method that takes it.
func drawCall(t *rapid.T, kind string, at moment) (method string, request proto.Message) {
	switch kind {
	case "range":
		return "KV.Range", drawRangeRequest(t, at)
	case "put":
		return "KV.Put", drawPut(t)
	case "delete":
		return "KV.DeleteRange", drawDelete(t)
	case "txn":
		return "KV.Txn", calm(drawTxn(t, at, 0))
	case "compact":
		return "KV.Compact", drawCompaction(t, at)
	case "grant":
		return "Lease.LeaseGrant", drawGrant(t)
	case "revoke":
		return "Lease.LeaseRevoke", &pb.LeaseRevokeRequest{ID: drawLease(t)}
	case "time to live":
		id, keys := drawLease(t), seldom(t, "keys", 2)
		return "Lease.LeaseTimeToLive", &pb.LeaseTimeToLiveRequest{ID: id, Keys: keys}
	case "leases":
		return "Lease.LeaseLeases", &pb.LeaseLeasesRequest{}
	case "maintenance":
		return drawMaintenance(t, at)
	}
	panic("no such kind: " + kind)
}

// drawMaintenance draws a request that is not about keys.
func drawMaintenance(t *rapid.T, at moment) (method string, request proto.Message) {
	switch pick(t, "maintenance", "hash of keys", "hash of keys", "hash of keys", "hash", "status",
		"members", "alarm", "alarm", "disarm", "disarm", "defragment", "wrong member", "leader",
		"downgrade") {
	case "hash":
		return "Maintenance.Hash", &pb.HashRequest{}
	case "status":
		return "Maintenance.Status", &pb.StatusRequest{}
	case "members":
		return "Cluster.MemberList", &pb.MemberListRequest{Linearizable: seldom(t, "linearizable", 2)}
	case "alarm":
		return "Maintenance.Alarm", drawAlarm(t)
	case "disarm":
		return "Maintenance.Alarm", &pb.AlarmRequest{
			Action:   pb.AlarmRequest_DEACTIVATE,
			Alarm:    pick(t, "alarm", pb.AlarmType_NOSPACE, pb.AlarmType_NONE),
			MemberID: pick[uint64](t, "member", 0, 7),
		}
	case "defragment":
		return "Maintenance.Defragment", &pb.DefragmentRequest{}
	case "wrong member":
		return drawWrongMember(t)
	case "leader":
		return "Maintenance.MoveLeader", &pb.MoveLeaderRequest{TargetID: pick[uint64](t, "to", 0, 7)}
	case "downgrade":
		return "Maintenance.Downgrade", drawDowngrade(t)
	}
	return "Maintenance.HashKV", &pb.HashKVRequest{Revision: drawRevision(t, at)}
}

// drawDowngrade draws requests that ask about a downgrade or want one that cannot be.
func drawDowngrade(t *rapid.T) *pb.DowngradeRequest {
	return &pb.DowngradeRequest{
		Action:  pick[pb.DowngradeRequest_DowngradeAction](t, "action", 0, 0, 2, 2, 3, -1),
		Version: pick(t, "version", "", "3.6.0", "3.7.0", "3.5.0", "4.0.0", "not a version"),
	}
}

// drawAlarm draws every field of an alarm request. Two things are left out. The alarm of
// corruption: a member that believes itself corrupt refuses all that would show whether it behaves.
// And an action that does not exist: etcd 3.7.3 ends in a panic.
func drawAlarm(t *rapid.T) *pb.AlarmRequest {
	return &pb.AlarmRequest{
		Action:   pick[pb.AlarmRequest_AlarmAction](t, "action", 0, 0, 1, 2),
		Alarm:    pick[pb.AlarmType](t, "alarm", 0, 1, 1, 1, 7),
		MemberID: pick[uint64](t, "member", 0, 0, 7),
	}
}

// drawWrongMember draws requests that change nothing because no such member or address can be.
func drawWrongMember(t *rapid.T) (method string, request proto.Message) {
	id := pick[uint64](t, "member", 0, 7)
	urls := pick(t, "URLs", nil, []string{"ftp://nowhere:1"}, []string{"http://name"}, []string{"::"})
	switch pick(t, "change", "add", "update", "remove", "promote") {
	case "update":
		return "Cluster.MemberUpdate", &pb.MemberUpdateRequest{ID: id, PeerURLs: urls}
	case "remove":
		return "Cluster.MemberRemove", &pb.MemberRemoveRequest{ID: id}
	case "promote":
		return "Cluster.MemberPromote", &pb.MemberPromoteRequest{ID: id}
	}
	learner := seldom(t, "learner", 2)
	return "Cluster.MemberAdd", &pb.MemberAddRequest{PeerURLs: urls, IsLearner: learner}
}
