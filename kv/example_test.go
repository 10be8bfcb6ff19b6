package kv_test

import (
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"detcd/kv"
	"detcd/storage/vfs"
)

// A driver for a cluster of one that commits at once and always leads: all that stands between a
// request and its response.
func ExampleCall() {
	store := kv.New(kv.Options{})
	if err := store.Restore(vfs.NewMemory(), "archive", nil, nil); err != nil {
		panic(err)
	}
	carry := func(request proto.Message) (proto.Message, error) {
		limits := kv.Limits{RequestBytesMax: 1 << 20, TxnOpsMax: 128, LeaseTTLMin: 2}
		call := kv.NewCall(request, limits, func() uint64 { return 42 }, nil)
		for call.Next() != kv.Done {
			switch call.Next() {
			case kv.NeedCommand:
				call.Give(store.Apply(1, call.Command(), true))
			case kv.NeedAnswer:
				call.Give(store.Query(0, call.Question()))
			default:
				call.Give(store.View())
			}
		}
		return call.Response()
	}

	put, _ := carry(&pb.PutRequest{Key: []byte("a"), Value: []byte("1")})
	fmt.Println("put at revision", put.(*pb.PutResponse).Header.Revision)
	get, _ := carry(&pb.RangeRequest{Key: []byte("a")})
	fmt.Printf("a is %s\n", get.(*pb.RangeResponse).Kvs[0].Value)
	_, err := carry(&pb.PutRequest{Key: []byte("a"), Lease: 7})
	fmt.Println(err)
	// Output:
	// put at revision 2
	// a is 1
	// rpc error: code = NotFound desc = etcdserver: requested lease not found
}
