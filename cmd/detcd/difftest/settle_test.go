package difftest

import (
	"bytes"
	"slices"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"
)

// settle waits until every watcher of both sides has seen all that it will see of what has
// happened, and compares it.
func (s *session) settle() {
	s.t.Helper()
	s.settleWitness()
	pause := time.Duration(0)
	for _, open := range s.streams[1:] {
		for id, watcher := range open.watchers {
			s.settleWatcher(open, id, watcher)
		}
		pause = max(pause, s.catchUp(open))
	}
	time.Sleep(pause)
	for _, open := range s.streams {
		for _, l := range []*listener{open.a, open.b} {
			s.checkEnds(open, l)
			s.checkBookmarks(open, l)
		}
		for id, watcher := range open.watchers {
			s.compareWatcher(open, id, watcher)
		}
	}
}

// settleWitness waits until the witness has seen the present, and continues the history.
func (s *session) settleWitness() {
	s.t.Helper()
	witness := s.streams[0]
	for _, l := range []*listener{witness.a, witness.b} {
		present := func() bool {
			events := append(s.history[:s.before:s.before], flatten(l.batches[witnessID])...)
			return events[len(events)-1].Kv.ModRevision >= s.now
		}
		if !l.await(s.patience, present) {
			s.fail("Watch: the witness of %s has not seen revision %d, stream: %v",
				s.name(witness, l), s.now, l.err)
		}
	}
	batches, _ := witness.a.seen(witnessID)
	s.history = append(s.history[:s.before], flatten(batches)...)
}

// name tells which side a listener is on.
func (s *session) name(of *stream, l *listener) string {
	if l == of.a {
		return "A"
	}
	return "B"
}

// settleWatcher waits until a watcher has as many events as it must get, or its end.
func (s *session) settleWatcher(on *stream, id int64, w *watcher) {
	s.t.Helper()
	expected := len(s.expected(w))
	for _, l := range []*listener{on.a, on.b} {
		complete := func() bool {
			ended := l.compacted[id] != nil
			return ended || !w.dead && len(flatten(l.batches[id])) >= expected
		}
		if !l.await(s.patience, complete) {
			batches, _ := l.seen(id)
			s.fail("Watch[%d]: watcher %d of %s has %d of %d events, dead %t, stream: %v",
				s.number(on), id, s.name(on, l), len(flatten(batches)), expected, w.dead, l.err)
		}
	}
}

// catchUp makes sure that the servers have done with a stream all that they will do: etcd looks
// after watchers that began in the past now and then, and detcd reads for all watchers of a stream
// after the answer to a write has left. A progress answer shows it, but a server gives none for a
// stream with a watcher that has ended or not begun; then only time helps, and catchUp returns how
// much.
func (s *session) catchUp(on *stream) time.Duration {
	s.t.Helper()
	pause := progressPause
	for _, w := range on.watchers {
		if w.behind {
			pause = quiet
		}
		w.behind = false
	}
	if on.halfway || !s.answersProgress(on) {
		return pause
	}
	for _, l := range []*listener{on.a, on.b} {
		s.askProgress(on, l)
	}
	return 0
}

// askProgress asks until one side answers. etcd passes over a question that comes before it has
// looked after a watcher that began in the past, which may be long after that has seen all.
func (s *session) askProgress(on *stream, l *listener) {
	s.t.Helper()
	before := len(l.bookmarksSoFar())
	answered := func() bool { return len(l.bookmarks) > before }
	for deadline := time.Now().Add(s.patience); time.Now().Before(deadline); {
		_ = l.stream.Send(progressRequest())
		if l.await(progressPause, answered) {
			return
		}
	}
	if !l.await(progressPause, answered) {
		s.fail("Watch[%d]: %s does not answer for its progress", s.number(on), s.name(on, l))
	}
}

// expected returns the events that a watcher must have seen by now.
func (s *session) expected(w *watcher) []*mvccpb.Event {
	var events []*mvccpb.Event
	for _, event := range s.history {
		if event.Kv.ModRevision >= w.from && w.wants(event) {
			events = append(events, event)
		}
	}
	return events
}

