package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// An owner holds leases: a few that it keeps alive to the end, and many short ones, of which it
// revokes one half and forgets the other.
type owner struct {
	drill  *drill
	random *rand.Rand
	at     int
	last   leaseID
}

// The leases of an owner.
const (
	keptLeases    = 3
	keptTTL       = 60 * time.Second
	renewInterval = time.Second
	shortTTL      = 2 * time.Second
	shortInterval = 500 * time.Millisecond
	shortMax      = 40 // short leases that have not ended; above it none is granted
	leaseKeys     = 2
)

// run grants the leases that are kept, and then short ones until ctx ends.
func (o *owner) run(ctx, keeping context.Context) {
	for range keptLeases {
		id := o.grant(ctx, keptTTL, true)
		if ctx.Err() != nil {
			return
		}
		at := o.at
		o.drill.watches.Go(func() { o.drill.keepAlive(keeping, id, at) })
		o.attach(ctx, id)
	}
	if ctx.Err() == nil {
		close(o.drill.kept)
	}
	for ctx.Err() == nil {
		pause(ctx, shortInterval)
		if _, ending := o.drill.ledger.leasesWithKeys(); len(ending) >= shortMax {
			continue
		}
		id := o.grant(ctx, shortTTL, false)
		o.attach(ctx, id)
		if o.random.IntN(2) == 0 {
			o.revoke(ctx, id)
		}
	}
}

// again does one request until it succeeds or ctx ends, at the next member after each failure. An
// error with the code done counts as success.
func (o *owner) again(
	ctx context.Context, done codes.Code, request func(ctx context.Context) error,
) {
	for ctx.Err() == nil {
		// The request itself outlives ctx, so that its answer is known.
		call, cancel := context.WithTimeout(context.Background(), answerTimeout)
		err := request(call)
		cancel()
		if err == nil || status.Code(err) == done {
			return
		}
		o.drill.refused(err)
		o.at = (o.at + 1) % len(o.drill.members)
		pause(ctx, errorPause)
	}
}

func (o *owner) leases() (etcdserverpb.LeaseClient, error) {
	conn, err := o.drill.members[o.at].Conn()
	if err != nil {
		return nil, err
	}
	return etcdserverpb.NewLeaseClient(conn), nil
}

// grant gets a lease with an id of its own choice: a grant without an answer can be asked for
// again, and the answer that the lease exists is as good.
func (o *owner) grant(ctx context.Context, ttl time.Duration, kept bool) leaseID {
	o.last++
	id := o.last
	o.drill.ledger.leaseSent(id, kept)
	sent := time.Since(o.drill.start)
	o.again(ctx, codes.FailedPrecondition, func(ctx context.Context) error {
		leases, err := o.leases()
		if err != nil {
			return err
		}
		_, err = leases.LeaseGrant(ctx, &etcdserverpb.LeaseGrantRequest{
			ID: int64(id), TTL: int64(ttl.Seconds()),
		})
		if err == nil {
			o.drill.ledger.leaseAlive(id, sent, ttl)
		}
		return err
	})
	return id
}

// attach puts the keys of a lease.
func (o *owner) attach(ctx context.Context, id leaseID) {
	for i := range leaseKeys {
		key := fmt.Sprintf("lease%04x/key%d", int64(id), i)
		// Without its lease, a key of a short one stays away; a kept lease is checked elsewhere.
		o.again(ctx, codes.NotFound, func(ctx context.Context) error {
			w := &write{what: "put with lease", puts: []string{key}, lease: id}
			return o.drill.put(ctx, o.at, w)
		})
	}
}

func (o *owner) revoke(ctx context.Context, id leaseID) {
	o.drill.ledger.leaseRevoking(id)
	o.again(ctx, codes.NotFound, func(ctx context.Context) error {
		leases, err := o.leases()
		if err != nil {
			return err
		}
		_, err = leases.LeaseRevoke(ctx, &etcdserverpb.LeaseRevokeRequest{ID: int64(id)})
		return err
	})
}

// keepAlive renews a lease every second until ctx ends, at the next member when a stream breaks.
func (d *drill) keepAlive(ctx context.Context, id leaseID, at int) {
	for ctx.Err() == nil {
		err := d.renew(ctx, id, at)
		if ctx.Err() != nil {
			return
		}
		d.refused(err)
		at = (at + 1) % len(d.members)
		pause(ctx, errorPause)
	}
}

// renew renews a lease on one stream until that breaks or an answer takes too long.
func (d *drill) renew(ctx context.Context, id leaseID, at int) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	conn, err := d.members[at].Conn()
	if err != nil {
		return err
	}
	stream, err := etcdserverpb.NewLeaseClient(conn).LeaseKeepAlive(ctx)
	if err != nil {
		return err
	}
	for {
		late := time.AfterFunc(answerTimeout, cancel)
		sent := time.Since(d.start)
		if err := stream.Send(&etcdserverpb.LeaseKeepAliveRequest{ID: int64(id)}); err != nil {
			return status.Error(codes.Unavailable, err.Error()) // Recv would say why
		}
		answer, err := stream.Recv()
		late.Stop()
		if err != nil {
			return err
		}
		if answer.TTL <= 0 {
			d.ledger.leaseGone(id)
			return status.Error(codes.Unavailable, "the lease is gone")
		}
		d.ledger.leaseAlive(id, sent, time.Duration(answer.TTL)*time.Second)
		pause(ctx, renewInterval)
	}
}

// pause waits for d or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
