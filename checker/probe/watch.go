package probe

import (
	"context"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// watcher writes for a while and then watches for a while: from now on, from where it was, or from
// the past, which may have been compacted.
type watcher struct {
	client *client
	shown  int64 // where the last watch got to
}

func newWatch(c *client) script { return &watcher{client: c} }

// sessionMax is how long a watch is watched.
const sessionMax = 2 * time.Second

func (w *watcher) step() {
	if w.client.chance(3) && w.client.pace() {
		w.watch()
		return
	}
	w.write()
}

// write changes one key, or several in one revision.
func (w *watcher) write() {
	c := w.client
	keys := c.some("watch/", 1+c.random.IntN(4))
	switch roll := c.random.IntN(100); {
	case roll < 50:
		c.do(put(keys[0], c.value()))
	case roll < 65:
		c.do(remove(keys[0]))
	case roll < 70:
		c.do(&pb.DeleteRangeRequest{Key: []byte(keys[0]), RangeEnd: []byte(after("watch/"))})
	default:
		request := &pb.TxnRequest{}
		for _, key := range keys {
			change := any(put(key, c.value()))
			if c.chance(30) {
				change = remove(key)
			}
			request.Success = append(request.Success, ops(change)...)
		}
		c.do(request)
	}
}

// ask draws what to watch.
func (w *watcher) ask() *pb.WatchCreateRequest {
	c := w.client
	request := &pb.WatchCreateRequest{
		Key: []byte("watch/"), RangeEnd: []byte(after("watch/")),
		PrevKv: c.chance(40), ProgressNotify: c.chance(30), Fragment: c.chance(30),
	}
	switch roll := c.random.IntN(10); {
	case roll < 2:
		request.Key, request.RangeEnd = []byte(c.some("watch/", 1)[0]), nil
	case roll < 3:
		request.Key, request.RangeEnd = []byte{0}, []byte{0}
	}
	switch newest := c.probe.highest.Load(); c.random.IntN(4) {
	case 0:
		request.StartRevision = max(0, newest-c.random.Int64N(1000))
	case 1:
		request.StartRevision = newest + c.random.Int64N(20)
	case 2:
		request.StartRevision = w.shown + 1
	}
	if c.chance(20) {
		filter := pb.WatchCreateRequest_FilterType(c.random.IntN(2))
		request.Filters = []pb.WatchCreateRequest_FilterType{filter}
	}
	return request
}

// watch opens a watch and records what it shows until its time is over or it ends.
func (w *watcher) watch() {
	c := w.client
	length := sessionMax/10 + time.Duration(c.random.Int64N(int64(sessionMax)))
	ctx, cancel := context.WithTimeout(c.ctx, length)
	defer cancel()
	if c.chance(50) {
		ctx = needingLeader(ctx)
	}
	asked := false
	c.follow(ctx, w.ask(), func(stream pb.Watch_WatchClient, message *pb.WatchResponse) bool {
		if n := len(message.Events); n > 0 {
			w.shown = message.Events[n-1].Kv.ModRevision
			if message.Fragment {
				w.shown--
			}
		}
		if !asked && c.chance(20) {
			asked = stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_ProgressRequest{
				ProgressRequest: &pb.WatchProgressRequest{}}}) == nil
		}
		return true
	})
}
