package probe

import (
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// locker takes locks as etcd's clients do: a key of its own under a lease, with the lowest create
// revision of all. Who has the lock writes what it guards in a transaction that compares that
// revision: a fence, which holds also when the lease ran out and nobody told.
type locker struct {
	client *client
	made   int64
}

func newLock(c *client) script { return &locker{client: c} }

// What a locker does at most: times to ask whether the lock is free, and writes under it.
const (
	lockAsks   = 20
	lockWrites = 4
)

func (l *locker) step() {
	c := l.client
	l.made++
	lease := 1<<62 | c.number<<32 | l.made
	if c.do(&pb.LeaseGrantRequest{ID: lease, TTL: 2 + c.random.Int64N(3)}) == nil {
		return
	}
	lock := fmt.Sprintf("lock/%d/", c.random.IntN(max(1, c.probe.options.Keys/4)))
	mine := fmt.Sprintf("%s%x", lock, lease)
	enter := put(mine, "")
	enter.Lease = lease
	answer := c.do(&pb.TxnRequest{Compare: []*pb.Compare{created(mine, 0)},
		Success: ops(enter), Failure: ops(get(mine))})
	if answer != nil && answer.Succeeded && l.wait(lock, mine, lease) {
		l.work(lock, mine, answer.Revision)
	}
	if c.chance(80) { // else its holder dies, and the lease ends it
		c.do(&pb.LeaseRevokeRequest{ID: lease})
	}
}

// wait asks who is first until it is this one.
func (l *locker) wait(lock, mine string, lease int64) bool {
	c := l.client
	for range lockAsks {
		request := under(lock)
		request.SortTarget, request.Limit = pb.RangeRequest_CREATE, 1
		answer := c.do(request)
		if answer == nil {
			continue
		}
		if string(first(answer).Key) == mine {
			return true
		}
		if c.chance(30) {
			c.do(&pb.LeaseKeepAliveRequest{ID: lease})
		}
	}
	return false
}

// work writes what the lock guards, as long as the lock is held.
func (l *locker) work(lock, mine string, fence int64) {
	c := l.client
	guarded := "guarded/" + lock
	for range 1 + c.random.IntN(lockWrites) {
		answer := c.do(&pb.TxnRequest{
			Compare: []*pb.Compare{created(mine, fence)},
			Success: ops(get(guarded), put(guarded, fmt.Sprintf("%d %s", fence, c.value()))),
			Failure: ops(get(mine), get(guarded)),
		})
		if answer != nil && !answer.Succeeded {
			return
		}
	}
}
