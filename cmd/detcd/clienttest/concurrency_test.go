package clienttest

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
	recipe "go.etcd.io/etcd/client/v3/experimental/recipes"
	"golang.org/x/sync/errgroup"

	"detcd/cmd/detcd/testbed"
)

// sessionTTL is the time to live of sessions in seconds. A client notices the loss of its lease
// after a third of it.
const sessionTTL = 6

// session returns a session of a client of its own.
func (u *user) session() *concurrency.Session {
	u.t.Helper()
	session, err := concurrency.NewSession(u.client(),
		concurrency.WithContext(u.ctx), concurrency.WithTTL(sessionTTL))
	u.must(err)
	return session
}

// mutex has several clients count, each with a read and a write that nothing but the lock holds
// together.
func mutex(t *testing.T, u *user) {
	const clients, rounds = 4, 8
	var group errgroup.Group
	for range clients {
		session := u.session()
		group.Go(func() error {
			lock := concurrency.NewMutex(session, u.key("lock"))
			for range rounds {
				if err := lock.Lock(u.ctx); err != nil {
					return err
				}
				if err := u.increment(session.Client(), u.key("counter")); err != nil {
					return err
				}
				if err := lock.Unlock(u.ctx); err != nil {
					return err
				}
			}
			return session.Close()
		})
	}
	u.must(group.Wait())
	got, err := u.client().Get(u.ctx, u.key("counter"))
	u.must(err)
	if string(got.Kvs[0].Value) != strconv.Itoa(clients*rounds) {
		t.Errorf("counted %s, want %d", got.Kvs[0].Value, clients*rounds)
	}
}

// increment reads a number and writes it back with one added, in two requests.
func (u *user) increment(client *clientv3.Client, key string) error {
	got, err := client.Get(u.ctx, key)
	if err != nil {
		return err
	}
	number := 0
	if got.Count > 0 {
		if number, err = strconv.Atoi(string(got.Kvs[0].Value)); err != nil {
			return err
		}
	}
	_, err = client.Put(u.ctx, key, strconv.Itoa(number+1))
	return err
}

// mutexOfALostSession shows that a lock is free once its holder's lease is gone.
func mutexOfALostSession(t *testing.T, u *user) {
	first, second := u.session(), u.session()
	u.must(concurrency.NewMutex(first, u.key("lock")).Lock(u.ctx))
	other := concurrency.NewMutex(second, u.key("lock"))
	if err := other.TryLock(u.ctx); err != concurrency.ErrLocked {
		t.Errorf("the lock is held, but: %v", err)
	}
	_, err := second.Client().Revoke(u.ctx, first.Lease())
	u.must(err)
	u.must(other.Lock(u.ctx))
	select {
	case <-first.Done():
	case <-time.After(scenarioTimeout / 2):
		t.Error("the first holder was not told that its session is over")
	}
}

// election has one leader after the other, and somebody who looks on.
func election(t *testing.T, u *user) {
	first := concurrency.NewElection(u.session(), u.key("office"))
	second := concurrency.NewElection(u.session(), u.key("office"))
	u.must(first.Campaign(u.ctx, "first"))
	seen := concurrency.NewElection(u.session(), u.key("office")).Observe(u.ctx)

	won := make(chan error, 1)
	go func() { won <- second.Campaign(u.ctx, "second") }()
	expect := func(value string) {
		t.Helper()
		for response := range seen {
			if string(response.Kvs[0].Value) == value {
				return
			}
		}
		t.Fatalf("never saw %q lead", value)
	}
	expect("first")
	u.must(first.Proclaim(u.ctx, "first again"))
	expect("first again")
	select {
	case err := <-won:
		t.Fatalf("two leaders (%v)", err)
	default:
	}
	u.must(first.Resign(u.ctx))
	u.must(<-won)
	expect("second")
	leader, err := first.Leader(u.ctx)
	u.must(err)
	if string(leader.Kvs[0].Value) != "second" {
		t.Errorf("the leader is %v", leader.Kvs)
	}
}

// transactionalMemory moves money between accounts from several clients at once; none is lost.
func transactionalMemory(t *testing.T, u *user) {
	const accounts, workers, transfers, start = 5, 3, 10, 100
	account := func(n int) string { return u.key(fmt.Sprintf("account %d", n)) }
	client, endpoints := u.client(), u.cluster.Endpoints()
	for n := range accounts {
		_, err := client.Put(u.ctx, account(n), strconv.Itoa(start))
		u.must(err)
	}
	isolations := []concurrency.Isolation{concurrency.SerializableSnapshot, concurrency.Serializable}
	var group errgroup.Group
	for worker := range workers {
		// A serializable transaction reads at one revision, which another member may not have yet.
		client := testbed.Client(t, endpoints[worker%len(endpoints)])
		dice := rand.New(rand.NewPCG(uint64(worker), 1))
		group.Go(func() error {
			for i := range transfers {
				from, to, amount := dice.IntN(accounts), dice.IntN(accounts), dice.IntN(50)
				_, err := concurrency.NewSTM(client, func(stm concurrency.STM) error {
					return move(stm, account(from), account(to), amount)
				}, concurrency.WithIsolation(isolations[i%2]), concurrency.WithAbortContext(u.ctx))
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	u.must(group.Wait())
	got, err := client.Get(u.ctx, u.key("account"), clientv3.WithPrefix())
	u.must(err)
	sum := 0
	for _, kv := range got.Kvs {
		balance, err := strconv.Atoi(string(kv.Value))
		u.must(err)
		sum += balance
	}
	if sum != accounts*start {
		t.Errorf("the accounts hold %d, want %d", sum, accounts*start)
	}
}

// move moves an amount from one account to another.
func move(stm concurrency.STM, from, to string, amount int) error {
	if from == to {
		return nil
	}
	left, err := strconv.Atoi(stm.Get(from))
	if err != nil {
		return err
	}
	right, err := strconv.Atoi(stm.Get(to))
	if err != nil {
		return err
	}
	stm.Put(from, strconv.Itoa(left-amount))
	stm.Put(to, strconv.Itoa(right+amount))
	return nil
}

// queue puts in and takes out from two clients.
func queue(t *testing.T, u *user) {
	in := recipe.NewQueue(u.client(), u.key("queue"))
	out := recipe.NewQueue(u.client(), u.key("queue"))
	const items = 10
	taken := make(chan string, items)
	var group errgroup.Group
	group.Go(func() error {
		for range items {
			item, err := out.Dequeue()
			if err != nil {
				return err
			}
			taken <- item
		}
		return nil
	})
	for i := range items {
		u.must(in.Enqueue(strconv.Itoa(i)))
	}
	u.must(group.Wait())
	for i := range items {
		if item := <-taken; item != strconv.Itoa(i) {
			t.Errorf("item %d is %s", i, item)
		}
	}
}

// doubleBarrier lets nobody in before all are there.
func doubleBarrier(t *testing.T, u *user) {
	const parties = 3
	entered := make(chan bool, parties)
	var group errgroup.Group
	for i := range parties {
		barrier := recipe.NewDoubleBarrier(u.session(), u.key("barrier"), parties)
		group.Go(func() error {
			if i == parties-1 {
				time.Sleep(300 * time.Millisecond)
				if len(entered) > 0 {
					return fmt.Errorf("%d are in before all are there", len(entered))
				}
			}
			if err := barrier.Enter(); err != nil {
				return err
			}
			entered <- true
			return barrier.Leave()
		})
	}
	u.must(group.Wait())
}
