package rpc

import (
	"context"
	"fmt"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Each kind of stream is refused at its bound, and let in again when another one has ended.
func TestStreamsAreBounded(t *testing.T) {
	const bound = 2
	options := Options{Bounds: Bounds{
		WatchStreams: bound, KeepAliveStreams: bound, Snapshots: bound, RangeStreams: bound,
	}}.withDefaults()
	for method, what := range map[string]string{
		pb.Watch_Watch_FullMethodName:          "streams of watches",
		pb.Lease_LeaseKeepAlive_FullMethodName: "streams of renewals",
		pb.KV_RangeStream_FullMethodName:       "streamed ranges",
		pb.Maintenance_Snapshot_FullMethodName: "snapshots",
	} {
		g, entered, release := newGate(newLoner(t), options), make(chan bool), make(chan bool)
		ended := make(chan error, bound+2)
		open := func() {
			ended <- g.stream(nil, newFakeStream(soon(t)), &grpc.StreamServerInfo{FullMethod: method},
				func(any, grpc.ServerStream) error {
					entered <- true
					<-release
					return nil
				})
		}
		for range bound {
			go open()
			<-entered
		}
		go open()
		select {
		case <-entered:
			t.Fatalf("%s: one too many is let in", what)
		case err := <-ended:
			wantError(t, err, codes.ResourceExhausted, fmt.Sprintf(
				"etcdserver: too many %s at this member, %d are possible at a time", what, bound))
		}
		release <- true
		if err := <-ended; err != nil {
			t.Errorf("%s: %v", what, err)
		}
		go open()
		<-entered
		close(release)
	}
}

// A server is made with the bounds.
func TestAServedStreamIsBounded(t *testing.T) {
	s := serve(t, Options{Bounds: Bounds{WatchStreams: 1}})
	for _, want := range []codes.Code{codes.OK, codes.ResourceExhausted} {
		stream, err := pb.NewWatchClient(s.conn).Watch(soon(t))
		if err != nil {
			t.Fatal(err)
		}
		_ = stream.Send(createWatch(&pb.WatchCreateRequest{Key: []byte("a")}))
		if _, err := stream.Recv(); status.Code(err) != want {
			t.Errorf("%v, want %v", err, want)
		}
	}
}

func TestRequestsAreBounded(t *testing.T) {
	s := serve(t, Options{Bounds: Bounds{Requests: 3}})
	s.hang()
	ctx, leave := context.WithCancel(soon(t))
	answers := make(chan error)
	get := func(ctx context.Context) error {
		_, err := pb.NewKVClient(s.conn).Range(ctx, &pb.RangeRequest{Key: []byte("a")})
		return err
	}
	for range 5 {
		go func() { answers <- get(ctx) }()
	}
	for range 2 {
		wantError(t, <-answers, codes.ResourceExhausted, "etcdserver: too many requests")
	}
	leave()
	for range 3 {
		wantError(t, <-answers, codes.Canceled, "context canceled")
	}
}

// A watch that is one too many is refused as one that is not permitted; the others go on.
func TestWatchesAreBounded(t *testing.T) {
	s := serve(t, Options{Bounds: Bounds{Watches: 5, StreamWatches: 3}})
	open := func() pb.Watch_WatchClient {
		stream, err := pb.NewWatchClient(s.conn).Watch(soon(t))
		if err != nil {
			t.Fatal(err)
		}
		return stream
	}
	create := func(stream pb.Watch_WatchClient) string {
		t.Helper()
		if err := stream.Send(createWatch(&pb.WatchCreateRequest{Key: []byte("a")})); err != nil {
			t.Fatal(err)
		}
		r, err := stream.Recv()
		if err != nil || !r.Created || r.Canceled != (r.CancelReason != "") {
			t.Fatalf("%v, %v", r, err)
		}
		return r.CancelReason
	}
	first, second := open(), open()
	const full = "etcdserver: too many watches on this stream, 3 are possible"
	for i, want := range []string{"", "", "", full} {
		if got := create(first); got != want {
			t.Errorf("watch %d of a stream: %q", i, got)
		}
	}
	const all = "etcdserver: too many watches at this member, 5 are possible"
	for i, want := range []string{"", "", all} {
		if got := create(second); got != want {
			t.Errorf("watch %d of another stream: %q", i, got)
		}
	}
	cancel := &pb.WatchRequest{RequestUnion: &pb.WatchRequest_CancelRequest{
		CancelRequest: &pb.WatchCancelRequest{WatchId: 0}}}
	if err := first.Send(cancel); err != nil {
		t.Fatal(err)
	}
	if r, err := first.Recv(); err != nil || !r.Canceled {
		t.Fatalf("%v, %v", r, err)
	}
	if got := create(second); got != "" {
		t.Errorf("after another one was cancelled: %q", got)
	}
	if _, err := s.client(t).Put(soon(t), "a", "v"); err != nil {
		t.Fatal(err)
	}
	if r, err := first.Recv(); err != nil || len(r.Events) != 1 {
		t.Errorf("those that were let in: %v, %v", r, err)
	}
}
