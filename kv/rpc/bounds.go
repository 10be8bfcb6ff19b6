package rpc

import (
	"cmp"
	"fmt"
	"sync/atomic"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Bounds are how much a member does for all its clients at a time, so that no client can take the
// memory of the others. A zero means what stands behind the field, which is far beyond what is in
// use: an API server of Kubernetes has some hundred watches.
type Bounds struct {
	Requests         int // that are no streams, 65,536
	WatchStreams     int // 16,384
	KeepAliveStreams int // 16,384
	RangeStreams     int // 4,096
	Snapshots        int // that are sent, 16: each keeps what was deleted since it began
	Watches          int // of all streams, 1,048,576
	StreamWatches    int // of one stream, 131,072
}

func (b Bounds) withDefaults() Bounds {
	b.Requests = cmp.Or(b.Requests, 65_536)
	b.WatchStreams = cmp.Or(b.WatchStreams, 16_384)
	b.KeepAliveStreams = cmp.Or(b.KeepAliveStreams, 16_384)
	b.RangeStreams = cmp.Or(b.RangeStreams, 4_096)
	b.Snapshots = cmp.Or(b.Snapshots, 16)
	b.Watches = cmp.Or(b.Watches, 1<<20)
	b.StreamWatches = cmp.Or(b.StreamWatches, 1<<17)
	return b
}

// streams are the bounds of the methods that are streams, by name.
func (b Bounds) streams() map[string]*Bound {
	return map[string]*Bound{
		pb.Watch_Watch_FullMethodName:          NewBound(b.WatchStreams, "streams of watches"),
		pb.Lease_LeaseKeepAlive_FullMethodName: NewBound(b.KeepAliveStreams, "streams of renewals"),
		pb.KV_RangeStream_FullMethodName:       NewBound(b.RangeStreams, "streamed ranges"),
		pb.Maintenance_Snapshot_FullMethodName: NewBound(b.Snapshots, "snapshots"),
	}
}

// refusal says why a stream of so many watches cannot have one more, of so many of all streams; "":
// it can.
func (b Bounds) refusal(stream, all int64) string {
	switch {
	case stream >= int64(b.StreamWatches):
		return fmt.Sprintf("etcdserver: too many watches on this stream, %d are possible",
			b.StreamWatches)
	case all >= int64(b.Watches):
		return fmt.Sprintf("etcdserver: too many watches at this member, %d are possible", b.Watches)
	}
	return ""
}

// A Bound lets so many in at a time, and refuses the others.
type Bound struct {
	max     int64
	refusal error
	now     atomic.Int64
}

// NewBound makes a Bound. What it bounds is named where somebody is refused.
func NewBound(max int, what string) *Bound {
	return &Bound{max: int64(max), refusal: status.Error(codes.ResourceExhausted, fmt.Sprintf(
		"etcdserver: too many %s at this member, %d are possible at a time", what, max))}
}

// newRequestBound is a Bound with etcd's own word.
func newRequestBound(max int) *Bound {
	return &Bound{max: int64(max), refusal: rpctypes.ErrGRPCRequestTooManyRequests}
}

// Enter lets one more in, who must Leave, or says why it cannot: ResourceExhausted.
func (b *Bound) Enter() error {
	if b.now.Add(1) > b.max {
		b.now.Add(-1)
		return b.refusal
	}
	return nil
}

// Leave makes room for another one.
func (b *Bound) Leave() { b.now.Add(-1) }
