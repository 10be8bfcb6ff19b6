package watch

import (
	"slices"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"detcd/kv/mvcc"
)

// Board knows the watches of many streams and looks at history for all of them, so that a change
// wakes those whom it concerns and nobody else. Its owner calls its methods one at a time; a Stream
// may take its steps meanwhile.
//
// A stream that uses it does this in every turn:
//
//  1. it takes in requests,
//  2. it has the board Sync it,
//  3. it gets a view, not before, and takes a Step in it,
//  4. it sleeps, unless there is more, until Look names it or it wants to.
//
// The board vouches for a span of history: it has looked there with all watches of the stream in
// mind. What it vouches for, the stream need not read. Three things end the span, and the stream
// then has to come to where the board is by its own reading, before the board vouches for more:
// a new watch, of which the board did not know; an event of one of its keys, whatever became of it;
// and history that the board could not read.
type Board struct {
	index index // the watches of all streams
	seats []*seat
	seen  int64 // it has looked at all revisions up to this one
}

// A seat is the place of one stream at a board.
type seat struct {
	stream        *Stream
	entered, left []*watcher // since Sync
	vouched       int64      // the board vouches for the revisions above it, and below called
	called        int64      // the first revision that may concern the stream; 0: none does
}

// NewBoard is a board that looks at the revisions above one.
func NewBoard(revision int64) *Board { return &Board{seen: revision} }

// Enter gives a new stream a seat.
func (b *Board) Enter(s *Stream) {
	s.seat = &seat{stream: s}
	b.seats = append(b.seats, s.seat)
}

// Leave takes the seat of a stream that has ended.
func (b *Board) Leave(s *Stream) {
	b.note(s.seat)
	for _, w := range s.watchers {
		if w.place != over {
			b.index.remove(w)
		}
	}
	b.seats = slices.DeleteFunc(b.seats, func(other *seat) bool { return other == s.seat })
	s.seat = nil
}

// Sync tells the board what watches a stream has, and the stream what it need not read.
func (b *Board) Sync(s *Stream) {
	seat := s.seat
	if s.live > seat.vouched {
		to := b.seen + 1
		if seat.called != 0 {
			to = seat.called
		}
		for _, w := range seat.entered {
			if w.place == listening { // the others read by themselves until they come to live
				to = min(to, w.next)
			}
		}
		s.live = max(s.live, to)
	}
	if len(seat.entered) > 0 || seat.called != 0 {
		seat.vouched, seat.called = b.seen, 0
	}
	b.note(seat)
}

// note takes over what watches came and went.
func (b *Board) note(seat *seat) {
	for _, w := range seat.entered {
		b.index.add(w)
	}
	for _, w := range seat.left {
		b.index.remove(w)
	}
	seat.entered, seat.left = nil, nil
}

// Look looks at what is new in a view, a bounded piece at a time, and names the streams that it
// concerns, each once until its next Sync. When there is more it wants to be called again. What it
// cannot read may concern everybody; they will find out what is wrong.
func (b *Board) Look(view *mvcc.View) (called []*Stream, more bool) {
	from := b.seen + 1
	to := min(view.Revision(), b.seen+passRevisionsMax)
	if from > to {
		return nil, false
	}
	call := func(seat *seat) {
		if seat.called == 0 {
			seat.called = from
			called = append(called, seat.stream)
		}
	}
	find := func(key []byte) bool {
		for _, w := range b.index.find(key) {
			call(w.seat)
		}
		return false
	}
	err := view.Events(from, to, find, func(int64, []*mvccpb.Event) bool { return true })
	if err != nil {
		for _, seat := range b.seats {
			call(seat)
		}
	}
	b.seen = to
	return called, to < view.Revision()
}
