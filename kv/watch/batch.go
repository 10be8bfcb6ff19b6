package watch

import (
	"sync/atomic"

	"go.etcd.io/etcd/api/v3/mvccpb"
)

// batchRevisionsMax is how many revisions one response has for a watch that catches up; the rest
// is in further responses. etcd's.
const batchRevisionsMax = 1000

// A Budget bounds what the streams of one server gather together for watches that catch up. Each
// stream has one step's bytes without it; one that would take more than is left sends what it has
// instead, in as many more responses. Streams on any goroutine may share one.
type Budget struct{ left atomic.Int64 }

// NewBudget is a budget of so many bytes.
func NewBudget(bytes int64) *Budget {
	b := new(Budget)
	b.left.Store(bytes)
	return b
}

// take takes bytes out, if there are so many.
func (b *Budget) take(bytes int) bool {
	if b == nil {
		return true
	}
	if b.left.Add(-int64(bytes)) < 0 {
		b.left.Add(int64(bytes))
		return false
	}
	return true
}

func (b *Budget) give(bytes int) {
	if b != nil {
		b.left.Add(int64(bytes))
	}
}

// gather keeps an event for a watcher that is behind, until a response is full or the watcher has
// caught up: etcd's clients find in one response what there was to catch up on.
func (s *Stream) gather(w *watcher, e *mvccpb.Event) {
	n := len(w.events)
	if n == 0 || w.events[n-1].Kv.ModRevision < e.Kv.ModRevision {
		if w.revisions == batchRevisionsMax {
			s.emit(w, e.Kv.ModRevision-1)
		}
		w.revisions++
	}
	size := eventBytes(e)
	w.events, w.bytes, s.gathered = append(w.events, e), w.bytes+size, s.gathered+size
}

// Waiting tells how many watches are behind, and how many events were gathered for them.
func (s *Stream) Waiting() (watches, events int) {
	for _, w := range s.behind {
		events += len(w.events)
	}
	return len(s.behind), events
}

// full tells whether those behind must be given what was gathered for them, although there is more.
func (s *Stream) full() bool {
	if s.gathered >= s.options.BatchBytes {
		return true
	}
	more := s.gathered - s.options.StepBytes - s.reserved
	if more <= 0 {
		return false
	}
	if !s.options.Budget.take(more) {
		return true
	}
	s.reserved += more
	return false
}

// release gives back to the budget what was sent meanwhile.
func (s *Stream) release() {
	if spare := s.reserved - max(0, s.gathered-s.options.StepBytes); spare > 0 {
		s.options.Budget.give(spare)
		s.reserved -= spare
	}
}

// Close ends the stream: it gives back what it has of the budget. Only Take may follow.
func (s *Stream) Close() {
	s.options.Budget.give(s.reserved)
	s.reserved = 0
}
