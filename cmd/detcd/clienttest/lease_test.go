package clienttest

import (
	"errors"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// leaseTTL is long enough for a busy machine to put a key, or to renew the lease, in time.
const leaseTTL = 5 * time.Second

// leaseExpires waits until a lease ends by itself, and not before its time.
func leaseExpires(t *testing.T, u *user) {
	client, start := u.client(), time.Now()
	granted, err := client.Grant(u.ctx, int64(leaseTTL.Seconds()))
	u.must(err)
	_, err = client.Put(u.ctx, u.key("a"), "v", clientv3.WithLease(granted.ID))
	u.must(err)
	put, err := client.Put(u.ctx, u.key("b"), "v", clientv3.WithLease(granted.ID))
	u.must(err)
	watch := client.Watch(u.ctx, u.prefix, clientv3.WithPrefix(),
		clientv3.WithRev(put.Header.Revision+1))
	events := u.next(watch, 2)
	if lived := time.Since(start); lived < leaseTTL {
		t.Errorf("the lease of %v lived for %v", leaseTTL, lived)
	}
	for _, event := range events {
		if event.Type != mvccpb.Event_DELETE || event.Kv.ModRevision != events[0].Kv.ModRevision {
			t.Errorf("not one revision of deletions: %v", events)
		}
	}
	_, err = client.Put(u.ctx, u.key("c"), "v", clientv3.WithLease(granted.ID))
	if !errors.Is(err, rpctypes.ErrLeaseNotFound) {
		t.Errorf("a put with the lease: %v", err)
	}
}

// leaseKeptAlive keeps a lease for twice its time, then revokes it.
func leaseKeptAlive(t *testing.T, u *user) {
	client := u.client()
	granted, err := client.Grant(u.ctx, int64(leaseTTL.Seconds()))
	u.must(err)
	_, err = client.Put(u.ctx, u.key("a"), "v", clientv3.WithLease(granted.ID))
	u.must(err)
	answers, err := client.KeepAlive(u.ctx, granted.ID)
	u.must(err)
	for deadline := time.After(2 * leaseTTL); ; {
		select {
		case answer, open := <-answers:
			if !open {
				t.Fatal("the lease was lost while it was kept alive")
			}
			if answer.TTL != int64(leaseTTL.Seconds()) {
				t.Errorf("kept alive for %d s", answer.TTL)
			}
			continue
		case <-deadline:
		}
		break
	}
	left, err := client.TimeToLive(u.ctx, granted.ID, clientv3.WithAttachedKeys())
	u.must(err)
	if left.TTL < 0 || len(left.Keys) != 1 { // 0: less than a second is left
		t.Errorf("the lease has %d s and the keys %q", left.TTL, left.Keys)
	}
	_, err = client.Revoke(u.ctx, granted.ID)
	u.must(err)
	got, err := client.Get(u.ctx, u.key("a"))
	u.must(err)
	if got.Count != 0 {
		t.Error("the key is there after the lease was revoked")
	}
}
