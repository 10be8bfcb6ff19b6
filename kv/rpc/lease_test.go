package rpc

import (
	"errors"
	"io"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
)

// A lease lives while it is kept alive, and takes its keys with it.
func TestLeaseTakesItsKeysWithIt(t *testing.T) {
	s := serve(t, Options{ElectionTimeout: 300 * time.Millisecond})
	c, ctx := s.client(t), soon(t)
	granted, err := c.Grant(ctx, 0)
	if err != nil || granted.TTL != 1 || granted.ID <= 0 {
		t.Fatalf("granted %v, %v; the shortest is one and a half election timeouts", granted, err)
	}
	long, err := c.Grant(ctx, 100)
	if err != nil {
		t.Fatal(err)
	}
	for i, id := range []clientv3.LeaseID{granted.ID, long.ID} {
		if _, err := c.Put(ctx, string(rune('a'+i)), "v", clientv3.WithLease(id)); err != nil {
			t.Fatal(err)
		}
	}
	left, err := c.TimeToLive(ctx, long.ID, clientv3.WithAttachedKeys())
	if err != nil || left.GrantedTTL != 100 || left.TTL < 98 || len(left.Keys) != 1 {
		t.Fatalf("time to live: %v, %v", left, err)
	}
	leases, err := c.Leases(ctx)
	if err != nil || len(leases.Leases) != 2 {
		t.Fatalf("leases: %v, %v", leases, err)
	}
	if _, err := c.Revoke(ctx, long.ID); err != nil {
		t.Fatal(err)
	}
	_, err = c.Revoke(ctx, long.ID)
	wantError(t, err, codes.NotFound, "etcdserver: requested lease not found")

	for deadline := time.Now().Add(10 * time.Second); ; s.tick() {
		all, err := c.Get(ctx, "", clientv3.WithPrefix())
		if err != nil {
			t.Fatal(err)
		}
		if all.Count == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the short lease never expired")
		}
		time.Sleep(50 * time.Millisecond)
	}
	gone, err := c.TimeToLive(ctx, granted.ID)
	if err != nil || gone.TTL != -1 {
		t.Fatalf("time to live of an expired lease: %v, %v", gone, err)
	}
}

// A stream of keep-alives answers each in its turn, an unknown lease with no time at all, and ends
// when the client has sent its last.
func TestKeepAliveStream(t *testing.T) {
	s := serve(t, Options{})
	leases, ctx := pb.NewLeaseClient(s.conn), soon(t)
	for id := int64(1); id <= 3; id++ {
		if _, err := leases.LeaseGrant(ctx, &pb.LeaseGrantRequest{ID: id, TTL: 10 * id}); err != nil {
			t.Fatal(err)
		}
	}
	stream, err := leases.LeaseKeepAlive(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []int64{1, 99, 2, 3} {
		if err := stream.Send(&pb.LeaseKeepAliveRequest{ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct{ id, ttl int64 }{{1, 10}, {99, 0}, {2, 20}, {3, 30}} {
		r, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if r.ID != want.id || r.TTL != want.ttl || r.Header.Revision != 1 || r.Header.MemberId != 7 {
			t.Errorf("got %v, want %v", r, want)
		}
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last: %v, want EOF", err)
	}
}

// etcd's client keeps a lease alive over our stream.
func TestClientKeepsALeaseAlive(t *testing.T) {
	s := serve(t, Options{})
	c, ctx := s.client(t), soon(t)
	granted, err := c.Grant(ctx, 5)
	if err != nil {
		t.Fatal(err)
	}
	alive, err := c.KeepAlive(ctx, granted.ID)
	if err != nil {
		t.Fatal(err)
	}
	if r := <-alive; r == nil || r.TTL != 5 || r.ID != granted.ID {
		t.Fatalf("kept alive: %v", r)
	}
	once, err := c.KeepAliveOnce(ctx, granted.ID)
	if err != nil || once.TTL != 5 {
		t.Fatalf("kept alive once: %v, %v", once, err)
	}
}
