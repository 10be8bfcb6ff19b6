package clienttest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func putAndGet(t *testing.T, u *user) {
	client, key := u.client(), u.key("k")
	first, err := client.Put(u.ctx, key, "one")
	u.must(err)
	second, err := client.Put(u.ctx, key, "two", clientv3.WithPrevKV())
	u.must(err)
	if string(second.PrevKv.Value) != "one" || second.Header.Revision <= first.Header.Revision {
		t.Errorf("the second put answered %v", second)
	}
	got, err := client.Get(u.ctx, key)
	u.must(err)
	kv := got.Kvs[0]
	if string(kv.Value) != "two" || kv.Version != 2 ||
		kv.CreateRevision != first.Header.Revision || kv.ModRevision != second.Header.Revision {
		t.Errorf("got %v", kv)
	}
	old, err := client.Get(u.ctx, key, clientv3.WithRev(first.Header.Revision))
	u.must(err)
	if string(old.Kvs[0].Value) != "one" {
		t.Errorf("the past is %v", old.Kvs)
	}
	deleted, err := client.Delete(u.ctx, key)
	u.must(err)
	gone, err := client.Get(u.ctx, key)
	u.must(err)
	if deleted.Deleted != 1 || gone.Count != 0 {
		t.Errorf("deleted %d, left %d", deleted.Deleted, gone.Count)
	}
}

func prefixAndPages(t *testing.T, u *user) {
	client := u.client()
	const count, page = 25, 10
	for i := range count {
		_, err := client.Put(u.ctx, u.key(fmt.Sprintf("p%02d", i)), "v")
		u.must(err)
	}
	seen, from := 0, u.key("p")
	end := clientv3.GetPrefixRangeEnd(u.key("p"))
	for {
		got, err := client.Get(u.ctx, from, clientv3.WithRange(end), clientv3.WithLimit(page))
		u.must(err)
		seen += len(got.Kvs)
		if got.Count != int64(count-seen+len(got.Kvs)) {
			t.Errorf("count %d after %d keys", got.Count, seen)
		}
		if !got.More {
			break
		}
		from = string(got.Kvs[len(got.Kvs)-1].Key) + "\x00"
	}
	if seen != count {
		t.Errorf("%d keys on all pages, want %d", seen, count)
	}
	last, err := client.Get(u.ctx, u.key("p"), clientv3.WithLastCreate()...)
	u.must(err)
	if len(last.Kvs) != 1 || string(last.Kvs[0].Key) != u.key("p24") {
		t.Errorf("the last created is %v", last.Kvs)
	}
}

func theFuture(t *testing.T, u *user) {
	client := u.client()
	put, err := client.Put(u.ctx, u.key("k"), "v")
	u.must(err)
	_, err = client.Get(u.ctx, u.key("k"), clientv3.WithRev(put.Header.Revision+1_000_000))
	if !errors.Is(err, rpctypes.ErrFutureRev) {
		t.Errorf("the future: %v", err)
	}
	_, err = client.Compact(u.ctx, put.Header.Revision+1_000_000)
	if !errors.Is(err, rpctypes.ErrFutureRev) {
		t.Errorf("compaction of the future: %v", err)
	}
}

func transaction(t *testing.T, u *user) {
	client, key := u.client(), u.key("k")
	createOnce := func(value string) *clientv3.TxnResponse {
		response, err := client.Txn(u.ctx).
			If(clientv3.Compare(clientv3.CreateRevision(key), "=", 0)).
			Then(clientv3.OpPut(key, value), clientv3.OpPut(u.key("other"), value)).
			Else(clientv3.OpGet(key)).
			Commit()
		u.must(err)
		return response
	}
	if first := createOnce("first"); !first.Succeeded {
		t.Error("the first does not succeed")
	}
	second := createOnce("second")
	if second.Succeeded {
		t.Fatal("the second succeeds too")
	}
	found := second.Responses[0].GetResponseRange()
	if len(found.Kvs) != 1 || string(found.Kvs[0].Value) != "first" {
		t.Errorf("the second finds %v", found.Kvs)
	}
	both, err := client.Get(u.ctx, u.prefix, clientv3.WithPrefix())
	u.must(err)
	if len(both.Kvs) != 2 || both.Kvs[0].ModRevision != both.Kvs[1].ModRevision {
		t.Errorf("not one revision: %v", both.Kvs)
	}
}

// serializableReads reads at each member by itself; each has the write before long.
func serializableReads(t *testing.T, u *user) {
	_, err := u.client().Put(u.ctx, u.key("k"), "v")
	u.must(err)
	for _, member := range u.cluster.Members() {
		conn, err := member.Conn()
		u.must(err)
		request := &pb.RangeRequest{Key: []byte(u.key("k")), Serializable: true}
		for {
			got, err := pb.NewKVClient(conn).Range(u.ctx, request)
			u.must(err)
			if got.Count == 1 {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// membersAgree compares the hash of the whole history, at one revision, of all members.
func membersAgree(t *testing.T, u *user) {
	put, err := u.client().Put(u.ctx, u.key("last"), "v")
	u.must(err)
	hashes := map[uint32][]string{}
	for _, member := range u.cluster.Members() {
		conn, err := member.Conn()
		u.must(err)
		// A linearizable read, so that the member has applied the put.
		_, err = pb.NewKVClient(conn).Range(u.ctx, &pb.RangeRequest{Key: []byte(u.key("last"))})
		u.must(err)
		request := &pb.HashKVRequest{Revision: put.Header.Revision}
		hash, err := pb.NewMaintenanceClient(conn).HashKV(u.ctx, request)
		u.must(err)
		hashes[hash.Hash] = append(hashes[hash.Hash], member.Name())
	}
	if len(hashes) != 1 {
		t.Errorf("members disagree: %v", hashes)
	}
}
