package rpc

import (
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
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
// not when it is missing for less; other streams go on.
func TestStreamsEndWithoutLeader(t *testing.T) {
	s := serve(t, Options{ElectionTimeout: 100 * time.Millisecond})
	with := metadata.AppendToOutgoingContext(soon(t), "hasleader", "true")
	guarded, err := pb.NewWatchClient(s.conn).Watch(with)
	if err != nil {
		t.Fatal(err)
	}
	keeping, err := pb.NewLeaseClient(s.conn).LeaseKeepAlive(with)
	if err != nil {
		t.Fatal(err)
	}
	other, err := pb.NewWatchClient(s.conn).Watch(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	create := &pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{
		CreateRequest: &pb.WatchCreateRequest{Key: []byte("a")},
	}}
	ended := make(chan error, 1)
	if err := guarded.Send(create); err != nil {
		t.Fatal(err)
	}
	if _, err := guarded.Recv(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_, err := guarded.Recv()
		ended <- err
	}()

	s.change(func(s *Status) { s.Leader = 0 })
	time.Sleep(150 * time.Millisecond)
	s.change(func(s *Status) { s.Leader = 8 })
	select {
	case err := <-ended:
		t.Fatalf("ended after a short absence: %v", err)
	case <-time.After(400 * time.Millisecond):
	}
	s.change(func(s *Status) { s.Leader = 0 })
	wantError(t, <-ended, codes.Unavailable, "etcdserver: no leader")
	_, err = keeping.Recv()
	wantError(t, err, codes.Unavailable, "etcdserver: no leader")

	if err := other.Send(create); err != nil {
		t.Fatal(err)
	}
	if r, err := other.Recv(); err != nil || !r.Created {
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
}

// The version that a client names must be text.
func TestClientVersionMustBeText(t *testing.T) {
	g := newGate(newLoner(t), time.Second)
	for version, want := range map[string]error{
		"3.7":      nil,
		"":         nil,
		"\xff\xfe": rpctypes.ErrGRPCInvalidClientAPIVersion,
	} {
		ctx := metadata.NewIncomingContext(soon(t), metadata.Pairs("client-api-version", version))
		if _, err := g.check(ctx); err != want {
			t.Errorf("%q: %v, want %v", version, err, want)
		}
	}
}
