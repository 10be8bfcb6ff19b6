package difftest

import (
	"fmt"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"pgregory.net/rapid"
)

// A stream is one watch stream on both sides, with what the session knows of its watchers.
type stream struct {
	a, b     *listener
	watchers map[int64]*watcher // that the servers know: cancelled ones are gone
	answered int                // control answers that were compared
	halfway  bool               // the client has closed its half
}

// A watcher is what a session expects of one watcher.
type watcher struct {
	request *pb.WatchCreateRequest
	from    int64 // first revision that it sees
	dead    bool  // it began before what was compacted, and is ended by the servers
	behind  bool  // it began in the past and has not been seen to catch up
}

// streamsMax bounds the open streams of a session.
const streamsMax = 4

// openStream opens a stream on both sides.
func (s *session) openStream() *stream {
	opened := &stream{watchers: map[int64]*watcher{}}
	err := s.pair.both(func(side *side) (err error) {
		if side == s.pair.a {
			opened.a, err = side.listen()
		} else {
			opened.b, err = side.listen()
		}
		return err
	})
	if err != nil {
		s.fail("Watch: %v", err)
	}
	s.streams = append(s.streams, opened)
	return opened
}

// openWitness opens the watch of everything from now on.
func (s *session) openWitness() {
	s.before = len(s.history)
	everything := []byte{0}
	s.create(s.openStream(), &pb.WatchCreateRequest{
		Key: everything, RangeEnd: everything, WatchId: witnessID, PrevKv: true,
	})
}

// witnessID is the watcher of the first stream that sees everything.
const witnessID = 1000

// stepWatch does one step on a watch.
func (s *session) stepWatch(t *rapid.T, do string) {
	number := rapid.IntRange(1, streamsMax-1).Draw(t, "stream")
	if do == "settle" {
		s.settle()
		return
	}
	if number >= len(s.streams) {
		if do == "watch" {
			s.create(s.openStream(), drawWatch(t, s.moment()))
		}
		return
	}
	chosen := s.streams[number]
	switch {
	case do == "close" && seldom(t, "whole", 2):
		s.settle()
		s.closeStream(number)
	case chosen.halfway:
	case do == "watch":
		s.create(chosen, drawWatch(t, s.moment()))
	case do == "cancel":
		s.cancel(chosen, drawWatcher(t))
	case do == "progress":
		s.progress(chosen)
	case do == "close":
		s.note("Watch[%d].CloseSend", number)
		chosen.halfway = true
		_ = chosen.a.stream.CloseSend()
		_ = chosen.b.stream.CloseSend()
	}
}

// drawWatch draws every field of a watch.
func drawWatch(t *rapid.T, at moment) *pb.WatchCreateRequest {
	key, end := drawRange(t)
	r := &pb.WatchCreateRequest{
		Key: key, RangeEnd: end,
		ProgressNotify: seldom(t, "progress notify", 4),
		PrevKv:         seldom(t, "prev kv", 2),
		Fragment:       seldom(t, "fragment", 3),
	}
	if seldom(t, "start", 2) {
		r.StartRevision = drawRevision(t, at)
	}
	if seldom(t, "chosen", 3) {
		r.WatchId = pick[int64](t, "ID", 1, 2, 3, 5, -7)
	}
	for range pick(t, "filters", 0, 0, 0, 1, 1, 2) {
		filter := pick[pb.WatchCreateRequest_FilterType](t, "filter", 0, 0, 1, 1, 2, -1)
		r.Filters = append(r.Filters, filter)
	}
	return r
}

// drawWatcher draws a watcher to cancel, that may be there or not.
func drawWatcher(t *rapid.T) int64 {
	return pick[int64](t, "watcher", 0, 0, 1, 1, 2, 3, 5, -7, 77)
}

func createRequest(r *pb.WatchCreateRequest) *pb.WatchRequest {
	return &pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: r}}
}

func cancelRequest(id int64) *pb.WatchRequest {
	r := &pb.WatchCancelRequest{WatchId: id}
	return &pb.WatchRequest{RequestUnion: &pb.WatchRequest_CancelRequest{CancelRequest: r}}
}

