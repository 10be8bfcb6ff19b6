package watch

import (
	"cmp"
	"math"
	"slices"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"detcd/kv/mvcc"
)

// passRevisionsMax is how many revisions one pass looks at, however few of them matter.
const passRevisionsMax = 4096

// Step serves the watches from history up to view, a bounded piece at a time: the next piece for
// those that listen, and the next for those that are behind. It answers questions for progress and
// sends the notifications that are due at now. When there is more to read it says so, and wants to
// be called again with this view or a later one. An error is one of reading the view, and the end
// of the stream.
func (s *Stream) Step(view *mvcc.View, now int64) (more bool, err error) {
	s.release()
	s.dropCompacted(view)
	if s.listeners > 0 {
		s.live, err = s.pass(view, s.live, listening)
	}
	if err == nil && len(s.behind) > 0 {
		err = s.catchUp(view)
	}
	if err != nil {
		return false, err
	}
	more = len(s.behind) > 0 || s.listeners > 0 && s.live <= view.Revision()
	s.tickProgress(view, now)
	if s.asked && !more {
		s.asked = false
		s.answerProgress(view)
	}
	return more, nil
}

// dropCompacted cancels the watches of which an event may be gone.
func (s *Stream) dropCompacted(view *mvcc.View) {
	oldest := view.Compacted()
	if len(s.behind) == 0 && s.live >= oldest {
		return
	}
	for _, w := range s.watchers {
		next := w.next
		if w.place == listening {
			next = max(next, s.live)
		}
		if w.place == over || next >= oldest {
			continue
		}
		s.emit(w, w.next-1)
		s.end(w)
		s.out = append(s.out, &pb.WatchResponse{
			Header:          &pb.ResponseHeader{},
			WatchId:         w.id,
			Canceled:        true,
			CompactRevision: oldest,
		})
	}
	s.live = max(s.live, oldest)
}

// catchUp serves those that are behind, and lets those who have come to where the listeners are
// join them.
//
// Those of one key read the history of that key. The others share one pass that starts where the
// last of them is; each is served from its own place on, so any number of them costs one reading.
//
// What is read is gathered. A watch is given it when it has caught up, when a response is full, or
// when the stream has gathered too much.
func (s *Stream) catchUp(view *mvcc.View) error {
	first := int64(math.MaxInt64) // nobody's place
	size := 0
	for _, w := range s.behind {
		switch {
		case w.place == along:
			first = min(first, w.next)
		case size < s.options.StepBytes:
			n, err := s.readKey(view, w, s.options.StepBytes-size)
			if err != nil {
				return err
			}
			size += n
		}
	}
	next, err := s.pass(view, first, along)
	if err != nil {
		return err
	}
	still, full := s.behind[:0], s.full()
	for _, w := range s.behind {
		if w.place == along {
			w.next = max(w.next, next)
		}
		late := w.next < s.live
		if !late || full {
			s.emit(w, w.next-1)
		}
		if late {
			still = append(still, w)
			continue
		}
		w.place = listening
		s.listeners++
	}
	clear(s.behind[len(still):])
	s.behind = still
	return nil
}

// readKey gathers for a watcher of one key from the history of that key, until it ends or sizeMax
// bytes were read. It gives how many these were.
func (s *Stream) readKey(view *mvcc.View, w *watcher, sizeMax int) (size int, err error) {
	next := view.Revision() + 1
	var failed error
	err = view.KeyEvents(w.key, w.next, view.Revision(),
		func(revision int64, events []*mvccpb.Event) bool {
			for _, e := range events {
				wanted := w.wants(e)
				if wanted && w.previous {
					if e, failed = withPrevious(view, e); failed != nil {
						return false
					}
				}
				if wanted {
					s.gather(w, e)
				}
				size += eventBytes(e)
			}
			if size < sizeMax {
				return true
			}
			next = revision + 1
			return false
		})
	w.next = next
	return size, cmp.Or(err, failed)
}

// pass reads a piece of history from a revision on for the watchers of one place. To those that
// listen it gives their responses. It returns the revision at which the next piece begins.
func (s *Stream) pass(view *mvcc.View, from int64, who place) (next int64, err error) {
	if from > view.Revision() {
		return from, nil
	}
	to := min(view.Revision(), from+passRevisionsMax-1)
	next = to + 1
	size := 0
	want := func(key []byte) bool {
		return slices.ContainsFunc(s.index.find(key), func(w *watcher) bool { return w.place == who })
	}
	var failed error
	err = view.Events(from, to, want, func(revision int64, events []*mvccpb.Event) bool {
		for _, e := range events {
			n, err := s.deliver(view, e, who)
			if err != nil {
				failed = err
				return false
			}
			size += n
		}
		if size < s.options.StepBytes {
			return true
		}
		next = revision + 1
		return false
	})
	if err := cmp.Or(err, failed); err != nil {
		return 0, err
	}
	slices.SortFunc(s.touched, func(a, b *watcher) int { return cmp.Compare(a.id, b.id) })
	for _, w := range s.touched {
		s.emit(w, next-1)
	}
	clear(s.touched)
	s.touched = s.touched[:0]
	return next, nil
}
