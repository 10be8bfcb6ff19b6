package probe

import (
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// lessee grants leases, attaches keys, renews some and revokes some; others run out. Everybody
// reads the keys of everybody, which must not go before their time.
type lessee struct {
	client *client
	leases []int64 // that may live
	made   int64
}

func newLease(c *client) script { return &lessee{client: c} }

// leasesMax is how many leases a client has at a time.
const leasesMax = 4

func (l *lessee) step() {
	c := l.client
	if len(l.leases) == 0 || len(l.leases) < leasesMax && c.chance(15) {
		l.grant()
		return
	}
	n := c.random.IntN(len(l.leases))
	id := l.leases[n]
	switch roll := c.random.IntN(100); {
	case roll < 25:
		l.attach(id)
	case roll < 45:
		if answer := c.do(&pb.LeaseKeepAliveRequest{ID: id}); answer != nil && answer.Lease.TTL <= 0 {
			l.forget(n)
		}
	case roll < 55:
		answer := c.do(&pb.LeaseTimeToLiveRequest{ID: id, Keys: c.chance(50)})
		if answer != nil && answer.Lease.TTL <= 0 {
			l.forget(n)
		}
	case roll < 65:
		c.do(&pb.LeaseRevokeRequest{ID: id})
		l.forget(n)
	case roll < 70:
		l.forget(n) // it runs out
	case roll < 75:
		c.do(&pb.LeaseLeasesRequest{})
	default:
		request := under("lease/")
		request.Serializable = c.chance(20)
		c.do(request)
	}
}

// grant makes a lease with a number that only this client uses, so that one whose answer was lost
// is known all the same. Sometimes it asks for one that exists.
func (l *lessee) grant() {
	c := l.client
	if !c.chance(3) {
		l.made++
	}
	id := c.number<<32 | l.made
	c.do(&pb.LeaseGrantRequest{ID: id, TTL: 1 + c.random.Int64N(5)})
	l.leases = append(l.leases, id) // also if the answer was lost
}

// attach puts a key with a lease, its own or one that all share.
func (l *lessee) attach(id int64) {
	c := l.client
	key := fmt.Sprintf("lease/%d", c.random.IntN(c.probe.options.Keys))
	if c.chance(50) {
		key = fmt.Sprintf("lease/%x/%d", id, c.random.IntN(3))
	}
	request := put(key, c.value())
	request.Lease = id
	if c.chance(10) {
		request.Lease = 0 // this takes the key from its lease
	}
	c.do(request)
}

// forget leaves a lease to itself.
func (l *lessee) forget(n int) {
	l.leases[n] = l.leases[len(l.leases)-1]
	l.leases = l.leases[:len(l.leases)-1]
}
