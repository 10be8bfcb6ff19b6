package probe

import (
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"detcd/checker/etcd"
)

// candidate stands for election as etcd's clients do: with a key under a lease; the oldest key
// leads. Whoever leads proclaims something in its key, fenced by the revision that made it, and
// resigns or dies. In between everybody looks who leads.
type candidate struct {
	client *client
	made   int64
}

func newElection(c *client) script { return &candidate{client: c} }

// proclaimsMax is how often a leader speaks at most.
const proclaimsMax = 5

func (e *candidate) step() {
	c := e.client
	election := fmt.Sprintf("election/%d/", c.random.IntN(max(1, c.probe.options.Keys/2)))
	if c.chance(50) { // an observer
		request := oldest(election)
		request.Serializable = c.chance(30)
		c.do(request)
		return
	}
	e.made++
	lease := 1<<61 | c.number<<32 | e.made
	if c.do(&pb.LeaseGrantRequest{ID: lease, TTL: 2 + c.random.Int64N(3)}) == nil {
		return
	}
	mine := fmt.Sprintf("%s%x", election, lease)
	stand := put(mine, c.value())
	stand.Lease = lease
	answer := c.do(&pb.TxnRequest{Compare: []*pb.Compare{created(mine, 0)},
		Success: ops(stand), Failure: ops(get(mine))})
	if answer == nil || !answer.Succeeded {
		return
	}
	if seen := c.waitFirst(election, mine, lease); seen > 0 {
		e.lead(election, stand, answer.Revision, seen)
	}
}

// lead speaks while it is not deposed, and then resigns, or leaves the end to the lease.
func (e *candidate) lead(election string, stand *pb.PutRequest, fence, seen int64) {
	c, mine := e.client, string(stand.Key)
	belief := etcd.Operation{Client: c.number, Call: c.probe.now(),
		Request: etcd.Request{Ask: &etcd.Held{Lock: etcd.Bytes(election), Key: etcd.Bytes(mine),
			Create: fence, Guards: etcd.Bytes(mine)}},
		Response: &etcd.Response{Revision: seen}}
	for range 1 + c.random.IntN(proclaimsMax) {
		if c.chance(dozes) {
			c.rest(doze)
		}
		word := put(mine, c.value())
		word.Lease = stand.Lease
		answer := c.do(&pb.TxnRequest{Compare: []*pb.Compare{created(mine, fence)},
			Success: ops(word), Failure: ops(get(mine))})
		if answer != nil && !answer.Succeeded {
			break // it was deposed
		}
	}
	if c.chance(50) {
		c.do(&pb.TxnRequest{Compare: []*pb.Compare{created(mine, fence)}, Success: ops(remove(mine))})
	}
	belief.Return = c.probe.now()
	c.record(&belief)
}
