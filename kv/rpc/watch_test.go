package rpc

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"detcd/kv"
	"detcd/kv/watch"
)

func createWatch(r *pb.WatchCreateRequest) *pb.WatchRequest {
	return &pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: r}}
}

// etcd's client sees the past, then the present, as it happened.
func TestClientWatchesPastAndPresent(t *testing.T) {
	s := serve(t, Options{})
	c, ctx := s.client(t), soon(t)
	put := func(key, value string) {
		t.Helper()
		if _, err := c.Put(ctx, key, value); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 5 {
		put("a", fmt.Sprint(i))
	}
	events := c.Watch(ctx, "a", clientv3.WithRev(4), clientv3.WithPrevKV())
	put("b", "other")
	put("a", "5")
	if _, err := c.Delete(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	want := []string{"PUT a=2 was 1 @4", "PUT a=3 was 2 @5", "PUT a=4 was 3 @6", "PUT a=5 was 4 @8",
		"DELETE a= was 5 @9"}
	for got := 0; got < len(want); {
		r := <-events
		if r.Err() != nil || r.Header.ClusterId != 0xc0ffee || r.Header.RaftTerm != 3 {
			t.Fatalf("%v, %v", r, r.Err())
		}
		for _, e := range r.Events {
			text := fmt.Sprintf("%s %s=%s was %s @%d",
				e.Type, e.Kv.Key, e.Kv.Value, e.PrevKv.Value, e.Kv.ModRevision)
			if text != want[got] {
				t.Errorf("event %d: %s, want %s", got, text, want[got])
			}
			got++
		}
	}
}

// A watch that begins in compacted history is told from where it may begin.
func TestClientWatchesCompactedPast(t *testing.T) {
	s := serve(t, Options{})
	c, ctx := s.client(t), soon(t)
	for range 5 {
		if _, err := c.Put(ctx, "a", "v"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Compact(ctx, 4); err != nil {
		t.Fatal(err)
	}
	r := <-c.Watch(ctx, "a", clientv3.WithRev(2))
	if !errors.Is(r.Err(), rpctypes.ErrCompacted) || r.CompactRevision != 4 {
		t.Errorf("got %v, %v", r, r.Err())
	}
}

// A watch that asks for it hears how far it is although nothing happens to its keys; and a client
// that asks by hand is answered.
func TestClientHearsOfProgress(t *testing.T) {
	s := serve(t, Options{ProgressInterval: time.Nanosecond}) // the shortest there is
	c, ctx := s.client(t), soon(t)
	begun := time.Now()
	quiet := c.Watch(ctx, "a", clientv3.WithProgressNotify(), clientv3.WithCreatedNotify())
	if r := <-quiet; !r.Created {
		t.Fatalf("got %v, want created", r)
	}
	if _, err := c.Put(ctx, "b", "v"); err != nil {
		t.Fatal(err)
	}
	told, after := 0, 0 // some may come before the put is done
	for ; after < 3; told++ {
		r := <-quiet
		if !r.IsProgressNotify() || r.Header.Revision > 2 {
			t.Fatalf("got %v, want progress", r)
		}
		after += int(r.Header.Revision) - 1
	}
	if took := time.Since(begun); took < time.Duration(told-1)*progressIntervalMin {
		t.Errorf("%d notifications in %v", told, took)
	}

	asking := clientv3.WithRequireLeader(ctx)
	events := c.Watch(asking, "c", clientv3.WithCreatedNotify())
	<-events
	if err := c.RequestProgress(asking); err != nil {
		t.Fatal(err)
	}
	if r := <-events; !r.IsProgressNotify() || r.Header.Revision != 2 {
		t.Errorf("got %v, want progress", r)
	}
}

// Events that are too much for one response come in several where the client allows it, and etcd's
// client joins them again.
func TestClientGetsFragments(t *testing.T) {
	s := serve(t, Options{})
	c, ctx := s.client(t), soon(t)
	value := strings.Repeat("v", 1<<20)
	events := c.Watch(ctx, "k", clientv3.WithPrefix(), clientv3.WithFragment(), clientv3.WithPrevKV(),
		clientv3.WithCreatedNotify())
	<-events
	for _, key := range []string{"k1", "k2", "k3"} {
		if _, err := c.Put(ctx, key, value); err != nil {
			t.Fatal(err)
		}
		if r := <-events; len(r.Events) != 1 {
			t.Fatalf("%d events", len(r.Events))
		}
	}
	_, err := c.Txn(ctx).Then(clientv3.OpPut("k1", ""), clientv3.OpPut("k2", ""),
		clientv3.OpPut("k3", "")).Commit()
	if err != nil {
		t.Fatal(err)
	}
	r := <-events
	if len(r.Events) != 3 || len(r.Events[2].PrevKv.Value) != len(value) {
		t.Errorf("%d events, of 3 with what was before", len(r.Events))
	}
}

// Who catches up gets ten mebibytes in one response, or in fragments that are no larger than one
// that the client can take; without fragments such a client learns that it cannot.
func TestClientCatchesUpInOneResponse(t *testing.T) {
	s := serve(t, Options{})
	ctx := soon(t)
	for i := range 10 {
		_, err := s.client(t).Put(ctx, fmt.Sprint("k", i), strings.Repeat("v", 1<<20))
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		limit    int
		fragment bool
		events   int
	}{{0, false, 10}, {0, true, 10}, {3 << 19, true, 10}, {3 << 19, false, 0}} {
		client, err := clientv3.New(clientv3.Config{
			Endpoints: []string{s.addr}, DialTimeout: 5 * time.Second, MaxCallRecvMsgSize: c.limit,
		})
		if err != nil {
			t.Fatal(err)
		}
		options := []clientv3.OpOption{clientv3.WithPrefix(), clientv3.WithRev(1)}
		if c.fragment {
			options = append(options, clientv3.WithFragment())
		}
		r := <-client.Watch(ctx, "k", options...)
		if len(r.Events) != c.events || (r.Err() == nil) != (c.events > 0) {
			t.Errorf("%+v: %d events, %v", c, len(r.Events), r.Err())
		}
		_ = client.Close()
	}
}

// A client that has sent its last request goes on to get events; one that leaves ends the stream
// and all that served it.
func TestHalfClosedStreamGoesOnUntilTheClientLeaves(t *testing.T) {
	s := serve(t, Options{})
	c := s.client(t)
	if _, err := c.Put(soon(t), "a", "v"); err != nil {
		t.Fatal(err)
	}
	r := &pb.RangeRequest{Key: []byte("a")}
	if _, err := pb.NewKVClient(s.conn).Range(soon(t), r); err != nil {
		t.Fatal(err) // now s.conn is connected
	}
	before := runtime.NumGoroutine()
	ctx, leave := context.WithCancel(soon(t))
	stream, err := pb.NewWatchClient(s.conn).Watch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(createWatch(&pb.WatchCreateRequest{Key: []byte("a")})); err != nil {
		t.Fatal(err)
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		r, err := stream.Recv()
		if err != nil || r.Created != (i == 0) || r.Header.MemberId != 7 {
			t.Fatalf("response %d: %v, %v", i, r, err)
		}
		if _, err := c.Put(soon(t), "a", "v"); err != nil {
			t.Fatal(err)
		}
	}
	leave()
	for deadline := time.Now().Add(time.Minute); runtime.NumGoroutine() > before; {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before the stream", runtime.NumGoroutine(), before)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// A client that left gets etcd's word for it, if it still can hear. Nothing goes on without it.
func TestLeavingEndsTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := newLoner(t)
		service := serviceOf(node)
		ctx, leave := context.WithCancel(t.Context())
		var ended [3]chan error
		for i := range ended {
			stream := newFakeStream(ctx)
			ended[i] = make(chan error)
			go func() { ended[i] <- service.Watch(stream) }()
			stream.requests <- createWatch(&pb.WatchCreateRequest{Key: []byte("a")})
			<-stream.responses
		}
		synctest.Wait()
		if n := len(service.board.lines); n != 3 {
			t.Errorf("%d streams are connected", n)
		}
		leave()
		for i := range ended {
			wantError(t, <-ended[i], codes.Canceled, "etcdserver: watch canceled")
		}
		if n := len(service.board.lines); n != 0 {
			t.Errorf("%d streams are connected", n)
		}
	}) // which fails if a goroutine is left
}

// A stream that has left is forgotten, also while others stay.
func TestStreamsThatLeftAreForgotten(t *testing.T) {
	service := serviceOf(newLoner(t))
	open := func(ctx context.Context) <-chan error {
		ended := make(chan error, 1)
		stream := newFakeStream(ctx)
		go func() { ended <- service.Watch(stream) }()
		stream.requests <- createWatch(&pb.WatchCreateRequest{Key: []byte("a")})
		<-stream.responses
		return ended
	}
	open(soon(t))
	ctx, leave := context.WithCancel(soon(t))
	ended := open(ctx)
	var streams []weak.Pointer[watch.Stream]
	service.board.mutex.Lock()
	for s := range service.board.lines {
		streams = append(streams, weak.Make(s))
	}
	service.board.mutex.Unlock()
	leave()
	<-ended
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		runtime.GC()
		known := 0
		for _, s := range streams {
			if s.Value() != nil {
				known++
			}
		}
		if known == 1 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d streams are known", known)
		}
	}
}

// When the node stops, so do its streams, those that sleep and those that come.
func TestStreamsEndWhenTheNodeStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := newLoner(t)
		service := serviceOf(node)
		var ended [2]chan error
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		for i := range ended {
			ended[i] = make(chan error, 1)
			go func() { ended[i] <- service.Watch(newFakeStream(ctx)) }()
			synctest.Wait()
			if i == 0 {
				node.stop()
			}
			wantError(t, <-ended[i], codes.Unavailable, "etcdserver: server stopped")
		}
	})
}

