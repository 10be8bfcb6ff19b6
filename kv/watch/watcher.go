package watch

import (
	"bytes"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
)

// A watcher is one watch of a stream.
type watcher struct {
	id     int64
	key    []byte
	end    []byte // of the range [key, end); empty: there is no end
	single bool   // key alone, end does not count

	noPut, noDelete bool
	previous        bool // events carry what was there before
	fragment        bool // large responses may be split
	progress        bool // wants to hear of progress
	quiet           bool // got no events since the progress clock ticked last

	seat   *seat // of its stream
	place  place
	start  int64 // what the client asked for
	next   int64 // no event of a revision below it is due any more
	events []*mvccpb.Event

	// Of events, while it is behind: how many revisions, and about how many bytes.
	revisions, bytes int
}

// A place is from where a watcher gets its events.
type place int

const (
	listening place = iota // from the pass over what is new, with all that listen
	along                  // behind: from the pass over history, with other ranges that are behind
	alone                  // behind: from the history of its one key
	over                   // from nowhere: compaction cancelled it, and only its ID lives on
)

func newWatcher(r *pb.WatchCreateRequest) *watcher {
	w := &watcher{
		id:       r.WatchId,
		key:      r.Key,
		end:      r.RangeEnd,
		single:   len(r.RangeEnd) == 0,
		previous: r.PrevKv,
		fragment: r.Fragment,
		progress: r.ProgressNotify,
		quiet:    true,
		start:    r.StartRevision,
	}
	if len(w.key) == 0 {
		w.key = []byte{0}
	}
	if bytes.Equal(w.end, []byte{0}) {
		w.end = nil
	}
	for _, filter := range r.Filters {
		switch filter {
		case pb.WatchCreateRequest_NOPUT:
			w.noPut = true
		case pb.WatchCreateRequest_NODELETE:
			w.noDelete = true
		}
	}
	return w
}

// reaches tells whether key is before the end of w's range.
func (w *watcher) reaches(key []byte) bool {
	return len(w.end) == 0 || bytes.Compare(key, w.end) < 0
}

func (w *watcher) endsBefore(other *watcher) bool {
	return len(w.end) > 0 && (len(other.end) == 0 || bytes.Compare(w.end, other.end) < 0)
}

// wants tells whether an event on a key of w is due to it.
func (w *watcher) wants(e *mvccpb.Event) bool {
	if e.Kv.ModRevision < w.next {
		return false
	}
	if e.Type == mvccpb.Event_DELETE {
		return !w.noDelete
	}
	return !w.noPut
}
