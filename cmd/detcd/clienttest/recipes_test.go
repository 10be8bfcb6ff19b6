package clienttest

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	recipe "go.etcd.io/etcd/client/v3/experimental/recipes"
	"go.etcd.io/etcd/client/v3/kubernetes"
	"go.etcd.io/etcd/client/v3/leasing"
	"golang.org/x/sync/errgroup"
)

// readersAndWriters has several clients hold a lock to read or to write: a writer is alone.
func readersAndWriters(t *testing.T, u *user) {
	var readers, writers atomic.Int64
	var group errgroup.Group
	for i := range 4 {
		lock := recipe.NewRWMutex(u.session(), u.key("lock"))
		group.Go(func() error {
			for range 3 {
				mine, enter, leave := &readers, lock.RLock, lock.RUnlock
				if i == 0 {
					mine, enter, leave = &writers, lock.Lock, lock.Unlock
				}
				if err := enter(); err != nil {
					return err
				}
				mine.Add(1)
				time.Sleep(5 * time.Millisecond)
				if n := writers.Load(); n > 1 || n > 0 && readers.Load() > 0 {
					return fmt.Errorf("%d writers beside %d readers", n, readers.Load())
				}
				mine.Add(-1)
				if err := leave(); err != nil {
					return err
				}
			}
			return nil
		})
	}
	u.must(group.Wait())
}

// barrier keeps somebody waiting until it is released.
func barrier(t *testing.T, u *user) {
	held := recipe.NewBarrier(u.client(), u.key("barrier"))
	u.must(held.Hold())
	if err := held.Hold(); err == nil {
		t.Error("a barrier is held twice")
	}
	var released atomic.Bool
	var group errgroup.Group
	waiting := recipe.NewBarrier(u.client(), u.key("barrier"))
	group.Go(func() error {
		if err := waiting.Wait(); err != nil {
			return err
		}
		if !released.Load() {
			return fmt.Errorf("passed before it was released")
		}
		return nil
	})
	time.Sleep(200 * time.Millisecond)
	released.Store(true)
	u.must(held.Release())
	u.must(group.Wait())
}

// priorityQueue takes out what is most urgent, and what came first of what is equally so.
func priorityQueue(t *testing.T, u *user) {
	in := recipe.NewPriorityQueue(u.client(), u.key("queue"))
	for _, item := range []struct {
		name     string
		priority uint16
	}{{"late", 9}, {"first", 1}, {"second", 1}, {"third", 5}} {
		u.must(in.Enqueue(item.name, item.priority))
	}
	out := recipe.NewPriorityQueue(u.client(), u.key("queue"))
	for _, want := range []string{"first", "second", "third", "late"} {
		if got, err := out.Dequeue(); err != nil || got != want {
			t.Fatalf("took %q, %v; want %q", got, err, want)
		}
	}
}

// keysOnLoan has two clients that keep what they read until the other one wants to change it.
func keysOnLoan(t *testing.T, u *user) {
	var clients [2]clientv3.KV
	for i := range clients {
		kv, end, err := leasing.NewKV(u.client(), u.key("loans/"))
		u.must(err)
		defer end()
		clients[i] = kv
	}
	key := u.key("key")
	for round := range 6 {
		writer, reader := clients[round%2], clients[(round+1)%2]
		_, err := writer.Put(u.ctx, key, fmt.Sprint(round))
		u.must(err)
		for range 3 {
			got, err := reader.Get(u.ctx, key)
			u.must(err)
			if len(got.Kvs) != 1 || string(got.Kvs[0].Value) != fmt.Sprint(round) {
				t.Fatalf("round %d: read %v", round, got.Kvs)
			}
		}
	}
	if _, err := clients[0].Delete(u.ctx, key); err != nil {
		t.Fatal(err)
	}
	if got, err := clients[1].Get(u.ctx, key); err != nil || len(got.Kvs) > 0 {
		t.Errorf("read after the delete: %v, %v", got, err)
	}
}

// theKubernetesInterface does what an API server does: it creates, updates and deletes what is as
// it was last seen, and lists pages of one revision.
func theKubernetesInterface(t *testing.T, u *user) {
	k, err := kubernetes.New(clientv3.Config{Endpoints: u.cluster.Endpoints()})
	u.must(err)
	defer k.Close()
	name := func(i int) string { return u.key(fmt.Sprint("pods/", i)) }
	var revision int64
	for i := range 5 {
		made, err := k.OptimisticPut(u.ctx, name(i), []byte("new"), 0, kubernetes.PutOptions{})
		u.must(err)
		if !made.Succeeded || made.Revision <= revision {
			t.Fatalf("create %d: %+v", i, made)
		}
		revision = made.Revision
	}
	again, err := k.OptimisticPut(u.ctx, name(0), []byte("x"), 0,
		kubernetes.PutOptions{GetOnFailure: true})
	u.must(err)
	if again.Succeeded || again.KV == nil || string(again.KV.Value) != "new" {
		t.Errorf("created twice: %+v", again)
	}
	first, err := k.List(u.ctx, u.key("pods/"), kubernetes.ListOptions{Limit: 3})
	u.must(err)
	gone, err := k.OptimisticDelete(u.ctx, name(4), revision, kubernetes.DeleteOptions{})
	u.must(err)
	stale, err := k.OptimisticDelete(u.ctx, name(0), 1, kubernetes.DeleteOptions{GetOnFailure: true})
	u.must(err)
	if !gone.Succeeded || stale.Succeeded || stale.KV == nil {
		t.Errorf("deleted: %+v, with an old revision %+v", gone, stale)
	}
	rest, err := k.List(u.ctx, u.key("pods/"), kubernetes.ListOptions{
		Limit: 3, Continue: string(first.Kvs[2].Key) + "\x00", Revision: first.Revision})
	u.must(err)
	if len(first.Kvs) != 3 || first.Count != 5 || len(rest.Kvs) != 2 || rest.Count != 2 {
		t.Errorf("pages of %d of %d and %d of %d", len(first.Kvs), first.Count, len(rest.Kvs),
			rest.Count)
	}
	if n, err := k.Count(u.ctx, u.key("pods/"), kubernetes.CountOptions{}); err != nil || n != 4 {
		t.Errorf("counted %d, %v", n, err)
	}
}
