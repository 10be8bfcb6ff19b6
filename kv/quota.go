package kv

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
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

// crowd is a request that does not seem to fit. The member may not know yet of a compaction, or may
// still be busy with it; and an alarm stays until an operator disarms it.
type crowd struct {
	limits Limits
	random func() uint64
}

// squeeze decides once no more room is on its way. As in etcd, that there is none comes before
// anything that may be wrong with the request itself.
func (c *Call) squeeze(view *View) {
	limits, random := c.crowd.limits, c.crowd.random
	limits.Space.Used = view.used
	switch {
	case limits.Space.fits(c.request):
		c.crowd = nil
		c.begin(limits, random)
	case view.trimmed < view.Compacted():
		c.need = NeedPause
	default:
		c.crowd, c.need, c.refusal = nil, NeedCommand, rpctypes.ErrGRPCNoSpace
		c.bytes = Internal(limits.Space.alarm())
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
