package probe

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"

	"detcd/checker/etcd"
)

// A client makes one request after another.
type client struct {
	probe    *Probe
	ctx      context.Context
	number   int64
	random   *rand.Rand
	login    *login // nil: there are no users
	at       int    // the connection in use
	interval time.Duration
	next     time.Time // when the next request is due
	written  int       // values so far
	failure  error     // of the recorder: the end
}

// script is what a client does over and over. A step makes a few requests.
type script interface{ step() }

// behindMax is how far a client may lag behind its rate. What it missed while it waited for a
// member beyond that it does not make up for.
const behindMax = 200 * time.Millisecond

// errorPause is how long a client rests after a request that failed or was lost.
const errorPause = 20 * time.Millisecond

// pace waits until the next request is due.
func (c *client) pace() bool {
	if now := time.Now(); c.next.Before(now.Add(-behindMax)) {
		c.next = now
	}
	c.rest(time.Until(c.next))
	c.next = c.next.Add(c.interval/2 + time.Duration(c.random.Int64N(int64(c.interval)+1)))
	return c.ctx.Err() == nil && c.failure == nil
}

// rest does nothing for a while.
func (c *client) rest(d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.ctx.Done():
	}
}

// chance is true so many times out of a hundred.
func (c *client) chance(percent int) bool { return c.random.IntN(100) < percent }

// value returns one that no other put has.
func (c *client) value() string {
	c.written++
	return fmt.Sprintf("%d.%d", c.number, c.written)
}

// do makes a request when it is due and records it. It returns the answer, nil if none came or the
// request was refused.
func (c *client) do(request any) *etcd.Response { return c.try(request).Response }

// try is do and returns all that is known; nothing if the work is over. A request that is under way
// when the work ends is waited for.
func (c *client) try(request any) (operation etcd.Operation) {
	if !c.pace() {
		return operation
	}
	ctx, cancel := c.patience()
	defer cancel()
	operation = etcd.Operation{Client: c.number, Call: c.probe.now(),
		Request: etcd.Request{Ask: etcd.FromRequest(request)}}
	answer, err := c.send(ctx, request)
	operation.Return = c.probe.now()
	if err == nil {
		operation.Response = etcd.FromResponse(answer)
		c.probe.saw(operation.Response.Revision)
	} else if text, sure := refused(err); sure {
		operation.Error = text
	} else {
		operation.Unknown = true
	}
	c.record(&operation)
	if err != nil {
		c.stumble()
	}
	return operation
}

// patience bounds the wait for an answer.
func (c *client) patience() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(c.ctx), c.probe.options.Timeout)
}

// record writes an operation, and notes the error that ends the client.
func (c *client) record(operation *etcd.Operation) {
	if err := c.probe.options.Recorder.Record(operation); err != nil && c.failure == nil {
		c.failure = fmt.Errorf("probe: history: %w", err)
	}
}

// stumble follows an error: a rest, and mostly another member. Some stay: a member that is cut off
// must have clients too.
func (c *client) stumble() {
	c.rest(errorPause)
	if c.chance(70) {
		c.at = c.random.IntN(len(c.probe.options.Connections))
	}
}

// connection is the one in use.
func (c *client) connection() grpc.ClientConnInterface {
	return c.login.On(c.probe.options.Connections[c.at])
}

// send makes a request.
func (c *client) send(ctx context.Context, request any) (any, error) {
	kv, lease := pb.NewKVClient(c.connection()), pb.NewLeaseClient(c.connection())
	switch r := request.(type) {
	case *pb.RangeRequest:
		return kv.Range(ctx, r)
	case *pb.PutRequest:
		return kv.Put(ctx, r)
	case *pb.DeleteRangeRequest:
		return kv.DeleteRange(ctx, r)
	case *pb.TxnRequest:
		return kv.Txn(ctx, r)
	case *pb.CompactionRequest:
		return kv.Compact(ctx, r)
	case *pb.LeaseGrantRequest:
		return lease.LeaseGrant(ctx, r)
	case *pb.LeaseRevokeRequest:
		return lease.LeaseRevoke(ctx, r)
	case *pb.LeaseTimeToLiveRequest:
		return lease.LeaseTimeToLive(ctx, r)
	case *pb.LeaseLeasesRequest:
		return lease.LeaseLeases(ctx, r)
	case *pb.LeaseKeepAliveRequest:
		return c.keepAlive(ctx, r)
	}
	return nil, fmt.Errorf("probe: no request: %T", request)
}

// keepAlive renews a lease on a stream of its own, which is what bounds the wait for the answer.
func (c *client) keepAlive(
	ctx context.Context, request *pb.LeaseKeepAliveRequest,
) (*pb.LeaseKeepAliveResponse, error) {
	stream, err := pb.NewLeaseClient(c.connection()).LeaseKeepAlive(ctx)
	if err != nil {
		return nil, err
	}
	if err := stream.Send(request); err != nil {
		return nil, err
	}
	return stream.Recv()
}
