package probe

import (
	"fmt"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"detcd/checker/etcd"
)

// locker takes locks as etcd's clients do: a key of its own under a lease, with the lowest create
// revision of all. Who has the lock writes what it guards in a transaction that compares that
// revision: a fence, which holds also when the lease ran out and nobody told. Without a fence this
// is the lock that is not safe: its holder writes whatever time it is.
type locker struct {
	client *client
	fenced bool
	made   int64
}

func newLock(c *client) script       { return &locker{client: c, fenced: true} }
func newUnsafeLock(c *client) script { return &locker{client: c} }

// What a locker does at most: times to ask whether the lock is free, and writes under it.
const (
	lockAsks   = 100
	lockWrites = 4
)

// dozes are how many holders of a hundred do nothing for longer than their lease lives before they
// write; doze is how long.
const (
	dozes = 3
	doze  = 5 * time.Second
)

func (l *locker) step() {
	c := l.client
	l.made++
	lease := 1<<62 | c.number<<32 | l.made
	if c.do(&pb.LeaseGrantRequest{ID: lease, TTL: 2 + c.random.Int64N(3)}) == nil {
		return
	}
	lock := fmt.Sprintf("lock/%d/", c.random.IntN(max(1, c.probe.options.Keys/2)))
	mine := fmt.Sprintf("%s%x", lock, lease)
	enter := put(mine, "")
	enter.Lease = lease
	answer := c.do(&pb.TxnRequest{Compare: []*pb.Compare{created(mine, 0)},
		Success: ops(enter), Failure: ops(get(mine))})
	if answer != nil && answer.Succeeded {
		if seen := c.waitFirst(lock, mine, lease); seen > 0 {
			l.hold(&etcd.Held{Lock: etcd.Bytes(lock), Key: etcd.Bytes(mine), Create: answer.Revision,
				Guards: etcd.Bytes("guarded/" + lock)}, seen)
		}
	}
	if c.chance(90) { // else its holder dies, and the lease ends it
		c.do(&pb.LeaseRevokeRequest{ID: lease})
	}
}

// waitFirst asks who is first of those with a prefix until it is this one: at the revision that is
// returned. 0: it had no patience.
func (c *client) waitFirst(prefix, mine string, lease int64) int64 {
	for range lockAsks {
		request := oldest(prefix)
		answer := c.do(request)
		if answer == nil {
			continue
		}
		if string(first(answer).Key) == mine {
			return answer.Revision
		}
		if c.chance(30) {
			c.do(&pb.LeaseKeepAliveRequest{ID: lease})
		}
	}
	return 0
}

// hold records for how long the client believes to hold a lock, and works meanwhile.
func (l *locker) hold(held *etcd.Held, seen int64) {
	c := l.client
	belief := etcd.Operation{Client: c.number, Call: c.probe.now(),
		Request: etcd.Request{Ask: held}, Response: &etcd.Response{Revision: seen}}
	l.work(string(held.Guards), string(held.Key), held.Create)
	belief.Return = c.probe.now()
	c.record(&belief)
}

// work writes what the lock guards, as long as the lock is held.
func (l *locker) work(guarded, mine string, fence int64) {
	c := l.client
	for range 1 + c.random.IntN(lockWrites) {
		write := put(guarded, fmt.Sprintf("%d %s", fence, c.value()))
		if c.chance(dozes) {
			c.rest(doze)
		}
		if !l.fenced {
			c.do(write)
			continue
		}
		answer := c.do(&pb.TxnRequest{
			Compare: []*pb.Compare{created(mine, fence)},
			Success: ops(get(guarded), write), Failure: ops(get(mine), get(guarded)),
		})
		if answer != nil && !answer.Succeeded {
			return
		}
	}
}
