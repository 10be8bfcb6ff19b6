package kv

import (
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestCompactionResponses(t *testing.T) {
	m := newMember(t)
	for range 4 {
		m.want(put("a", ""), nil)
	}
	compacted := &pb.CompactionResponse{Header: header(5)}
	m.want(compact(-1), rpctypes.ErrGRPCCompacted)
	m.want(compact(0), compacted) // once, as etcd
	m.want(compact(0), rpctypes.ErrGRPCCompacted)
	m.want(compact(6), rpctypes.ErrGRPCFutureRev)
	m.want(compact(3), compacted)
	m.want(compact(3), rpctypes.ErrGRPCCompacted)
	m.want(getAt("a", 2), rpctypes.ErrGRPCCompacted)
	m.want(getAt("b", 3), &pb.RangeResponse{Header: header(5)})
	m.want(getAt("b", -1), &pb.RangeResponse{Header: header(5)})
	m.want(then(getAt("b", -1)), rpctypes.ErrGRPCCompacted)
	m.want(then(put("b", ""), getAt("b", 6)), rpctypes.ErrGRPCFutureRev)
	m.want(get("b", ""), &pb.RangeResponse{Header: header(5)})
	m.want(&pb.HashKVRequest{Revision: 2}, rpctypes.ErrGRPCCompacted)
	m.want(&pb.HashKVRequest{Revision: 6}, rpctypes.ErrGRPCFutureRev)
	hash, err := m.do(&pb.HashKVRequest{Revision: 5})
	if r := hash.(*pb.HashKVResponse); err != nil || r.CompactRevision != 3 || r.HashRevision != 5 {
		t.Errorf("%v, %v", hash, err)
	}
}

func TestAPhysicalCompactionEndsWhenNothingIsLeftToBeDone(t *testing.T) {
	m := newMember(t)
	const writes = 3000
	for range writes {
		m.want(put("a", ""), nil)
	}
	begin := func(revision int64) *Call {
		call := NewCall(&pb.CompactionRequest{Revision: revision, Physical: true}, testLimits, nil, nil)
		call.Give(m.apply(call.Command()))
		return call
	}
	first, second, future := begin(writes), begin(writes-1), begin(writes+2)
	if _, err := future.Response(); future.Next() != Done || err != rpctypes.ErrGRPCFutureRev {
		t.Errorf("of a future revision: needs %d, %v", future.Next(), err)
	}
	m.want(compact(writes+1), nil) // one that nobody waits for
	pauses := 0
	for ; first.Next() == NeedPause; pauses++ {
		if second.Next() != NeedPause {
			t.Fatal("one waits, and the other does not")
		}
		m.bulk()
		view := m.store.View()
		first.Give(view)
		second.Give(view)
	}
	if pauses < 2 || second.Next() != Done || m.store.mvcc.Work(0) {
		t.Errorf("%d pauses; the other needs %d; work left: %t", pauses, second.Next(),
			m.store.mvcc.Work(0))
	}
	if response, err := first.Response(); err != nil ||
		!same(response, &pb.CompactionResponse{Header: header(writes + 1)}) {
		t.Errorf("first: %v, %v", response, err)
	}
	if response, err := second.Response(); response != nil || err != rpctypes.ErrGRPCCompacted {
		t.Errorf("second: %v, %v", response, err)
	}
	m.check()
}

func TestARefusedCompactionDoesNotWait(t *testing.T) {
	call := NewCall(&pb.CompactionRequest{Revision: 1 << 40, Physical: true}, testLimits, nil, nil)
	call.Give(status.Error(codes.PermissionDenied, "etcdserver: permission denied"))
	if call.Next() != Done {
		t.Errorf("needs %d", call.Next())
	}
}
