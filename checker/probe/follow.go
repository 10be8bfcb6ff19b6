package probe

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/metadata"

	"detcd/checker/etcd"
)

// needingLeader lets a stream end when its member has no leader.
func needingLeader(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "hasleader", "true")
}

// follow opens a watch and records its messages until it ends, ctx ends, or the given function,
// which sees each of them, returns false.
func (c *client) follow(ctx context.Context, request *pb.WatchCreateRequest,
	seen func(pb.Watch_WatchClient, *pb.WatchResponse) bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ask := c.probe.described(request)
	opened := etcd.Operation{Client: c.number, Call: c.probe.now(), Response: &etcd.Response{},
		Request: etcd.Request{Ask: ask}}
	stream, err := pb.NewWatchClient(c.connection()).Watch(ctx)
	if err == nil {
		err = stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{
			CreateRequest: request}})
	}
	var message *pb.WatchResponse
	if err == nil {
		message, err = stream.Recv()
	}
	opened.Return = c.probe.now()
	c.record(&opened)
	for ; err == nil && c.failure == nil; message, err = stream.Recv() {
		c.showed(ask.Watch, message)
		if !seen(stream, message) || message.Canceled {
			return
		}
	}
	if ctx.Err() == nil {
		c.stumble()
	}
}

// showed records a message of a watch.
func (c *client) showed(number int64, message *pb.WatchResponse) {
	now := c.probe.now()
	operation := etcd.Operation{Client: c.number, Call: now, Return: now,
		Request:  etcd.Request{Ask: &etcd.Watched{Watch: number}},
		Response: etcd.FromWatch(message)}
	c.probe.saw(operation.Response.Revision)
	c.record(&operation)
}

// described numbers a watch and translates what it asks.
func (p *Probe) described(request *pb.WatchCreateRequest) *etcd.Watch {
	ask := &etcd.Watch{Watch: p.numbers.Add(1), Key: etcd.Bytes(request.Key),
		End: etcd.Bytes(request.RangeEnd), Start: request.StartRevision, PrevKV: request.PrevKv}
	for _, filter := range request.Filters {
		ask.NoPut = ask.NoPut || filter == pb.WatchCreateRequest_NOPUT
		ask.NoDelete = ask.NoDelete || filter == pb.WatchCreateRequest_NODELETE
	}
	return ask
}

// An observer watches everything from the beginning on, and resumes where it was when a watch ends.
// So the history says of every revision what it changed, also of those whose makers never got an
// answer, and the judge need not guess.
type observer struct {
	client *client
	next   int64 // the first revision that it was not shown
}

// observers is how many there are: what one misses because it was compacted, the other may have.
const observers = 2

// watch follows all changes until ctx ends or it has seen a revision.
func (o *observer) watch(ctx context.Context, upTo int64) {
	c := o.client
	for ctx.Err() == nil && c.failure == nil && o.next <= upTo {
		request := &pb.WatchCreateRequest{Key: []byte{0}, RangeEnd: []byte{0},
			StartRevision: o.next, PrevKv: true}
		c.follow(needingLeader(ctx), request,
			func(_ pb.Watch_WatchClient, message *pb.WatchResponse) bool {
				if n := len(message.Events); n > 0 {
					o.next = message.Events[n-1].Kv.ModRevision + 1
				}
				o.next = max(o.next, message.CompactRevision)
				return o.next <= upTo
			})
	}
}
