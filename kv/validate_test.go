package kv

import (
	"encoding/binary"
	"slices"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"detcd/kv/auth"
)

// refuse wants a request refused before anything is needed for it.
func refuse(t *testing.T, name string, want error, request proto.Message) {
	t.Helper()
	c := NewCall(request, testLimits, nil, nil)
	response, err := c.Response()
	if c.Next() != Done || response != nil || err == nil ||
		status.Code(err) != status.Code(want) || err.Error() != want.Error() {
		t.Errorf("%s: needs %d, %v, %v; want %v", name, c.Next(), response, err, want)
	}
}

// What is refused whatever the store contains, as etcd 3.7.3 refuses it.
func TestRefusedRequests(t *testing.T) {
	noKey, sort := rpctypes.ErrGRPCEmptyKey, rpctypes.ErrGRPCInvalidSortOption
	a := []byte("a")
	refuse(t, "range without key", noKey, &pb.RangeRequest{SortOrder: 9})
	refuse(t, "unknown order", sort, &pb.RangeRequest{Key: a, SortOrder: 3})
	refuse(t, "negative order", sort, &pb.RangeRequest{Key: a, SortOrder: -1})
	refuse(t, "unknown target", sort, &pb.RangeRequest{Key: a, SortTarget: 5})
	refuse(t, "put without key", noKey, &pb.PutRequest{IgnoreValue: true, Value: a})
	refuse(t, "value beside an ignored one", rpctypes.ErrGRPCValueProvided,
		&pb.PutRequest{Key: a, Value: a, IgnoreValue: true, IgnoreLease: true, Lease: 1})
	refuse(t, "lease beside an ignored one", rpctypes.ErrGRPCLeaseProvided,
		&pb.PutRequest{Key: a, IgnoreLease: true, Lease: 1})
	refuse(t, "delete without key", noKey, &pb.DeleteRangeRequest{RangeEnd: a})
	refuse(t, "too large", rpctypes.ErrGRPCRequestTooLarge,
		put("a", string(make([]byte, testLimits.RequestBytesMax))))
	refuse(t, "not a request of ours",
		status.Error(codes.Unimplemented, "kv: no such request: *emptypb.Empty"), &emptypb.Empty{})
}

func many(n int, r any) (out []any) { return slices.Repeat([]any{r}, n) }

func TestRefusedTransactions(t *testing.T) {
	noKey, tooMany := rpctypes.ErrGRPCEmptyKey, rpctypes.ErrGRPCTooManyOps
	noRequest, get, put := rpctypes.ErrGRPCKeyNotFound, get("a", ""), put("a", "")
	refuse(t, "operation without request", noRequest, then(nil))
	refuse(t, "the same, nested", noRequest, then(either(nil, list(nil))))
	refuse(t, "129 operations", tooMany, then(many(129, &pb.RangeRequest{})...))
	refuse(t, "129 in failure", tooMany, either(nil, list(many(129, get)...)))
	refuse(t, "129 compares", tooMany, &pb.TxnRequest{Compare: make([]*pb.Compare, 129)})
	refuse(t, "127, and 2 nested", tooMany, then(append(many(126, get), then(many(2, get)...))...))
	refuse(t, "compare without key", noKey,
		&pb.TxnRequest{Compare: []*pb.Compare{{}}, Success: list(nil)})
	refuse(t, "range without key", noKey, then(&pb.RangeRequest{}))
	refuse(t, "put without key", noKey, either(nil, list(&pb.PutRequest{})))
	refuse(t, "delete without key", noKey, then(del("", "z")))
	refuse(t, "every operation before all conflicts", noKey, then(put, put, &pb.RangeRequest{}))
}

func TestRefusedConflicts(t *testing.T) {
	duplicate := rpctypes.ErrGRPCDuplicateKey
	a, ignoring := put("a", ""), &pb.PutRequest{Key: []byte("b"), IgnoreValue: true}
	refuse(t, "two puts", duplicate, then(a, a))
	refuse(t, "two puts in failure", duplicate, either(nil, list(a, a)))
	refuse(t, "put, and its deletion", duplicate, then(a, del("a", "")))
	refuse(t, "put inside of a deletion", duplicate, then(del("A", "c"), a))
	refuse(t, "put, and one nested", duplicate, then(then(a), a))
	refuse(t, "one nested each", duplicate, then(then(a), either(nil, list(a))))
	refuse(t, "nested deletion, nested put", duplicate, then(then(del("a", "b")), then(a)))
	refuse(t, "put, deletion nested twice", duplicate, then(a, then(then(del("a", "")))))
	refuse(t, "ignoring put, all deleted", duplicate, then(del("a", "\x00"), ignoring))
	refuse(t, "the same, nested", duplicate, then(then(del("a", "\x00")), then(ignoring)))
	// Of two branches that put the same key, one ignoring, both count, at every depth.
	first, second := list(ignoring), list(put("b", ""))
	for _, inner := range []*pb.TxnRequest{either(first, second), either(second, first)} {
		refuse(t, "ignoring put, or another", duplicate, then(del("a", "\x00"), inner))
		refuse(t, "the same, deeper", duplicate, then(del("a", "\x00"), then(inner)))
	}
}

