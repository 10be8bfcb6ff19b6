package rpc

import (
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// etcd's own client finds in a node what it finds in etcd.
func TestClientReadsWhatItWrote(t *testing.T) {
	s := serve(t, Options{})
	c, ctx := s.client(t), soon(t)

	put, err := c.Put(ctx, "a", "1")
	if err != nil {
		t.Fatal(err)
	}
	if h := put.Header; h.ClusterId != 0xc0ffee || h.MemberId != 7 || h.RaftTerm != 3 ||
		h.Revision != 2 {
		t.Fatalf("header %v", h)
	}
	again, err := c.Put(ctx, "a", "2", clientv3.WithPrevKV())
	if err != nil || string(again.PrevKv.Value) != "1" {
		t.Fatalf("put: %v, %v", again, err)
	}
	got, err := c.Get(ctx, "a", clientv3.WithRev(2))
	if err != nil || got.Count != 1 || string(got.Kvs[0].Value) != "1" || got.Header.Revision != 3 {
		t.Fatalf("get: %v, %v", got, err)
	}
	txn, err := c.Txn(ctx).
		If(clientv3.Compare(clientv3.Version("a"), "=", 2)).
		Then(clientv3.OpPut("b", "x"), clientv3.OpGet("b")).
		Commit()
	if err != nil || !txn.Succeeded || txn.Header.Revision != 4 ||
		string(txn.Responses[1].GetResponseRange().Kvs[0].Value) != "x" {
		t.Fatalf("txn: %v, %v", txn, err)
	}
	deleted, err := c.Delete(ctx, "a", clientv3.WithFromKey(), clientv3.WithPrevKV())
	if err != nil || deleted.Deleted != 2 || len(deleted.PrevKvs) != 2 {
		t.Fatalf("delete: %v, %v", deleted, err)
	}
	if _, err := c.Compact(ctx, 4); err != nil {
		t.Fatal(err)
	}
	_, err = c.Get(ctx, "a", clientv3.WithRev(3))
	wantError(t, err, codes.OutOfRange, "etcdserver: mvcc: required revision has been compacted")
}

// A physical compaction is answered when what it compacted is gone, and not before.
func TestPhysicalCompactionWaits(t *testing.T) {
	s := serve(t, Options{})
	c, ctx := s.client(t), soon(t)
	for range 3 {
		if _, err := c.Put(ctx, "a", "v"); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan error)
	go func() {
		_, err := c.Compact(ctx, 3, clientv3.WithCompactPhysical())
		done <- err
	}()
	select {
	case err := <-done:
		t.Fatalf("answered before anything was done: %v", err)
	case <-time.After(5 * pause):
	}
	s.tick()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// A read needs an agreement unless the client says that it does not.
func TestOnlySerializableReadsDoWithoutABarrier(t *testing.T) {
	s := serve(t, Options{})
	c, ctx := s.client(t), soon(t)
	for _, read := range []struct {
		name string
		do   func() error
		want int64
	}{
		{"range", func() error { _, err := c.Get(ctx, "a"); return err }, 1},
		{"serializable", func() error {
			_, err := c.Get(ctx, "a", clientv3.WithSerializable())
			return err
		}, 0},
		{"read-only txn", func() error {
			_, err := c.Txn(ctx).Then(clientv3.OpGet("a")).Commit()
			return err
		}, 1},
		{"members", func() error { _, err := c.MemberList(ctx); return err }, 1},
		{"members, serializable", func() error {
			_, err := c.MemberList(ctx, clientv3.WithSerializable())
			return err
		}, 0},
	} {
		before := s.barriers.Load()
		if err := read.do(); err != nil {
			t.Errorf("%s: %v", read.name, err)
		}
		if n := s.barriers.Load() - before; n != read.want {
			t.Errorf("%s: %d barriers, want %d", read.name, n, read.want)
		}
	}
}

// Requests that no member can serve are answered with etcd's codes and words.
func TestInvalidRequestsGetEtcdsErrors(t *testing.T) {
	s := serve(t, Options{})
	kv, ctx := pb.NewKVClient(s.conn), soon(t)
	for _, bad := range []struct {
		name string
		do   func() error
		code codes.Code
		text string
	}{
		{"range without key", func() error { _, err := kv.Range(ctx, &pb.RangeRequest{}); return err },
			codes.InvalidArgument, "etcdserver: key is not provided"},
		{"put without key", func() error { _, err := kv.Put(ctx, &pb.PutRequest{}); return err },
			codes.InvalidArgument, "etcdserver: key is not provided"},
		{"future revision", func() error {
			_, err := kv.Range(ctx, &pb.RangeRequest{Key: []byte("a"), Revision: 99})
			return err
		}, codes.OutOfRange, "etcdserver: mvcc: required revision is a future revision"},
		{"compact the future", func() error {
			_, err := kv.Compact(ctx, &pb.CompactionRequest{Revision: 99})
			return err
		}, codes.OutOfRange, "etcdserver: mvcc: required revision is a future revision"},
		{"unknown lease", func() error {
			_, err := kv.Put(ctx, &pb.PutRequest{Key: []byte("a"), Lease: 99})
			return err
		}, codes.NotFound, "etcdserver: requested lease not found"},
		{"empty operation", func() error {
			_, err := kv.Txn(ctx, &pb.TxnRequest{Success: []*pb.RequestOp{{}}})
			return err
		}, codes.InvalidArgument, "etcdserver: key not found"},
		{"too many operations", func() error {
			compare := make([]*pb.Compare, 129)
			for i := range compare {
				compare[i] = &pb.Compare{Key: []byte("a")}
			}
			_, err := kv.Txn(ctx, &pb.TxnRequest{Compare: compare})
			return err
		}, codes.InvalidArgument, "etcdserver: too many operations in txn request"},
	} {
		t.Run(bad.name, func(t *testing.T) { wantError(t, bad.do(), bad.code, bad.text) })
	}
}

// A request that is somewhat too large gets etcd's error; one that is larger than any message may
// be is refused by gRPC while it is read.
func TestTooLargeRequests(t *testing.T) {
	s := serve(t, Options{})
	kv, ctx := pb.NewKVClient(s.conn), soon(t)
	put := func(size int) error {
		_, err := kv.Put(ctx, &pb.PutRequest{Key: []byte("k"), Value: make([]byte, size)})
		return err
	}
	if err := put(requestBytesMax - 100); err != nil {
		t.Fatal(err)
	}
	wantError(t, put(requestBytesMax), codes.InvalidArgument, "etcdserver: request is too large")
	wantError(t, put(requestBytesMax+overheadBytes-100), codes.InvalidArgument,
		"etcdserver: request is too large")
	wantError(t, put(requestBytesMax+overheadBytes), codes.ResourceExhausted,
		"grpc: received message larger than max (2097160 vs. 2097152)")
}

func wantError(t *testing.T, err error, code codes.Code, text string) {
	t.Helper()
	got := status.Convert(unwrapped(err))
	if got.Code() != code || got.Message() != text {
		t.Errorf("got %v: %q, want %v: %q", got.Code(), got.Message(), code, text)
	}
}

// unwrapped turns an error of etcd's client back into the status that it was.
func unwrapped(err error) error {
	if e, ok := err.(interface {
		Code() codes.Code
		Error() string
	}); ok {
		return status.Error(e.Code(), e.Error())
	}
	return err
}
