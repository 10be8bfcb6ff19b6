package rpc

import (
	"context"
	"sync"
	"time"
	"unicode/utf8"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// leaderlessMax is for how many election timeouts in a row the leader may be missing before the
// streams of clients that require one are ended.
const leaderlessMax = 3

// A gate is what every request passes: how many there may be at a time, what its metadata asks for,
// and what a learner may serve.
type gate struct {
	node            Node
	electionTimeout time.Duration
	meter           *Meter
	requests        *Bound
	bounds          map[string]*Bound // of streams, by method

	mutex    sync.Mutex
	streams  map[*guarded]struct{}
	guarding bool // a goroutine looks after them
}

// A guarded stream ends when the leader is missed for too long: its context tells why.
type guarded struct {
	grpc.ServerStream
	ctx    context.Context
	cancel context.CancelCauseFunc
}

func (g *guarded) Context() context.Context { return g.ctx }

func newGate(node Node, options Options) *gate {
	return &gate{
		node:            node,
		electionTimeout: options.ElectionTimeout,
		meter:           options.Meter,
		requests:        newRequestBound(options.Bounds.Requests),
		bounds:          options.Bounds.streams(),
		streams:         make(map[*guarded]struct{}),
	}
}

func (g *gate) unary(
	ctx context.Context, request any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler,
) (any, error) {
	if g.node.Status().Learner && !learnerServes(request) {
		return nil, rpctypes.ErrGRPCNotSupportedForLearner
	}
	if _, err := g.check(ctx, "unary"); err != nil {
		return nil, err
	}
	if err := g.requests.Enter(); err != nil {
		return nil, err
	}
	defer g.requests.Leave()
	return handle(ctx, request)
}

func (g *gate) stream(
	service any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler,
) error {
	if g.node.Status().Learner && info.FullMethod != pb.Maintenance_Snapshot_FullMethodName {
		return rpctypes.ErrGRPCNotSupportedForLearner
	}
	requireLeader, err := g.check(stream.Context(), "stream")
	if err != nil {
		return err
	}
	if bound := g.bounds[info.FullMethod]; bound != nil {
		if err := bound.Enter(); err != nil {
			return err
		}
		defer bound.Leave()
	}
	if !requireLeader {
		return handle(service, stream)
	}
	ctx, cancel := context.WithCancelCause(stream.Context())
	defer cancel(nil)
	guarded := &guarded{stream, ctx, cancel}
	g.enter(guarded)
	defer g.leave(guarded)
	return handle(service, guarded)
}

// check refuses a request for its metadata, or tells whether it requires a leader.
func (g *gate) check(ctx context.Context, kind string) (requireLeader bool, err error) {
	version := metadata.ValueFromIncomingContext(ctx, rpctypes.MetadataClientAPIVersionKey)
	client := ClientKind{"unknown", kind}
	if len(version) > 0 {
		client.Version = version[0]
	}
	if !utf8.ValidString(client.Version) {
		return false, rpctypes.ErrGRPCInvalidClientAPIVersion
	}
	g.meter.clients.add(client)
	required := metadata.ValueFromIncomingContext(ctx, rpctypes.MetadataRequireLeaderKey)
	if len(required) == 0 || required[0] != rpctypes.MetadataHasLeader {
		return false, nil
	}
	if g.node.Status().Leader == 0 {
		return true, rpctypes.ErrGRPCNoLeader
	}
	return true, nil
}

// learnerServes tells what a member answers that does not vote yet: what needs no agreement.
func learnerServes(request any) bool {
	switch r := request.(type) {
	case *pb.StatusRequest:
		return true
	case *pb.RangeRequest:
		return r.Serializable
	}
	return false
}

func (g *gate) enter(stream *guarded) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.streams[stream] = struct{}{}
	if !g.guarding {
		g.guarding = true
		go g.guard()
	}
}

func (g *gate) leave(stream *guarded) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	delete(g.streams, stream)
}

// guard looks for the leader once in an election timeout, until there is nothing to guard.
func (g *gate) guard() {
	ticker := time.NewTicker(g.electionTimeout)
	defer ticker.Stop()
	missed := 0
	for range ticker.C {
		missed++
		if g.node.Status().Leader != 0 {
			missed = 0
		}
		g.mutex.Lock()
		if missed >= leaderlessMax {
			for stream := range g.streams {
				stream.cancel(rpctypes.ErrGRPCNoLeader)
			}
		}
		g.guarding = len(g.streams) > 0
		guarding := g.guarding
		g.mutex.Unlock()
		if !guarding {
			return
		}
	}
}
