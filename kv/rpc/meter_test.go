package rpc

import (
	"maps"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
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
	if got.Watches != 2 || got.Streams != 1 || got.Events < 2 || len(got.Methods) != 2 {
		t.Errorf("%+v", got)
	}
	put := got.Methods[0]
	want := map[codes.Code]uint64{codes.OK: 2, codes.InvalidArgument: 1}
	if put.Service != "etcdserverpb.KV" || put.Method != "Put" || put.Type != "unary" ||
		put.Started != 3 || put.Received != 3 || put.Sent != 2 || !maps.Equal(put.Handled, want) {
		t.Errorf("%+v", put)
	}
	watch := got.Methods[1]
	if watch.Type != "bidi_stream" || watch.Received != 4 || watch.Sent < 5 ||
		len(watch.Handled) != 0 {
		t.Errorf("%+v", watch)
	}
}
