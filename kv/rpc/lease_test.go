package rpc

import (
	"errors"
	"io"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// A lease lives while it is kept alive, and takes its keys with it.
func TestLeaseTakesItsKeysWithIt(t *testing.T) {
	s := serve(t, Options{ElectionTimeout: 300 * time.Millisecond})
	c, ctx := s.client(t), soon(t)
	granted, err := c.Grant(ctx, 0)
	if err != nil || granted.TTL != 1 || granted.ID <= 0 {
		t.Fatalf("granted %v, %v; the shortest is one and a half election timeouts", granted, err)
	}
	long, err := c.Grant(ctx, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for i, id := range []clientv3.LeaseID{granted.ID, long.ID} {
		if _, err := c.Put(ctx, string(rune('a'+i)), "v", clientv3.WithLease(id)); err != nil {
			t.Fatal(err)
		}
	}
	left, err := c.TimeToLive(ctx, long.ID, clientv3.WithAttachedKeys())
	if err != nil || left.GrantedTTL != 1000 || left.TTL < 900 || len(left.Keys) != 1 {
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

	for deadline := time.Now().Add(time.Minute); ; s.tick() {
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

// Renewals that have come together are one question to the leader, and are answered in their order,
// up to the first that is refused.
func TestRenewalsAreCarriedTogether(t *testing.T) {
	n := newLoner(t)
	c, ctx := newCarrier(n, Options{}.withDefaults()), soon(t)
	requests := make(chan received[*pb.LeaseKeepAliveRequest], 2*requestsMax)
	for id := int64(1); id <= requestsMax+2; id++ {
		_, err := carry[*pb.LeaseGrantResponse](ctx, c, &pb.LeaseGrantRequest{ID: id, TTL: 10 * id})
		if err != nil {
			t.Fatal(err)
		}
		requests <- received[*pb.LeaseKeepAliveRequest]{message: &pb.LeaseKeepAliveRequest{ID: id}}
	}
	requests <- received[*pb.LeaseKeepAliveRequest]{err: io.EOF}
	next := int64(1)
	for turn, want := range []struct {
		count int
		ended error
	}{{requestsMax, nil}, {2, io.EOF}} {
		all, ended := gather(ctx, requests)
		if len(all) != want.count || ended != want.ended {
			t.Fatalf("turn %d: %d renewals, %v", turn, len(all), ended)
		}
		answers, err := carryAll[*pb.LeaseKeepAliveResponse](ctx, c, all)
		if err != nil || len(answers) != len(all) || n.asked.Load() != int64(turn+1) {
			t.Fatalf("%d answers, %v; %d questions", len(answers), err, n.asked.Load())
		}
		for _, answer := range answers {
			if answer.ID != next || answer.TTL != 10*next || answer.Header.MemberId != 7 {
				t.Errorf("got %v, want lease %d", answer, next)
			}
			next++
		}
	}
	odd := []proto.Message{&pb.LeaseKeepAliveRequest{ID: 1}, &pb.HashRequest{},
		&pb.LeaseKeepAliveRequest{ID: 2}}
	answers, err := carryAll[*pb.LeaseKeepAliveResponse](ctx, c, odd)
	if len(answers) != 1 || answers[0].ID != 1 || status.Code(err) != codes.Unimplemented {
		t.Errorf("before what is refused: %v, %v", answers, err)
	}
	n.fail(rpctypes.ErrGRPCStopped)
	if answers, err := carryAll[*pb.LeaseKeepAliveResponse](ctx, c, odd); err == nil {
		t.Errorf("a leader that does not answer: %v", answers)
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

// A renewal that waited for a leader in vain is told that there is none; where one is known that
// does not answer, that it took too long. So is a question for the time to live.
func TestRenewalsWithoutALeaderSayThatThereIsNone(t *testing.T) {
	s := serve(t, Options{})
	s.patience = time.Millisecond
	leases := pb.NewLeaseClient(s.conn)
	renew := func() error {
		stream, err := leases.LeaseKeepAlive(soon(t))
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.Send(&pb.LeaseKeepAliveRequest{ID: 1}); err != nil {
			t.Fatal(err)
		}
		_, err = stream.Recv()
		return err
	}
	look := func() error {
		_, err := leases.LeaseTimeToLive(soon(t), &pb.LeaseTimeToLiveRequest{ID: 1})
		return err
	}
	s.hang()
	for _, ask := range []func() error{renew, look} {
		wantError(t, ask(), codes.Unavailable, "etcdserver: request timed out")
	}
	s.change(func(s *Status) { s.Leader = 0 })
	for _, ask := range []func() error{renew, look} {
		wantError(t, ask(), codes.Unavailable, "etcdserver: no leader")
	}
}
