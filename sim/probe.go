package sim

import (
	"fmt"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
)

// proberNumber is the number of the client that measures requests when all is well.
const proberNumber = 9_998

// probeEverywhere asks each voter for one read and one write, one after the other, in a cluster
// that is healthy and at rest: at the leader they cost one round trip between members, at a
// follower two.
func (w *world) probeEverywhere() {
	c := w.makeClient(proberNumber)
	leader := w.leader()
	for _, peer := range leader.replica.Members().Members {
		m := w.memberByID(peer.ID)
		if peer.Learner || m == nil || !m.up() {
			continue
		}
		trips := time.Duration(21)
		if m == leader {
			trips = 11
		}
		c.target = m
		for _, what := range []string{"read", "write"} {
			if !w.probe(c, what, trips) {
				return
			}
		}
	}
}

// probe judges how long one request takes. Trips is in tenths of a round trip; besides them there
// is the way to the client, the write of the log, the commit that somebody else's lease may need,
// and members that look into their inboxes late.
func (w *world) probe(c *client, what string, trips time.Duration) bool {
	v := &w.options.World
	limit := trips*v.roundTrip()/10 + v.roundTrip()/2 + 3*v.syncMax() +
		16*v.duration(ClientDelay) + 6*v.duration(LoopSpan)
	c.patience = limit
	c.reseed()
	var request proto.Message = &pb.RangeRequest{Key: c.key()}
	if what == "write" {
		request = &pb.PutRequest{Key: c.key(), Value: fmt.Appendf(nil, "probe-%d", c.slot)}
	}
	done := false
	c.do(request, func(o *operation) { done = !o.undecided })
	w.until(time.Duration(w.now) + limit)
	if !done && !w.judge.broken() {
		w.judge.stuck("a %s at member %d, with all at rest, took longer than %v: a round trip is %v",
			what, c.target.number, limit, v.roundTrip())
	}
	return done
}
