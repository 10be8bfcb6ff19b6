package clienttest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"detcd/cmd/detcd/testbed"
	"detcd/faults/nemesis"
)

// disturbances are scenarios that do something to the members. They run one after the other and
// leave the cluster whole.
func disturbances(members int) []scenario {
	all := []scenario{{"every member killed", everyMemberKilled}}
	if members > 1 {
		all = append(all,
			scenario{"leader killed", leaderKilled},
			scenario{"leader paused", leaderPaused},
			scenario{"follower behind", followerBehind},
			scenario{"lease and leader", leaseSurvivesLeader},
		)
	}
	return all
}

// A writer puts keys one after the other and remembers which were acknowledged.
type writer struct {
	mu    sync.Mutex
	acked []string
	stop  chan struct{}
	done  chan struct{}
}

// write begins to write keys.
func (u *user) write() *writer {
	client := u.client()
	w := &writer{stop: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(w.done)
		for i := 0; ; i++ {
			select {
			case <-w.stop:
				return
			default:
			}
			key := u.key(fmt.Sprintf("w%06d", i))
			ctx, cancel := context.WithTimeout(u.ctx, time.Second)
			_, err := client.Put(ctx, key, "v")
			cancel()
			if err == nil {
				w.mu.Lock()
				w.acked = append(w.acked, key)
				w.mu.Unlock()
			}
		}
	}()
	return w
}

// count returns how many were acknowledged.
func (w *writer) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.acked)
}

// awaitMore waits until n more writes are acknowledged.
func (u *user) awaitMore(w *writer, n int) {
	u.t.Helper()
	for goal := w.count() + n; w.count() < goal; {
		select {
		case <-u.ctx.Done():
			u.t.Fatalf("%d writes, want %d", w.count(), goal)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// finish stops the writer and checks that everything acknowledged is there.
func (u *user) finish(w *writer) {
	u.t.Helper()
	close(w.stop)
	<-w.done
	got, err := u.client().Get(u.ctx, u.prefix, clientv3.WithPrefix(), clientv3.WithKeysOnly())
	u.must(err)
	there := map[string]bool{}
	for _, kv := range got.Kvs {
		there[string(kv.Key)] = true
	}
	for _, key := range w.acked {
		if !there[key] {
			u.t.Errorf("%s was acknowledged and is lost", key)
		}
	}
}

// leader returns the member that leads.
func (u *user) leader() *nemesis.Member {
	u.t.Helper()
	leader, err := u.cluster.Leader(u.ctx)
	u.must(err)
	return leader
}

// restart starts a member again and waits until it serves.
func (u *user) restart(member *nemesis.Member) {
	u.t.Helper()
	u.must(member.Start())
	u.must(member.WaitReady(u.ctx))
}

func everyMemberKilled(_ *testing.T, u *user) {
	w := u.write()
	u.awaitMore(w, 20)
	for _, member := range u.cluster.Members() {
		u.must(member.Kill())
	}
	for _, member := range u.cluster.Members() {
		u.must(member.Start())
	}
	u.must(u.cluster.WaitReady(u.ctx))
	u.awaitMore(w, 20)
	u.finish(w)
}

func leaderKilled(_ *testing.T, u *user) {
	w := u.write()
	u.awaitMore(w, 20)
	leader := u.leader()
	u.must(leader.Kill())
	u.awaitMore(w, 20)
	u.restart(leader)
	u.awaitMore(w, 20)
	u.finish(w)
}

// leaderPaused stops the leader until there is another, and lets it go on. What it answers then may
// not be older than what was acknowledged meanwhile.
func leaderPaused(t *testing.T, u *user) {
	old := u.leader()
	u.must(old.Pause())
	var others []string
	for _, member := range u.cluster.Members() {
		if member != old {
			others = append(others, member.Endpoint())
		}
	}
	client := testbed.Client(t, others...)
	for acknowledged := false; !acknowledged; { // the others have to elect first
		ctx, cancel := context.WithTimeout(u.ctx, time.Second)
		_, err := client.Put(ctx, u.key("k"), "new")
		cancel()
		u.must(u.ctx.Err())
		acknowledged = err == nil
	}
	u.must(old.Resume())
	got, err := testbed.Client(t, old.Endpoint()).Get(u.ctx, u.key("k"))
	u.must(err)
	if got.Count != 1 || string(got.Kvs[0].Value) != "new" {
		t.Errorf("the old leader answers %v", got.Kvs)
	}
}

// followerBehind kills a follower, writes, and sees that it catches up.
func followerBehind(_ *testing.T, u *user) {
	leader := u.leader()
	var follower *nemesis.Member
	for _, member := range u.cluster.Members() {
		if member != leader {
			follower = member
		}
	}
	u.must(follower.Kill())
	w := u.write()
	u.awaitMore(w, 200)
	u.restart(follower)
	u.finish(w)
}

// leaseSurvivesLeader shows that a lease does not end early because the leader does.
func leaseSurvivesLeader(t *testing.T, u *user) {
	client, start := u.client(), time.Now()
	granted, err := client.Grant(u.ctx, 4)
	u.must(err)
	put, err := client.Put(u.ctx, u.key("k"), "v", clientv3.WithLease(granted.ID))
	u.must(err)
	watch := client.Watch(u.ctx, u.key("k"), clientv3.WithRev(put.Header.Revision+1))
	leader := u.leader()
	u.must(leader.Kill())
	u.next(watch, 1)
	if lived := time.Since(start); lived < 4*time.Second {
		t.Errorf("the lease of 4 s lived for %v", lived)
	}
	u.restart(leader)
}
