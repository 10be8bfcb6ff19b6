package watch

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"

	"detcd/kv/mvcc"
)

// responseBytes is more than a response without events takes on the wire.
const responseBytes = 64

// deliver gives an event to the watchers of one place that it is due to. They share it: one for
// those that want to know what was before, one for the others. It gives the bytes that were read.
func (s *Stream) deliver(view *mvcc.View, e *mvccpb.Event, who place) (size int, err error) {
	size = eventBytes(e)
	var full *mvccpb.Event
	for _, w := range s.index.find(e.Kv.Key) {
		if w.place != who || !w.wants(e) {
			continue
		}
		due := e
		if w.previous {
			if full == nil {
				if full, err = withPrevious(view, e); err != nil {
					return 0, err
				}
				size = eventBytes(full)
			}
			due = full
		}
		if who != listening {
			s.gather(w, due)
			continue
		}
		if len(w.events) == 0 {
			s.touched = append(s.touched, w)
		}
		w.events = append(w.events, due)
	}
	return size, nil
}

// eventBytes is about what an event takes in memory and on the wire.
func eventBytes(e *mvccpb.Event) int {
	return len(e.Kv.Key) + len(e.Kv.Value) + len(e.PrevKv.GetValue()) + 32
}

// withPrevious is an event with what it replaced, if anything, and if that is not compacted.
func withPrevious(view *mvcc.View, e *mvccpb.Event) (*mvccpb.Event, error) {
	if e.Type == mvccpb.Event_PUT && e.Kv.CreateRevision == e.Kv.ModRevision {
		return e, nil
	}
	before, err := view.Previous(e.Kv.Key, e.Kv.ModRevision)
	return &mvccpb.Event{Type: e.Type, Kv: e.Kv, PrevKv: before}, err
}

// emit makes a response, or its fragments, of the events that w has, if any. The revision says how
// far they go: w gets nothing more of it or of those below.
func (s *Stream) emit(w *watcher, revision int64) {
	events := w.events
	s.gathered -= w.bytes
	w.events, w.revisions, w.bytes = nil, 0, 0
	w.quiet = w.quiet && len(events) == 0
	for len(events) > 0 {
		n := len(events)
		if w.fragment {
			n = fitting(events, s.options.FragmentBytes-responseBytes)
		}
		s.out = append(s.out, &pb.WatchResponse{
			Header:   &pb.ResponseHeader{Revision: revision},
			WatchId:  w.id,
			Events:   events[:n:n],
			Fragment: n < len(events),
		})
		events = events[n:]
	}
}

// fitting is how many of the first events are smaller than a size together, but at least one: an
// event is never split.
func fitting(events []*mvccpb.Event, size int) int {
	for n, event := range events {
		size -= proto.Size(event) + 6 // its tag and length
		if size <= 0 && n > 0 {
			return n
		}
	}
	return len(events)
}

// tickProgress tells those who want it how far they are, when the clock has ticked and they heard
// nothing since it did before.
func (s *Stream) tickProgress(view *mvcc.View, now int64) {
	interval := int64(s.options.ProgressInterval)
	if s.reporters == 0 || interval == 0 || now < s.tick {
		return
	}
	s.tick += interval * ((now-s.tick)/interval + 1)
	for _, w := range s.watchers {
		if !w.progress || w.place == over {
			continue
		}
		if w.quiet && s.served(w, view) {
			s.out = append(s.out, progress(w.id, view))
		}
		w.quiet = true
	}
}

// answerProgress tells how far all are, unless one only starts in the future.
func (s *Stream) answerProgress(view *mvcc.View) {
	some := false
	for _, w := range s.watchers {
		if w.place == over {
			continue
		}
		if !s.served(w, view) {
			return
		}
		some = true
	}
	if some {
		s.out = append(s.out, progress(noID, view))
	}
}

// served tells whether w was given all that it may get from view, and has begun.
func (s *Stream) served(w *watcher, view *mvcc.View) bool {
	return w.place == listening && s.live > view.Revision() && w.start <= view.Revision()
}

func progress(id int64, view *mvcc.View) *pb.WatchResponse {
	return &pb.WatchResponse{Header: &pb.ResponseHeader{Revision: view.Revision()}, WatchId: id}
}
