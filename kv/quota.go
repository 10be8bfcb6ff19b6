package kv

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
)

// Space is how much a member may store, and how much it does. The zero value bounds nothing.
type Space struct {
	Quota   int64 // bytes; 0: there is none
	Used    int64 // bytes
	Member  uint64
	Alarmed bool // its alarm is raised already
}

// What the quota is charged for a request besides its keys and values; etcd's estimates.
const (
	putOverhead   = 256
	leaseOverhead = 64
)

// fits tells whether a request leaves the member below its quota. What takes no room always fits,
// so that there is a way back.
func (s Space) fits(request proto.Message) bool {
	price := cost(request)
	return s.Quota == 0 || price == 0 || s.Used+price < s.Quota
}

// alarm is the request that tells all members that this one is full: from then on none of them
// takes what takes room.
func (s Space) alarm() *pb.AlarmRequest {
	return &pb.AlarmRequest{
		MemberID: s.Member, Action: pb.AlarmRequest_ACTIVATE, Alarm: pb.AlarmType_NOSPACE,
	}
}

// cost is how many bytes a request may take, as etcd reckons: of a transaction, what its dearer
// branch puts.
func cost(request proto.Message) int64 {
	switch r := request.(type) {
	case *pb.PutRequest:
		return putOverhead + int64(len(r.GetKey())+len(r.GetValue()))
	case *pb.LeaseGrantRequest:
		return leaseOverhead
	case *pb.TxnRequest:
		return max(costOfAll(r.GetSuccess()), costOfAll(r.GetFailure()))
	}
	return 0
}

func costOfAll(ops []*pb.RequestOp) (sum int64) {
	for _, op := range ops {
		switch op := op.GetRequest().(type) {
		case *pb.RequestOp_RequestPut:
			sum += cost(op.RequestPut)
		case *pb.RequestOp_RequestTxn:
			sum += cost(op.RequestTxn)
		}
	}
	return sum
}