// What looks refusable and is not, as in etcd 3.7.3; and what each request needs first.
func TestAccepted(t *testing.T) {
	accept := func(name string, want Need, request proto.Message) {
		t.Helper()
		if got := NewCall(request, testLimits, nil, nil); got.Next() != want {
			response, err := got.Response()
			t.Errorf("%s: needs %d, want %d (%v, %v)", name, got.Next(), want, response, err)
		}
	}
	a, get := put("a", ""), get("a", "")
	local := &pb.RangeRequest{Key: []byte("a"), Serializable: true}
	ignoring := &pb.PutRequest{Key: []byte("b"), IgnoreValue: true}
	accept("128 operations", NeedBarrier, then(many(128, get)...))
	accept("128, one is empty", NeedCommand, then(append(many(127, get), then())...))
	accept("127, and 1 nested", NeedCommand, then(append(many(126, get), then(get))...))
	accept("put in both branches", NeedCommand, either(list(a), list(a)))
	accept("put in both nested branches", NeedCommand, then(either(list(a), list(a))))
	accept("put or delete, nested", NeedCommand, then(either(list(a), list(del("a", "")))))
	accept("nested put, nested deletion", NeedCommand, then(then(a), then(del("a", ""))))
	accept("two deletions", NeedCommand, then(del("a", "z"), del("a", "")))
	accept("put at the end of a deletion", NeedCommand, then(del("A", "a"), a))
	accept("put in an empty range", NeedCommand, then(del("c", "A"), a))
	accept("put, all deleted", NeedCommand, then(del("a", "\x00"), a))
	accept("ignoring put before all deleted", NeedCommand, then(del("c", "\x00"), ignoring))
	accept("empty transaction", NeedView, &pb.TxnRequest{})
	accept("compares only", NeedView, &pb.TxnRequest{Compare: []*pb.Compare{{Key: []byte("a")}}})
	accept("serializable ranges", NeedView, then(local, local))
	accept("one range is not serializable", NeedBarrier, either(list(local), list(get)))
	accept("nor is this", NeedBarrier, either(list(get), list(local)))
	accept("nested ranges", NeedCommand, then(then(get)))
	accept("range", NeedBarrier, get)
	accept("serializable range", NeedView, local)
	accept("a range is never too large", NeedBarrier,
		&pb.RangeRequest{Key: make([]byte, testLimits.RequestBytesMax)})
	accept("compaction of nothing", NeedCommand, compact(-1))
	accept("revocation of no lease", NeedCommand, &pb.LeaseRevokeRequest{})
	accept("leases", NeedView, &pb.LeaseLeasesRequest{})
	accept("keep-alive", NeedView, &pb.LeaseKeepAliveRequest{})
	accept("hash", NeedView, &pb.HashKVRequest{})
}

// TestTheSizeBoundIsEtcdsToTheByte: etcd 3.7.3 with 1.5 MiB takes a put of 1,572,847 bytes, and
// refuses one byte more.
func TestTheSizeBoundIsEtcdsToTheByte(t *testing.T) {
	const most = 1_572_847
	r := put("a", "")
	r.Value = make([]byte, most-7)
	if size := proto.Size(r); size != most {
		t.Fatalf("size %d", size)
	}
	nobody, ann := auth.Caller{}, auth.Caller{User: "ann", Revision: 200}
	if err := checkSize(r, nobody, testLimits); err != nil {
		t.Error(err)
	}
	r.Value = append(r.Value, 0)
	if err := checkSize(r, nobody, testLimits); err != rpctypes.ErrGRPCRequestTooLarge {
		t.Error(err)
	}
	// The name and the revision of who asks are in the envelope, with their tags: 5 and 3 bytes.
	r.Value = r.Value[:len(r.Value)-1-8]
	if err := checkSize(r, ann, testLimits); err != nil {
		t.Error(err)
	}
	r.Value = append(r.Value, 0)
	if err := checkSize(r, ann, testLimits); err != rpctypes.ErrGRPCRequestTooLarge {
		t.Error(err)
	}
	for _, n := range []int{1, 127, 128, 16383, 16384, 2097151, 2097152} {
		want := len(binary.AppendUvarint(nil, uint64(n)))
		if got := prefixBytes(n); got != want {
			t.Errorf("length prefix of %d: %d bytes, want %d", n, got, want)
		}
	}
}
