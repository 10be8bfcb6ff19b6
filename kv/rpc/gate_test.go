package rpc

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// A client that requires a leader is refused when there is none, for requests and for streams.
func TestRequireLeader(t *testing.T) {
	s := serve(t, Options{})
	with := metadata.AppendToOutgoingContext(soon(t), "hasleader", "true")
	kv := pb.NewKVClient(s.conn)
	r := &pb.RangeRequest{Key: []byte("a")}
	if _, err := kv.Range(with, r); err != nil {
		t.Fatal(err)
	}
	s.change(func(s *Status) { s.Leader = 0 })
	_, err := kv.Range(with, r)
	wantError(t, err, codes.Unavailable, "etcdserver: no leader")
	if _, err := kv.Range(soon(t), r); err != nil {
		t.Errorf("a client that does not care: %v", err)
	}
	stream, err := pb.NewWatchClient(s.conn).Watch(with)
	if err != nil {
		t.Fatal(err)
	}
	_, err = stream.Recv()
	wantError(t, err, codes.Unavailable, "etcdserver: no leader")
}

// A stream that requires a leader ends when the leader is missing for three election timeouts, and
// not when it is missing for less. Nothing is guarded when there is nothing to guard.
func TestStreamsEndWithoutLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := newLoner(t)
		g := newGate(node, Options{}.withDefaults())
		open := func(md metadata.MD) <-chan error {
			ended := make(chan error, 1)
			stream := newFakeStream(metadata.NewIncomingContext(t.Context(), md))
			go func() {
				info := &grpc.StreamServerInfo{FullMethod: "/etcdserverpb.Watch/Watch"}
				ended <- g.stream(nil, stream, info, func(_ any, s grpc.ServerStream) error {
					<-s.Context().Done()
					return canceled(s.Context(), rpctypes.ErrGRPCWatchCanceled)
				})
			}()
			return ended
		}
		for range 2 { // also when the guard has gone home in between
			careful := open(metadata.Pairs("hasleader", "true"))
			time.Sleep(time.Millisecond) // between the ticks of the guard
			node.change(func(s *Status) { s.Leader = 0 })
			time.Sleep(2 * time.Second)
			node.change(func(s *Status) { s.Leader = 8 })
			time.Sleep(10 * time.Second)
			node.change(func(s *Status) { s.Leader = 0 })
			begun := time.Now()
			wantError(t, <-careful, codes.Unavailable, "etcdserver: no leader")
			if took := time.Since(begun); took < 2*time.Second || took > 3*time.Second {
				t.Errorf("ended after %v", took)
			}
			node.change(func(s *Status) { s.Leader = 8 })
			time.Sleep(10 * time.Second)
		}
	})
}

// However often streams come and go, one goroutine guards them.
func TestOneGuardForAllStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(newLoner(t), Options{}.withDefaults())
		before := runtime.NumGoroutine()
		for range 20 {
			stream := &guarded{}
			g.enter(stream)
			time.Sleep(900 * time.Millisecond)
			g.leave(stream)
		}
		if n := runtime.NumGoroutine() - before; n > 1 {
			t.Errorf("%d goroutines guard", n)
		}
		time.Sleep(2 * time.Second) // until it has gone home
	})
}

// Streams that end for want of a leader tell so, whatever they were waiting for.
func TestServedStreamsEndWithoutLeader(t *testing.T) {
	s := serve(t, Options{ElectionTimeout: 20 * time.Millisecond})
	with := metadata.AppendToOutgoingContext(soon(t), "hasleader", "true")
	watching, err := pb.NewWatchClient(s.conn).Watch(with)
	if err != nil {
		t.Fatal(err)
	}
	keeping, err := pb.NewLeaseClient(s.conn).LeaseKeepAlive(with)
	if err != nil {
		t.Fatal(err)
	}
	careless, err := pb.NewWatchClient(s.conn).Watch(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, stream := range []pb.Watch_WatchClient{watching, careless} {
		r := createWatch(&pb.WatchCreateRequest{Key: []byte("a")})
		if err := stream.Send(r); err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	if err := keeping.Send(&pb.LeaseKeepAliveRequest{ID: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := keeping.Recv(); err != nil {
		t.Fatal(err)
	}
	s.change(func(s *Status) { s.Leader = 0 })
	_, err = watching.Recv()
	wantError(t, err, codes.Unavailable, "etcdserver: no leader")
	_, err = keeping.Recv()
	wantError(t, err, codes.Unavailable, "etcdserver: no leader")
	r := createWatch(&pb.WatchCreateRequest{Key: []byte("a")})
	if err := careless.Send(r); err != nil {
		t.Fatal(err)
	}
	if r, err := careless.Recv(); err != nil || !r.Created {
		t.Fatalf("a stream that does not care: %v, %v", r, err)
	}
}

// A learner serves what needs no agreement, and its status.
func TestLearnerServesOnlySerializableReads(t *testing.T) {
	s := serve(t, Options{})
	s.change(func(s *Status) { s.Learner = true })
	kv, ctx := pb.NewKVClient(s.conn), soon(t)
	r := &pb.RangeRequest{Key: []byte("a"), Serializable: true}
	if _, err := kv.Range(ctx, r); err != nil {
		t.Error(err)
	}
	if _, err := pb.NewMaintenanceClient(s.conn).Status(ctx, &pb.StatusRequest{}); err != nil {
		t.Error(err)
	}
	const refusal = "etcdserver: rpc not supported for learner"
	_, err := kv.Range(ctx, &pb.RangeRequest{Key: []byte("a")})
	wantError(t, err, codes.FailedPrecondition, refusal)
	_, err = kv.Put(ctx, &pb.PutRequest{Key: []byte("a")})
	wantError(t, err, codes.FailedPrecondition, refusal)
	stream, err := pb.NewWatchClient(s.conn).Watch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	_, err = stream.Recv()
	wantError(t, err, codes.FailedPrecondition, refusal)
	snapshot, err := pb.NewMaintenanceClient(s.conn).Snapshot(ctx, &pb.SnapshotRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = snapshot.Recv(); status.Convert(err).Message() == refusal {
		t.Error("a learner may be asked for a snapshot")
	}
}

// The version that a client names must be text.
func TestClientVersionMustBeText(t *testing.T) {
	g := newGate(newLoner(t), Options{}.withDefaults())
	for version, want := range map[string]error{
		"3.7":      nil,
		"":         nil,
		"\xff\xfe": rpctypes.ErrGRPCInvalidClientAPIVersion,
	} {
		ctx := metadata.NewIncomingContext(soon(t), metadata.Pairs("client-api-version", version))
		if _, err := g.check(ctx, "unary"); err != want {
			t.Errorf("%q: %v, want %v", version, err, want)
		}
	}
}