// wants tells whether a watcher asked for an event.
func (w *watcher) wants(event *mvccpb.Event) bool {
	put := event.Type == mvccpb.Event_PUT
	if put && slices.Contains(w.request.Filters, pb.WatchCreateRequest_NOPUT) ||
		!put && slices.Contains(w.request.Filters, pb.WatchCreateRequest_NODELETE) {
		return false
	}
	key, first, end := event.Kv.Key, w.request.Key, w.request.RangeEnd
	if len(first) == 0 {
		first = []byte{0}
	}
	switch {
	case len(end) == 0:
		return bytes.Equal(key, first)
	case bytes.Equal(end, []byte{0}):
		return bytes.Compare(key, first) >= 0
	}
	return bytes.Compare(key, first) >= 0 && bytes.Compare(key, end) < 0
}

// compareWatcher compares what a watcher has seen: on each side with the rules and with the
// history, and between the sides, previous values included.
func (s *session) compareWatcher(on *stream, id int64, w *watcher) {
	s.t.Helper()
	batchesA, endA := on.a.seen(id)
	batchesB, endB := on.b.seen(id)
	if w.dead {
		s.equal("Watch: the end of a watcher", answer{message: endA}, answer{message: endB})
		return
	}
	eventsA, eventsB := flatten(batchesA), flatten(batchesB)
	expected := s.expected(w)
	for i, batches := range [][]*pb.WatchResponse{batchesA, batchesB} {
		name := string(rune('A' + i))
		if err := checkBatches(batches, w.request.Fragment, s.header); err != nil {
			s.fail("Watch[%d]: watcher %d of %s: %v", s.number(on), id, name, err)
		}
		events := flatten(batches)
		if same := slices.EqualFunc(events, expected, sameBut); !same {
			s.fail("Watch[%d]: watcher %d of %s has seen\n  %v\nbut there was\n  %v",
				s.number(on), id, name, summary(events), summary(expected))
		}
	}
	for i := range eventsA {
		a, b := answer{message: eventsA[i]}, answer{message: eventsB[i]}
		s.equal("Watch: an event", a, b)
	}
}

// sameBut compares two events without their previous values.
func sameBut(a, b *mvccpb.Event) bool {
	return a.Type == b.Type && proto.Equal(a.Kv, b.Kv)
}

// summary prints events.
func summary(events []*mvccpb.Event) []string {
	var all []string
	for _, event := range events {
		all = append(all, text(event))
	}
	return all
}

// checkBookmarks holds one side to its promises: at a progress answer every watcher had seen all up
// to the revision of the answer.
func (s *session) checkBookmarks(on *stream, l *listener) {
	s.t.Helper()
	for _, mark := range l.bookmarksSoFar() {
		revision := mark.response.Header.GetRevision()
		err := checkHeader(mark.response.Header, s.base, s.header)
		rest := &pb.WatchResponse{Header: mark.response.Header, WatchId: everyWatcher}
		if err != nil || !proto.Equal(mark.response, rest) {
			s.fail("Watch[%d]: %s promised {%s}", s.number(on), s.name(on, l), text(mark.response))
		}
		for id, received := range mark.received {
			w := on.watchers[id]
			if w == nil || w.dead {
				continue
			}
			due := 0
			for _, event := range s.expected(w) {
				if event.Kv.ModRevision <= revision {
					due++
				}
			}
			if received < due {
				s.fail("Watch[%d]: %s promised watcher %d all up to %d after %d of %d events",
					s.number(on), s.name(on, l), id, revision, received, due)
			}
		}
	}
}

// checkEnds reports watchers that a side ended although nothing that they must see was compacted.
func (s *session) checkEnds(on *stream, l *listener) {
	s.t.Helper()
	for _, id := range l.ended() {
		if w := on.watchers[id]; w != nil && !w.dead {
			s.fail("Watch[%d]: %s ended watcher %d, which begins at %d; compacted is %d",
				s.number(on), s.name(on, l), id, w.from, s.compacted)
		}
	}
}