func progressRequest() *pb.WatchRequest {
	r := &pb.WatchProgressRequest{}
	return &pb.WatchRequest{RequestUnion: &pb.WatchRequest_ProgressRequest{ProgressRequest: r}}
}

// send sends the same on both sides of a stream. What goes wrong ends the stream and is seen there.
func (s *session) send(to *stream, request *pb.WatchRequest) {
	_ = to.a.stream.Send(request)
	_ = to.b.stream.Send(request)
}

// answer waits for the next control answer on both sides, compares and returns it.
func (s *session) answer(of *stream, what string) *pb.WatchResponse {
	s.t.Helper()
	next := func(l *listener) answer {
		more := func() bool { return len(l.control) > of.answered }
		if !l.await(s.patience, more) {
			return answer{err: fmt.Errorf("no answer, stream: %v", l.err)}
		}
		return answer{message: l.control[of.answered]}
	}
	a, b := next(of.a), next(of.b)
	s.note("%s → %s", what, outcome(a))
	s.equal(what, a, b)
	if a.err != nil {
		s.fail("%s: %v", what, a.err)
	}
	of.answered++
	return a.message.(*pb.WatchResponse)
}

// create creates a watcher.
func (s *session) create(on *stream, request *pb.WatchCreateRequest) {
	s.send(on, createRequest(request))
	response := s.answer(on, fmt.Sprintf("Watch[%d].Create{%s}", s.number(on), text(request)))
	if response.Canceled {
		return
	}
	if !response.Created {
		s.fail("Watch: the answer to a create does not say created")
	}
	created := &watcher{request: request, from: request.StartRevision}
	if created.from == 0 {
		created.from = s.now + 1
	}
	created.behind = created.from <= s.now
	created.dead = created.behind && created.from < s.compacted
	on.watchers[response.WatchId] = created
}

// number returns the place of a stream in the session.
func (s *session) number(of *stream) int {
	for i, open := range s.streams {
		if open == of {
			return i
		}
	}
	return -1
}

// cancel cancels a watcher, once all that it will ever see has arrived. A server does not answer
// when it knows no such watcher; that it stays silent shows when the next answers are compared.
func (s *session) cancel(on *stream, id int64) {
	s.settle()
	s.send(on, cancelRequest(id))
	what := fmt.Sprintf("Watch[%d].Cancel{%d}", s.number(on), id)
	if on.watchers[id] == nil {
		s.note("%s", what)
		return
	}
	delete(on.watchers, id)
	s.answer(on, what)
}

// progress asks for progress on both sides. Whether a server answers depends on its watchers.
func (s *session) progress(on *stream) {
	s.note("Watch[%d].Progress", s.number(on))
	for _, l := range []*listener{on.a, on.b} {
		if s.answersProgress(on) {
			s.askProgress(on, l)
			continue
		}
		before := len(l.bookmarksSoFar())
		_ = l.stream.Send(progressRequest())
		l.await(progressPause, func() bool { return len(l.bookmarks) > before })
	}
}

// answersProgress tells whether a server must answer for the progress of a stream: it has watchers,
// all of them have begun, none has ended and none is behind.
func (s *session) answersProgress(on *stream) bool {
	for _, w := range on.watchers {
		if w.behind || w.dead || w.request.StartRevision > s.now {
			return false
		}
	}
	return len(on.watchers) > 0
}

// closeStream ends a stream.
func (s *session) closeStream(number int) {
	s.note("Watch[%d].close", number)
	s.hangUp(s.streams[number])
	s.streams = append(s.streams[:number], s.streams[number+1:]...)
}

// hangUp ends a stream after a last look at what should not have come.
func (s *session) hangUp(closed *stream) {
	for _, l := range []*listener{closed.a, closed.b} {
		l.mu.Lock()
		extra, err := len(l.control)-closed.answered, l.err
		l.mu.Unlock()
		if extra > 0 || err != nil {
			s.fail("Watch: %d control answers too many, stream: %v", extra, err)
		}
		l.hangUp()
	}
}

// How long to wait: until etcd has looked after a watcher that is behind; for an answer that may
// not come.
const (
	quiet         = 300 * time.Millisecond
	progressPause = 25 * time.Millisecond
)
