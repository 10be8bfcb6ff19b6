package clienttest

import (
	"fmt"
	"testing"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"detcd/cmd/detcd/testbed"
)

// next returns the next events of a watch, until there are n.
func (u *user) next(watch clientv3.WatchChan, n int) []*clientv3.Event {
	u.t.Helper()
	var events []*clientv3.Event
	for len(events) < n {
		select {
		case response, open := <-watch:
			if !open || response.Err() != nil {
				u.t.Fatalf("the watch ended after %d of %d events: %v", len(events), n, response.Err())
			}
			events = append(events, response.Events...)
		case <-u.ctx.Done():
			u.t.Fatalf("%d of %d events", len(events), n)
		}
	}
	return events
}

func watchFromThePast(t *testing.T, u *user) {
	client, key := u.client(), u.key("k")
	first, err := client.Put(u.ctx, key, "1")
	u.must(err)
	_, err = client.Put(u.ctx, key, "2")
	u.must(err)
	watch := client.Watch(u.ctx, key, clientv3.WithRev(first.Header.Revision), clientv3.WithPrevKV())
	_, err = client.Delete(u.ctx, key)
	u.must(err)
	_, err = client.Put(u.ctx, key, "3")
	u.must(err)

	var told []string
	for _, event := range u.next(watch, 4) {
		told = append(told, fmt.Sprintf("%s %s<-%s", event.Type, event.Kv.Value, event.PrevKv.GetValue()))
	}
	want := []string{"PUT 1<-", "PUT 2<-1", "DELETE <-2", "PUT 3<-"}
	if fmt.Sprint(told) != fmt.Sprint(want) {
		t.Errorf("told %q, want %q", told, want)
	}
}

// watchThroughAnyMember opens a watch at every member and writes through every member.
func watchThroughAnyMember(t *testing.T, u *user) {
	endpoints := u.cluster.Endpoints()
	var watches []clientv3.WatchChan
	for _, endpoint := range endpoints {
		watch := testbed.Client(t, endpoint).
			Watch(u.ctx, u.prefix, clientv3.WithPrefix(), clientv3.WithCreatedNotify())
		<-watch
		watches = append(watches, watch)
	}
	const rounds = 10
	for i := range rounds {
		for j, endpoint := range endpoints {
			_, err := testbed.Client(t, endpoint).Put(u.ctx, u.key(fmt.Sprint(i, j)), "v")
			u.must(err)
		}
	}
	var first []*clientv3.Event
	for i, watch := range watches {
		events := u.next(watch, rounds*len(endpoints))
		if i == 0 {
			first = events
		}
		for n, event := range events {
			if event.Type != mvccpb.Event_PUT || event.Kv.ModRevision != first[n].Kv.ModRevision {
				t.Fatalf("member %d: event %d is %v, but %v", i+1, n, event, first[n])
			}
		}
	}
}

func watchProgress(t *testing.T, u *user) {
	client := u.client()
	watch := client.Watch(u.ctx, u.prefix, clientv3.WithPrefix(), clientv3.WithCreatedNotify())
	<-watch
	put, err := client.Put(u.ctx, "elsewhere "+u.prefix, "v")
	u.must(err)
	u.must(client.RequestProgress(u.ctx))
	for {
		select {
		case response := <-watch:
			if response.IsProgressNotify() && response.Header.Revision >= put.Header.Revision {
				return
			}
		case <-u.ctx.Done():
			t.Fatal("no progress was told")
		}
		u.must(client.RequestProgress(u.ctx)) // a member that is behind tells of less
	}
}
