package sim

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"
)

// holder is the part of a client that holds a lease: it is granted one, ties a key to it, takes a
// lock with it, keeps it alive for a while, and revokes it or lets it expire.
type holder struct {
	client *client
	id     int64 // 0: none
	ttl    int64
	renew  int // times more
	locked int64
}

// leaseRecord is what the judge knows of a lease: how much each member's clock read when the last
// renewal that was acknowledged had been asked for.
type leaseRecord struct {
	ttl      int64
	readings map[int]int64
	revoked  bool // on request: nothing is promised any more
}

func newHolder(c *client) *holder {
	h := &holder{client: c}
	c.world.after(between(c.random, 0, 3*time.Second), h.act)
	return h
}

func (h *holder) later(low, high time.Duration) {
	if !h.client.world.resting {
		h.client.world.after(between(h.client.random, low, high), h.act)
	}
}

func (h *holder) act() {
	h.client.reseed()
	switch {
	case h.client.world.resting:
	case h.id == 0:
		h.grant()
	case h.client.chance(20):
		h.grantAgain()
	case h.renew > 0:
		h.renew--
		h.keepAlive()
	case h.client.chance(3):
		h.revoke()
	default:
		h.look()
	}
}

// readings returns what all clocks read now.
func (w *world) readings() map[int]int64 {
	readings := make(map[int]int64, len(w.members))
	for _, m := range w.members {
		readings[m.number] = m.clock.read(w.now)
	}
	return readings
}

func (h *holder) grant() {
	c := h.client
	r := &pb.LeaseGrantRequest{TTL: 1 + c.random.Int64N(5)}
	if c.chance(2) {
		r.ID = 1 + c.random.Int64N(1<<40)
	}
	readings := c.world.readings()
	c.do(r, func(o *operation) {
		response, ok := o.response.(*pb.LeaseGrantResponse)
		if !ok || o.err != nil {
			h.later(100*time.Millisecond, 2*time.Second)
			return
		}
		h.id, h.ttl, h.renew = response.ID, response.TTL, c.random.IntN(8)
		c.world.judge.leases[h.id] = &leaseRecord{ttl: h.ttl, readings: readings}
		h.use()
	})
}

// grantAgain asks for a lease under an ID that is taken. If it is given, the old one had ended; of
// the new one nothing is promised.
func (h *holder) grantAgain() {
	c := h.client
	c.do(&pb.LeaseGrantRequest{ID: h.id, TTL: h.ttl}, func(o *operation) {
		if o.err == nil {
			c.world.judge.leases[h.id] = &leaseRecord{revoked: true}
			h.gone()
			return
		}
		h.later(100*time.Millisecond, time.Second)
	})
}

// use ties a key to the lease and tries to take the lock with it.
func (h *holder) use() {
	c := h.client
	mine := &pb.PutRequest{Key: fmt.Appendf(nil, "lease/%d", c.number), Value: c.value(), Lease: h.id}
	c.reseed()
	c.do(mine, func(*operation) {
		c.reseed()
		lock := []byte("lock")
		take := &pb.PutRequest{Key: lock, Value: c.value(), Lease: h.id}
		c.do(&pb.TxnRequest{
			Compare: []*pb.Compare{{Key: lock, Target: pb.Compare_CREATE}},
			Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestPut{RequestPut: take}}},
		}, func(o *operation) {
			if response, ok := o.response.(*pb.TxnResponse); ok && response.Succeeded {
				h.locked = response.Header.Revision
			}
			h.campaign()
		})
	})
}

// candidates is where those who stand for election have their keys; the oldest of them leads.
const candidates = "candidate/"

// campaign stands for election, as clients of etcd do: with a key that lives as long as the lease,
// made only if it is not there. Whoever has the oldest key leads, and says so, fenced by that key.
func (h *holder) campaign() {
	c := h.client
	c.reseed()
	mine := fmt.Appendf(nil, "%s%d", candidates, c.number)
	stand := &pb.PutRequest{Key: mine, Value: c.value(), Lease: h.id}
	c.do(&pb.TxnRequest{
		Compare: []*pb.Compare{{Key: mine, Target: pb.Compare_CREATE}},
		Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestPut{RequestPut: stand}}},
	}, func(*operation) {
		c.reseed()
		end := append([]byte(candidates[:len(candidates)-1]), candidates[len(candidates)-1]+1)
		oldest := &pb.RangeRequest{Key: []byte(candidates), RangeEnd: end, Limit: 1,
			SortOrder: pb.RangeRequest_ASCEND, SortTarget: pb.RangeRequest_CREATE}
		c.do(oldest, func(o *operation) {
			r, ok := o.response.(*pb.RangeResponse)
			if !ok || o.err != nil || len(r.Kvs) == 0 || !bytes.Equal(r.Kvs[0].Key, mine) {
				h.later(100*time.Millisecond, time.Second)
				return
			}
			h.proclaim(r.Kvs[0])
		})
	})
}

