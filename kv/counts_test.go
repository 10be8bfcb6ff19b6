package kv

import (
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
)

func TestWhatIsAppliedIsCounted(t *testing.T) {
	m := newMember(t)
	m.store.Lead(m.now, true)
	put := &pb.PutRequest{Key: []byte("key"), Value: []byte("value")}
	reading := &pb.RequestOp{Request: &pb.RequestOp_RequestRange{
		RequestRange: &pb.RangeRequest{Key: put.Key}}}
	putting := &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: put}}
	for _, request := range []proto.Message{
		put,
		&pb.RangeRequest{Key: put.Key},          // is not applied
		&pb.PutRequest{Key: put.Key, Lease: 99}, // is refused
		&pb.DeleteRangeRequest{Key: put.Key},
		&pb.TxnRequest{Success: []*pb.RequestOp{putting}},
		&pb.TxnRequest{Success: []*pb.RequestOp{putting, reading}, Failure: []*pb.RequestOp{putting}},
		&pb.LeaseGrantRequest{ID: 1, TTL: 2},
		&pb.LeaseGrantRequest{ID: 1, TTL: 2}, // is refused
		&pb.LeaseGrantRequest{ID: 2, TTL: 100},
		&pb.LeaseKeepAliveRequest{ID: 2},
		&pb.LeaseKeepAliveRequest{ID: 3}, // there is none
		&pb.LeaseRevokeRequest{ID: 2},
	} {
		m.do(request)
	}
	m.pass(0) // the leader takes note
	m.pass(time.Minute)
	got, want := m.store.Counts(), Counts{
		Ranges: 1, Puts: 3, Deletes: 1, Txns: 1, PutBytes: 24,
		LeasesGranted: 2, LeasesRevoked: 2, LeasesExpired: 1, LeasesRenewed: 1, LeaseTTLSum: 102,
	}
	for i := range want.LeaseTTLs {
		switch {
		case i >= 7: // up to 128 s
			want.LeaseTTLs[i] = 2
		case i >= 1: // up to 2 s
			want.LeaseTTLs[i] = 1
		}
	}
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	m.do(put)
	if keys := m.store.View().(*View).Keys(); keys != 1 {
		t.Errorf("%d keys", keys)
	}
}
