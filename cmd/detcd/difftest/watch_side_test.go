package difftest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
)

// watchPatience is how long a watch may take to say what it must. etcd looks after watchers that
// are behind ten times a second.
const watchPatience = time.Minute

// everyWatcher is the ID under which a server answers for all watchers of a stream.
const everyWatcher = -1

// A listener receives all that one side says on one watch stream.
type listener struct {
	stream pb.Watch_WatchClient
	hangUp context.CancelFunc

	mu        sync.Mutex
	arrived   chan struct{} // closed when something arrives, and made anew
	control   []*pb.WatchResponse
	batches   map[int64][]*pb.WatchResponse // with events, by watcher
	compacted map[int64]*pb.WatchResponse   // the end of watchers that were too far behind
	bookmarks []bookmark
	err       error
}

// A bookmark is a progress answer: all events up to its revision have been sent.
type bookmark struct {
	response *pb.WatchResponse
	received map[int64]int // events that had arrived by then, by watcher
}

// listen opens a stream on one side.
func (s *side) listen() (*listener, error) {
	ctx, cancel := context.WithCancel(context.Background())
	stream, err := pb.NewWatchClient(s.conn).Watch(ctx)
	if err != nil {
		cancel()
		return nil, err
	}
	l := &listener{
		stream: stream, hangUp: cancel,
		arrived:   make(chan struct{}),
		batches:   map[int64][]*pb.WatchResponse{},
		compacted: map[int64]*pb.WatchResponse{},
	}
	go l.receive()
	return l, nil
}

// receive sorts what arrives until the stream ends.
func (l *listener) receive() {
	for {
		response, err := l.stream.Recv()
		l.mu.Lock()
		if err != nil {
			l.err = err
		} else {
			l.sort(response)
		}
		close(l.arrived)
		l.arrived = make(chan struct{})
		l.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// sort puts a response where it belongs.
func (l *listener) sort(r *pb.WatchResponse) {
	switch {
	case len(r.Events) > 0:
		l.batches[r.WatchId] = append(l.batches[r.WatchId], r)
	case r.CompactRevision != 0:
		l.compacted[r.WatchId] = r
	case r.Created || r.Canceled:
		l.control = append(l.control, r)
		if r.Created { // an ID that is used again begins anew
			l.batches[r.WatchId] = nil
			delete(l.compacted, r.WatchId)
			for _, mark := range l.bookmarks {
				delete(mark.received, r.WatchId)
			}
		}
	default:
		received := map[int64]int{}
		for id, batches := range l.batches { // order-free: a map is filled
			received[id] = len(flatten(batches))
		}
		l.bookmarks = append(l.bookmarks, bookmark{r, received})
	}
}

// flatten returns the events of some batches.
func flatten(batches []*pb.WatchResponse) []*mvccpb.Event {
	var events []*mvccpb.Event
	for _, batch := range batches {
		events = append(events, batch.Events...)
	}
	return events
}

// await waits until the listener is as wanted; false when it is not in time or the stream ended.
func (l *listener) await(patience time.Duration, wanted func() bool) bool {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		l.mu.Lock()
		done, ended, arrived := wanted(), l.err != nil, l.arrived
		l.mu.Unlock()
		if done || ended {
			return done
		}
		select {
		case <-arrived:
		case <-deadline.C:
			return false
		}
	}
}

// ended returns the watchers that the server ended because of a compaction.
func (l *listener) ended() []int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.compacted))
}

// seen returns the batches of one watcher and the response that ended it as compacted, if any.
func (l *listener) seen(id int64) ([]*pb.WatchResponse, *pb.WatchResponse) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.batches[id], l.compacted[id]
}

// checkBatches holds the answers to one watcher to the rules of every watch: revisions ascend, one
// revision is never split unless into fragments that were asked for, the header is that of the
// member and neither behind the events nor ahead of the store.
func checkBatches(batches []*pb.WatchResponse, fragments bool, header *pb.ResponseHeader) error {
	last, open := int64(0), false
	for _, batch := range batches {
		if batch.Fragment && !fragments {
			return fmt.Errorf("a fragment that nobody asked for at revision %d", last)
		}
		if batch.Created || batch.Canceled || batch.CompactRevision != 0 || batch.CancelReason != "" {
			return fmt.Errorf("events in an answer that is none of events: {%s}", text(batch))
		}
		for i, event := range batch.Events {
			revision := event.Kv.ModRevision
			if revision < last || revision == last && i == 0 && !open {
				return fmt.Errorf("revision %d comes after %d, in another answer", revision, last)
			}
			last = revision
		}
		if err := checkHeader(batch.Header, last, header); err != nil {
			return err
		}
		open = batch.Fragment
	}
	if open {
		return fmt.Errorf("the last answer is a fragment, at revision %d", last)
	}
	return nil
}

// checkHeader compares the header of an answer on a watch with that of the last answer to a call.
func checkHeader(h *pb.ResponseHeader, atLeast int64, present *pb.ResponseHeader) error {
	if h.GetClusterId() != present.ClusterId || h.GetMemberId() != present.MemberId {
		return fmt.Errorf("the header {%s} is of another member than {%s}", h, present)
	}
	if h.Revision < atLeast || h.Revision > present.Revision {
		return fmt.Errorf("the header is at %d, not in %d..%d", h.Revision, atLeast, present.Revision)
	}
	return nil
}

// bookmarksSoFar returns a copy of what was promised.
func (l *listener) bookmarksSoFar() []bookmark {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]bookmark, len(l.bookmarks))
	for i, mark := range l.bookmarks {
		all[i] = bookmark{mark.response, maps.Clone(mark.received)}
	}
	return all
}
