package sim

import (
	"fmt"
	"math/rand/v2"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// clientDelay is how long a message takes between a client and a member.
func (w *world) clientDelay(random *rand.Rand) time.Duration {
	low := w.options.World.duration(ClientDelay)
	return between(random, low, 8*low)
}

// burstPeriod is the time of which clients work for a part only, where they come in bursts.
const burstPeriod = 4 * time.Second

// inBurst moves what is to happen after a delay into the next burst.
func (w *world) inBurst(delay time.Duration) time.Duration {
	percent := w.options.World[BurstPercent]
	if percent >= 100 {
		return delay
	}
	active := burstPeriod / 100 * time.Duration(percent)
	if phase := (time.Duration(w.now) + delay) % burstPeriod; phase > active {
		return delay + burstPeriod - phase + phase%active
	}
	return delay
}

// preloadStep is how many keys are written in one transaction before the run.
const preloadStep = 16

// preload writes keys that nobody else does, so that a run begins with a large store.
func (w *world) preload(count int) {
	c := w.makeClient(loaderNumber)
	for first := 0; first < count; first += preloadStep {
		c.load(first, min(count, first+preloadStep))
	}
}

// load writes keys in one transaction, again until it is told that they are there.
func (c *client) load(first, end int) {
	c.reseed()
	r := &pb.TxnRequest{}
	for i := first; i < end; i++ {
		put := &pb.PutRequest{Key: fmt.Appendf(nil, "p%06d", i),
			Value: fmt.Appendf(nil, "l%d-%d", c.slot, i)}
		r.Success = append(r.Success, &pb.RequestOp{
			Request: &pb.RequestOp_RequestPut{RequestPut: put}})
	}
	c.turn()
	c.do(r, func(o *operation) {
		if o.undecided || o.err != nil && o.err != errSkipped {
			c.world.after(time.Second, func() {
				if !c.world.healed {
					c.load(first, end)
				}
			})
		}
	})
}
