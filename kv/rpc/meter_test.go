package rpc

import (
	"maps"
	"slices"
	"strings"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/grpc/codes"
)

func TestTrafficIsCountedByMethod(t *testing.T) {
	meter := new(Meter)
	s := serve(t, Options{Meter: meter})
	ctx := soon(t)
	kv := pb.NewKVClient(s.conn)
	for _, key := range []string{"a", "b", ""} {
		kv.Put(ctx, &pb.PutRequest{Key: []byte(key)})
	}
	stream, err := pb.NewWatchClient(s.conn).Watch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{
			CreateRequest: &pb.WatchCreateRequest{Key: []byte("a"), StartRevision: 1},
		}})
	}
	stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CancelRequest{
		CancelRequest: &pb.WatchCancelRequest{WatchId: 1},
	}})
	events := 0
	for canceled := false; !canceled || events < 2; {
		r, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		canceled = canceled || r.Canceled
		events += len(r.Events)
	}
	got := meter.Traffic()
	if got.Watches != 2 || got.Streams != 1 || got.Events < 2 || got.Behind != 0 ||
		got.Pending != 0 {
		t.Errorf("%d watches on %d streams, %d behind, %d events, %d pending",
			got.Watches, got.Streams, got.Behind, got.Events, got.Pending)
	}
	of := func(method string) MethodTraffic {
		i := slices.IndexFunc(got.Methods, func(m MethodTraffic) bool {
			return strings.HasPrefix(m.Service, "etcdserverpb.") && m.Method == method
		})
		if i < 0 || len(got.Methods[i].Handled) != 17 {
			t.Fatalf("%s has not every code from the start", method)
		}
		return got.Methods[i]
	}
	if hash := of("Hash"); hash.Started != 0 || hash.Type != "unary" {
		t.Errorf("was not called: %+v", hash)
	}
	if of("RangeStream").Type != "server_stream" {
		t.Error("RangeStream is no stream")
	}
	put := of("Put")
	want := map[codes.Code]uint64{codes.OK: 2, codes.InvalidArgument: 1}
	maps.DeleteFunc(put.Handled, func(_ codes.Code, n uint64) bool { return n == 0 })
	if put.Service != "etcdserverpb.KV" || put.Method != "Put" || put.Type != "unary" ||
		put.Started != 3 || put.Received != 3 || put.Sent != 2 || !maps.Equal(put.Handled, want) {
		t.Errorf("%+v", put)
	}
	mustBeMeasured(t, meter, &put)
	watch := of("Watch")
	maps.DeleteFunc(watch.Handled, func(_ codes.Code, n uint64) bool { return n == 0 })
	if watch.Type != "bidi_stream" || watch.Received != 4 || watch.Sent < 5 ||
		len(watch.Handled) != 0 {
		t.Errorf("%+v", watch)
	}
}

// mustBeMeasured wants one put that failed and two that did not, and four responses about watches.
func mustBeMeasured(t *testing.T, meter *Meter, put *MethodTraffic) {
	t.Helper()
	for outcome, want := range []uint64{1, 2} {
		if _, n, sum := put.Requests[outcome].Read(QuickScale); n != want || sum <= 0 {
			t.Errorf("%d puts took %v", n, sum)
		}
	}
	took := meter.Measures()
	_, sent, _ := took.Events.Read(QuickScale)
	_, control, _ := took.Control.Read(QuickScale)
	if sent == 0 || control != 4 {
		t.Errorf("%d responses with events and %d without were measured", sent, control)
	}
}

// Events count as pending from when they are read until they are sent, and watches as behind while
// they catch up.
func TestWhatWatchesWaitForIsCounted(t *testing.T) {
	m := new(Meter)
	r := &pb.WatchResponse{Events: []*mvccpb.Event{{}, {}, {}}}
	during := int64(0)
	err := m.sending(r, func(*pb.WatchResponse) error {
		during = m.Traffic().Pending
		return nil
	})
	if after := m.Traffic().Pending; err != nil || during != 3 || after != 0 {
		t.Errorf("%d events were pending while they were sent, %d after, %v", during, after, err)
	}
	m.waiting(waiting{}, waiting{watches: 2, events: 5})
	m.waiting(waiting{watches: 2, events: 5}, waiting{watches: 1, events: 4})
	if got := m.Traffic(); got.Behind != 1 || got.Pending != 4 {
		t.Errorf("%d watches are behind, %d events pending", got.Behind, got.Pending)
	}
	sent := func(*pb.WatchResponse) error { return nil }
	if err := m.sending(&pb.WatchResponse{}, sent); err != nil {
		t.Error(err)
	}
	if _, n, _ := m.Measures().Progress.Read(QuickScale); n != 1 {
		t.Errorf("%d responses of progress were measured", n)
	}
}
