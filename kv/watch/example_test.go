package watch_test

import (
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"detcd/kv/mvcc"
	"detcd/kv/watch"
	"detcd/storage/vfs"
)

// The example of the package comment.
func Example() {
	store := mvcc.New(mvcc.Options{})
	if err := store.Restore(vfs.NewMemory(), "history", nil, nil, nil); err != nil {
		panic(err)
	}
	put := func(key string) {
		txn := store.Begin()
		txn.Put([]byte(key), []byte("v"), 0)
		txn.End()
	}
	stream := watch.NewStream(watch.Options{})
	step := func() {
		if _, err := stream.Step(store.View(), 0); err != nil {
			panic(err)
		}
		for _, r := range stream.Take() {
			fmt.Printf("{%d, id %d", r.Header.Revision, r.WatchId)
			if r.Created {
				fmt.Print(", created")
			}
			if r.Canceled {
				fmt.Print(", canceled")
			}
			for _, e := range r.Events {
				fmt.Printf(", %s %s @%d", e.Type, e.Kv.Key, e.Kv.ModRevision)
			}
			fmt.Println("}")
		}
	}
	for _, key := range []string{"b", "b", "b", "a", "b"} {
		put(key)
	}
	txn := store.Begin()
	txn.DeleteRange([]byte("a"), nil)
	txn.End()

	stream.Request(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{
		CreateRequest: &pb.WatchCreateRequest{Key: []byte("a"), StartRevision: 5},
	}}, store.View(), 0)
	stream.Request(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_ProgressRequest{
		ProgressRequest: &pb.WatchProgressRequest{},
	}}, store.View(), 0)
	step()
	put("a")
	put("a")
	step()
	stream.Request(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CancelRequest{
		CancelRequest: &pb.WatchCancelRequest{WatchId: 0},
	}}, store.View(), 0)
	step()
	// Output:
	// {7, id 0, created}
	// {7, id 0, PUT a @5, DELETE a @7}
	// {7, id -1}
	// {9, id 0, PUT a @8, PUT a @9}
	// {9, id 0, canceled}
}
