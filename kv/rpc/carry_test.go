package rpc

import (
	"context"
	"errors"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
)

// patient carries as the services do.
func patient(node Node) *carrier { return newCarrier(node, Options{}.withDefaults()) }

// What the node could not do in time is told as etcd tells it: with the likely reason.
func TestTimeoutsTellTheirReason(t *testing.T) {
	for _, c := range []struct {
		name   string
		status func(s *Status)
		text   string
	}{
		{"connected", func(*Status) {}, "etcdserver: request timed out"},
		{"no leader", func(s *Status) { s.Leader, s.ConnectedSince = 0, time.Time{} },
			"etcdserver: request timed out"},
		{"leader lost meanwhile",
			func(s *Status) { s.LeaderSince = time.Now().Add(1900 * time.Millisecond) },
			"etcdserver: request timed out, possibly due to previous leader failure"},
		{"another leader, much later",
			func(s *Status) { s.LeaderSince = time.Now().Add(time.Minute) },
			"etcdserver: request timed out"},
		{"never connected", func(s *Status) { s.ConnectedSince = time.Time{} },
			"etcdserver: request timed out, possibly due to connection lost"},
		{"connected again", func(s *Status) { s.ConnectedSince = time.Now().Add(time.Minute) },
			"etcdserver: request timed out, possibly due to connection lost"},
	} {
		t.Run(c.name, func(t *testing.T) {
			node := newLoner(t)
			node.patience = 20 * time.Millisecond
			node.hang()
			node.change(c.status)
			put := &pb.PutRequest{Key: []byte("a")}
			_, err := carry[*pb.PutResponse](soon(t), patient(node), put)
			wantError(t, err, codes.Unavailable, c.text)
		})
	}
}

// A client that leaves is told that it did, whatever the node was doing.
func TestCanceledRequest(t *testing.T) {
	node := newLoner(t)
	node.hang()
	ctx, cancel := context.WithCancel(soon(t))
	time.AfterFunc(10*time.Millisecond, cancel)
	c := patient(node)
	_, err := carry[*pb.RangeResponse](ctx, c, &pb.RangeRequest{Key: []byte("a")})
	wantError(t, err, codes.Canceled, "etcdserver: request canceled")
}

// The node's own errors reach the client.
func TestNodeErrorsReachTheClient(t *testing.T) {
	s := serve(t, Options{})
	kv, ctx := pb.NewKVClient(s.conn), soon(t)
	for _, c := range []struct {
		err  error
		code codes.Code
		text string
	}{
		{rpctypes.ErrGRPCStopped, codes.Unavailable, "etcdserver: server stopped"},
		{rpctypes.ErrGRPCLeaderChanged, codes.Unavailable, "etcdserver: leader changed"},
		{errors.New("the disk is gone"), codes.Unknown, "the disk is gone"},
	} {
		s.fail(c.err)
		_, err := kv.Put(ctx, &pb.PutRequest{Key: []byte("a")})
		wantError(t, err, c.code, c.text)
		_, err = kv.Range(ctx, &pb.RangeRequest{Key: []byte("a")})
		wantError(t, err, c.code, c.text)
		_, err = pb.NewLeaseClient(s.conn).LeaseTimeToLive(ctx, &pb.LeaseTimeToLiveRequest{ID: 1})
		wantError(t, err, c.code, c.text)
		_, err = pb.NewClusterClient(s.conn).MemberList(ctx,
			&pb.MemberListRequest{Linearizable: true})
		wantError(t, err, c.code, c.text)
	}
}

// A put allocates little on its way besides what the store and gRPC do.
func TestAllocationsOfAPut(t *testing.T) {
	node := newLoner(t)
	c := patient(node)
	put := &pb.PutRequest{Key: []byte("a"), Value: []byte("v")}
	n := testing.AllocsPerRun(1000, func() {
		if _, err := carry[*pb.PutResponse](context.Background(), c, put); err != nil {
			t.Fatal(err)
		}
	})
	t.Logf("%v allocations", n)
	if n > 20 {
		t.Errorf("%v allocations", n)
	}
}
