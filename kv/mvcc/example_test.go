package mvcc_test

import (
	"fmt"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"detcd/kv/mvcc"
	"detcd/storage/vfs"
)

// The picture of the package comment, as code.
func Example() {
	store := mvcc.New(mvcc.Options{})
	if err := store.Restore(vfs.NewMemory(), "archive", nil, nil, nil); err != nil {
		panic(err)
	}
	write := func(change func(t *mvcc.Txn)) {
		txn := store.Begin()
		change(txn)
		txn.End()
	}
	write(func(t *mvcc.Txn) { t.Put([]byte("apple"), []byte("red"), 0) })
	write(func(t *mvcc.Txn) { t.Put([]byte("banana"), []byte("long"), 0) })
	write(func(t *mvcc.Txn) {
		t.Put([]byte("apple"), []byte("green"), 0)
		t.Put([]byte("cherry"), []byte("sour"), 0)
	})
	write(func(t *mvcc.Txn) { t.DeleteRange([]byte("apple"), nil) })

	everything := []byte{0}
	show := func(revision int64) {
		result, err := store.View().Range(
			mvcc.RangeOptions{Key: everything, End: everything, Revision: revision})
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, kv := range result.KVs {
			fmt.Printf("%s is %s; ", kv.Key, kv.Value)
		}
		fmt.Printf("%d of them at %d\n", result.Count, revision)
	}
	show(5)
	show(3)
	err := store.View().Events(4, 5, nil, func(revision int64, events []*mvccpb.Event) bool {
		for _, e := range events {
			fmt.Println(revision, e.Type, string(e.Kv.Key))
		}
		return true
	})
	fmt.Println(err, store.Compact(4))
	show(3)
	show(4)
	// Output:
	// banana is long; cherry is sour; 2 of them at 5
	// apple is red; banana is long; 2 of them at 3
	// 4 PUT apple
	// 4 PUT cherry
	// 5 DELETE apple
	// <nil> <nil>
	// mvcc: required revision has been compacted
	// apple is green; banana is long; cherry is sour; 3 of them at 4
}
