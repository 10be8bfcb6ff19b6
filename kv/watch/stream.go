package watch

import (
	"cmp"
	"slices"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"detcd/kv/mvcc"
)

// noID is the watch ID of a response that belongs to no watch, or to all.
const noID = -1

// Why a watch is refused, in etcd's words (server/v3/etcdserver/api/v3rpc/watch.go).
const (
	reasonCompacted = "etcdserver: mvcc: required revision has been compacted"
	reasonRange     = "mvcc: watcher range is empty"
	reasonDuplicate = "mvcc: duplicate watch ID provided on the WatchStream"
)

// Options are the settings of a Stream.
type Options struct {
	// ProgressInterval is the time between progress notifications. Zero: there are none.
	ProgressInterval time.Duration
	// FragmentBytes is the size from which a response is split where the watch allows it. Zero
	// means 2 MiB.
	FragmentBytes int
	// StepBytes is how many bytes of history one pass of a step reads; it ends with the
	// transaction that reaches them. Zero means 1 MiB.
	StepBytes int
	// BatchBytes is from how many bytes on a watch that catches up is given what was gathered for
	// it although there is more. A step may exceed it by StepBytes. Zero means 32 MiB.
	BatchBytes int
	// Budget bounds what all streams gather together. Nil: BatchBytes alone bounds each.
	Budget *Budget
}

// Stream holds the watches of one client stream and their places in history. It is for one
// goroutine, which must Close it. It keeps no view, and no events but those that a Step left for
// Take and those that are gathered for watches that catch up.
type Stream struct {
	options  Options
	watchers []*watcher // all, ascending by ID
	index    index      // of those that are not over
	nextID   int64      // is tried first for a watch that brings no ID

	live      int64 // who listens was served every revision below it
	listeners int
	behind    []*watcher // along and alone
	gathered  int        // bytes of events that those behind wait for
	reserved  int        // bytes of the budget

	tick      int64 // when the progress clock ticks next; 0: it was not started
	reporters int   // how many watchers want to hear it
	asked     bool  // the client asked for progress

	seat    *seat      // at a board; nil: there is none
	touched []*watcher // have events that are not in out yet
	out     []*pb.WatchResponse
}

// NewStream is a stream without watches.
func NewStream(options Options) *Stream {
	options.FragmentBytes = cmp.Or(options.FragmentBytes, 2<<20)
	options.StepBytes = cmp.Or(options.StepBytes, 1<<20)
	options.BatchBytes = cmp.Or(options.BatchBytes, 32<<20)
	return &Stream{options: options}
}

// Request takes what the client sent, and keeps it: a watch to create, one to cancel, or a question
// for progress; now is the time in nanoseconds of any clock that does not go back. What it answers
// is in Take before anything that a later Step finds. An empty request is ignored, as by etcd. Here
// and in Step the views never go back in time.
func (s *Stream) Request(r *pb.WatchRequest, view *mvcc.View, now int64) {
	if s.tick == 0 {
		s.tick = now + int64(s.options.ProgressInterval)
	}
	switch {
	case r.GetCreateRequest() != nil:
		s.create(r.GetCreateRequest(), view, now)
	case r.GetCancelRequest() != nil:
		s.cancel(r.GetCancelRequest().WatchId, view)
	case r.GetProgressRequest() != nil:
		s.asked = len(s.watchers) > 0
	}
}

// Watches is how many there are.
func (s *Stream) Watches() int { return len(s.watchers) }

// Take gives the responses that are ready, in the order in which they must be sent, and forgets
// them. Their headers have only the revision, and not even that where compaction cancelled a watch.
func (s *Stream) Take() []*pb.WatchResponse {
	out := s.out
	s.out = nil
	return out
}

// NextWake is when a Step is due although nothing changed; 0: never.
func (s *Stream) NextWake() int64 {
	if s.reporters == 0 || s.options.ProgressInterval == 0 {
		return 0
	}
	return s.tick
}

func (s *Stream) create(r *pb.WatchCreateRequest, view *mvcc.View, now int64) {
	w := newWatcher(r)
	response := &pb.WatchResponse{
		Header:  &pb.ResponseHeader{Revision: view.Revision()},
		Created: true,
	}
	s.out = append(s.out, response)
	if reason := s.refusal(w); reason != "" {
		response.WatchId, response.Canceled, response.CancelReason = noID, true, reason
		return
	}
	s.admit(w, view)
	w.quiet = now < s.tick // a tick that is late was due before w came
	response.WatchId = w.id
}

// Refuse answers a request to create a watch that may not be, for a reason that the stream does not
// know.
func (s *Stream) Refuse(view *mvcc.View, reason string) {
	s.out = append(s.out, &pb.WatchResponse{
		Header:  &pb.ResponseHeader{Revision: view.Revision()},
		WatchId: noID, Created: true, Canceled: true, CancelReason: reason,
	})
}

// refusal says why w cannot be; "" when it can.
func (s *Stream) refusal(w *watcher) string {
	_, taken := s.find(w.id)
	switch {
	case w.start < 0:
		return reasonCompacted
	case !w.reaches(w.key):
		return reasonRange
	case taken && w.id != 0:
		return reasonDuplicate
	}
	return ""
}

// admit gives w its ID and its place in history.
func (s *Stream) admit(w *watcher, view *mvcc.View) {
	if w.id == 0 {
		w.id = s.unusedID()
	}
	i, _ := s.find(w.id)
	s.watchers = slices.Insert(s.watchers, i, w)
	s.index.add(w)
	if s.seat != nil {
		w.seat = s.seat
		s.seat.entered = append(s.seat.entered, w)
	}
	if w.progress {
		s.reporters++
	}
	w.next = w.start
	if w.start == 0 {
		w.next = view.Revision() + 1
	}
	if s.listeners == 0 {
		s.live = view.Revision() + 1
	}
	switch {
	case w.next > view.Revision():
		w.place = listening
		s.listeners++
		return
	case w.single:
		w.place = alone
	default:
		w.place = along
	}
	s.behind = append(s.behind, w)
}

func (s *Stream) unusedID() int64 {
	for {
		id := s.nextID
		s.nextID++
		if _, taken := s.find(id); !taken {
			return id
		}
	}
}

func (s *Stream) cancel(id int64, view *mvcc.View) {
	i, ok := s.find(id)
	if !ok {
		return // etcd does not answer
	}
	if w := s.watchers[i]; w.place != over {
		s.end(w)
	}
	s.watchers = slices.Delete(s.watchers, i, i+1)
	s.out = append(s.out, &pb.WatchResponse{
		Header:   &pb.ResponseHeader{Revision: view.Revision()},
		WatchId:  id,
		Canceled: true,
	})
}

// end takes w out of all but watchers: nothing is delivered to it any more.
func (s *Stream) end(w *watcher) {
	s.index.remove(w)
	w.events, s.gathered = nil, s.gathered-w.bytes
	if s.seat != nil {
		s.seat.left = append(s.seat.left, w)
	}
	if w.progress {
		s.reporters--
	}
	if w.place == listening {
		s.listeners--
	} else {
		s.behind = slices.DeleteFunc(s.behind, func(other *watcher) bool { return other == w })
	}
	w.place = over
}

// find gives the place of the watcher with this ID, and whether there is one.
func (s *Stream) find(id int64) (int, bool) {
	return slices.BinarySearchFunc(s.watchers, id, func(w *watcher, id int64) int {
		return cmp.Compare(w.id, id)
	})
}
