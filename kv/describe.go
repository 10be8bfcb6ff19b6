package kv

import (
	"strconv"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"detcd/kv/v2"
)

// KindsMax is above every number that KindOf gives.
const KindsMax = 64

// KindOf is the kind of a command, whoever made it: a number below KindsMax. 0 is none.
func KindOf(command []byte) byte {
	if _, rest, err := cutCaller(command); err == nil && len(rest) > 0 && rest[0] < KindsMax {
		return rest[0]
	}
	return 0
}

// KindName is etcd's name of what commands of a kind do, as in "LeaseGrant"; empty: there are none.
func KindName(number byte) string {
	switch kind(number) {
	case kindPut:
		return "Put"
	case kindDelete:
		return "DeleteRange"
	case kindTxn:
		return "Txn"
	case kindCompact:
		return "Compaction"
	case kindGrant:
		return "LeaseGrant"
	case kindRevoke, kindExpire:
		return "LeaseRevoke"
	case kindAlarm:
		return "Alarm"
	case kindVersion:
		return "DowngradeInfoSet"
	case kindTree:
		return "RequestV2"
	}
	names := [...]string{"AuthEnable", "AuthDisable", "AuthUserAdd", "AuthUserDelete",
		"AuthUserChangePassword", "AuthUserGrantRole", "AuthUserRevokeRole", "AuthRoleAdd",
		"AuthRoleDelete", "AuthRoleGrantPermission", "AuthRoleRevokePermission", "Authenticate"}
	if at := int(number) - int(kindAuth); at >= 0 && at < len(names) {
		return names[at]
	}
	return ""
}

// Describe is a command for people who look for what took so long: with its keys, but without
// values, passwords and tokens. What concerns users has only its name.
func Describe(command []byte) string {
	_, rest, err := cutCaller(command)
	if err != nil || len(rest) == 0 {
		return ""
	}
	var request proto.Message
	switch kind(rest[0]) {
	case kindPut:
		put := &pb.PutRequest{}
		request, err = put, decodePut(rest, put)
	case kindTree:
		c, err := v2.DecodeCommand(rest[1:])
		if err != nil {
			return KindName(rest[0])
		}
		return "v2 " + c.Action.String() + " " + strconv.Quote(c.Key)
	case kindDelete, kindTxn, kindCompact, kindGrant, kindRevoke, kindAlarm:
		request, err = decode(rest)
	}
	if err != nil || request == nil {
		return KindName(rest[0])
	}
	whole := &pb.InternalRaftRequest{}
	switch r := request.(type) {
	case *pb.PutRequest:
		return "put:<" + pb.NewLoggablePutRequest(r).String() + ">"
	case *pb.DeleteRangeRequest:
		whole.DeleteRange = r
	case *pb.TxnRequest:
		return "txn:<" + pb.NewLoggableTxnRequest(r).String() + ">"
	case *pb.CompactionRequest:
		whole.Compaction = r
	case *pb.LeaseGrantRequest:
		whole.LeaseGrant = r
	case *pb.LeaseRevokeRequest:
		whole.LeaseRevoke = r
	case *pb.AlarmRequest:
		whole.Alarm = r
	}
	return whole.String()
}