// The client reads nothing for a while. Meanwhile one response waits, of a bounded size, and no
// more are made; the state from which it was made may be forgotten. When the client reads again it
// gets everything, each event once and in order.
func TestSlowWatcherCostsOneResponse(t *testing.T) {
	node := newLoner(t)
	stream := newFakeStream(soon(t))
	go func() { _ = serviceOf(node).Watch(stream) }()
	stream.requests <- createWatch(&pb.WatchCreateRequest{Key: []byte("a")})
	if r := <-stream.responses; !r.Created {
		t.Fatalf("got %v", r)
	}
	c := patient(node)
	put := &pb.PutRequest{Key: []byte("a"), Value: make([]byte, 100<<10)}
	write := func() {
		t.Helper()
		if _, err := carry[*pb.PutResponse](soon(t), c, put); err != nil {
			t.Fatal(err)
		}
	}
	write()
	for stream.sending.Load() != 2 {
		time.Sleep(time.Millisecond)
	}
	released := make(chan struct{})
	func() {
		view, _ := node.View(soon(t))
		runtime.AddCleanup(view.(*kv.View), func(c chan struct{}) { close(c) }, released)
	}()
	const writes = 100
	for range writes - 1 {
		write()
	}
	_, _ = node.View(soon(t)) // the node's newest; it forgets the one before
	deadline := time.Now().Add(time.Minute)
	for forgotten := false; !forgotten; {
		runtime.GC()
		select {
		case <-released:
			forgotten = true
		case <-time.After(10 * time.Millisecond):
			if time.Now().After(deadline) {
				t.Fatal("a client that does not read keeps an old state alive")
			}
		}
	}
	if n := stream.sending.Load(); n != 2 {
		t.Errorf("%d responses were made for a client that does not read", n)
	}
	for revision := int64(2); revision < 2+writes; {
		r := <-stream.responses
		size := 0
		for _, e := range r.Events {
			if e.Kv.ModRevision != revision {
				t.Fatalf("event at %d, want %d", e.Kv.ModRevision, revision)
			}
			revision++
			size += len(e.Kv.Value)
		}
		if size > 1<<20+100<<10 {
			t.Errorf("a response of %d bytes", size)
		}
	}
}