// proclaim is what only the leader writes: it holds only while the leader's key is the same.
func (h *holder) proclaim(key *mvccpb.KeyValue) {
	c := h.client
	c.reseed()
	word := &pb.PutRequest{Key: []byte("leader"), Value: c.value()}
	c.do(&pb.TxnRequest{
		Compare: []*pb.Compare{{Key: key.Key, Target: pb.Compare_CREATE,
			TargetUnion: &pb.Compare_CreateRevision{CreateRevision: key.CreateRevision}}},
		Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestPut{RequestPut: word}}},
	}, func(o *operation) {
		r, ok := o.response.(*pb.TxnResponse)
		if ok && o.err == nil && r.Succeeded {
			c.world.judge.proclaimed(c.number, key, r.Header.Revision)
		}
		h.later(100*time.Millisecond, time.Second)
	})
}

// proclaimed judges a leader's word: when it was written, no older candidate was there.
func (j *judge) proclaimed(client int, key *mvccpb.KeyValue, revision int64) {
	for _, other := range slices.Sorted(maps.Keys(j.history.latest)) {
		e := j.history.latest[other]
		for e != nil && e.Kv.ModRevision >= revision {
			e = j.history.before[e]
		}
		if strings.HasPrefix(other, candidates) && e != nil && e.Type == mvccpb.Event_PUT &&
			e.Kv.CreateRevision < key.CreateRevision {
			j.fail("client %d led at revision %d with a key of revision %d, and %s was older",
				client, revision, key.CreateRevision, other)
		}
	}
}

// guarded writes under the lock, fenced by the revision that took it.
func (h *holder) guarded() proto.Message {
	write := &pb.PutRequest{Key: []byte("guarded"), Value: h.client.value()}
	return &pb.TxnRequest{
		Compare: []*pb.Compare{{Key: []byte("lock"), Target: pb.Compare_CREATE,
			TargetUnion: &pb.Compare_CreateRevision{CreateRevision: h.locked}}},
		Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestPut{RequestPut: write}}},
	}
}

func (h *holder) keepAlive() {
	c := h.client
	readings := c.world.readings()
	c.do(&pb.LeaseKeepAliveRequest{ID: h.id}, func(o *operation) {
		response, ok := o.response.(*pb.LeaseKeepAliveResponse)
		switch {
		case !ok || o.err != nil:
			c.turn()
		case response.TTL <= 0:
			h.gone()
			return
		default:
			if record := c.world.judge.leases[h.id]; record != nil {
				record.readings = readings
			}
		}
		pace := time.Duration(h.ttl) * time.Second / 3
		if h.locked > 0 && c.chance(2) {
			c.reseed()
			c.do(h.guarded(), func(*operation) { h.later(pace/2, pace) })
			return
		}
		h.later(pace/2, pace)
	})
}

func (h *holder) revoke() {
	c := h.client
	if record := c.world.judge.leases[h.id]; record != nil {
		record.revoked = true
	}
	c.do(&pb.LeaseRevokeRequest{ID: h.id}, func(o *operation) {
		if o.err == nil && !o.undecided {
			h.gone()
			return
		}
		h.later(100*time.Millisecond, time.Second)
	})
}

// look waits for the lease to expire.
func (h *holder) look() {
	h.client.do(&pb.LeaseTimeToLiveRequest{ID: h.id, Keys: true}, func(o *operation) {
		response, ok := o.response.(*pb.LeaseTimeToLiveResponse)
		if ok && o.err == nil && response.TTL < 0 {
			h.gone()
			return
		}
		h.later(200*time.Millisecond, 2*time.Second)
	})
}

func (h *holder) gone() {
	h.id, h.locked = 0, 0
	h.later(100*time.Millisecond, 3*time.Second)
}

// expired judges the end of a lease: not before its time to live has passed on the clock of the
// leader that ends it, counted from when that member began to lead or, if that was later, from the
// last renewal that was acknowledged. That leader found it due: the claim of one that was deposed
// is void.
func (j *judge) expired(m *member, id int64) {
	record := j.leases[id]
	if record == nil || record.revoked {
		return
	}
	term := m.replica.Status().AppliedTerm
	claim, ok := j.claims[claimed{term, id}]
	if !ok {
		j.fail("lease %d was ended in term %d, and member %d, who led then, had not found it due", id,
			term, j.leaders[term])
		return
	}
	delete(j.leases, id)
	leader := j.leaders[term]
	start := max(claim.ledAt, record.readings[leader])
	passed := time.Duration(claim.now - start)
	if passed < time.Duration(record.ttl)*time.Second {
		j.fail("member %d ended lease %d %v after its last renewal or the election: it lives %d s",
			leader, id, passed, record.ttl)
	}
}