func serviceOf(node Node) *watchService {
	return newWatchService(patient(node), Options{}.withDefaults())
}

// A fakeStream is a client that reads a response only when the test does.
type fakeStream struct {
	grpc.ServerStream
	ctx       context.Context
	requests  chan *pb.WatchRequest
	responses chan *pb.WatchResponse
	sending   atomic.Int64 // how many responses were handed over, or are about to be
}

func newFakeStream(ctx context.Context) *fakeStream {
	return &fakeStream{
		ctx:       ctx,
		requests:  make(chan *pb.WatchRequest),
		responses: make(chan *pb.WatchResponse),
	}
}

func (f *fakeStream) Context() context.Context     { return f.ctx }
func (f *fakeStream) SetHeader(metadata.MD) error  { return nil }
func (f *fakeStream) SendHeader(metadata.MD) error { return nil }

func (f *fakeStream) Recv() (*pb.WatchRequest, error) {
	select {
	case r := <-f.requests:
		return r, nil
	case <-f.ctx.Done():
		return nil, f.ctx.Err()
	}
}

func (f *fakeStream) Send(r *pb.WatchResponse) error {
	f.sending.Add(1)
	select {
	case f.responses <- r:
		return nil
	case <-f.ctx.Done():
		return f.ctx.Err()
	}
}
