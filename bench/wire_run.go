package bench

import (
	"errors"
	"os"
	"time"
)

// A slot is one client on a wire: at most one request under way.
type slot struct {
	*client
	turn        int       // requests made
	due         time.Time // when the one to send next is to be sent; zero without a pace
	started     time.Time // the latency of the one under way is counted from here
	stream      uint32
	request     []byte // gRPC message of the one under way
	unsent      []byte // the part of it that waits for a window
	open        bool   // more requests follow on the same stream
	window      int64  // of its stream
	answerBytes int
	problem     string // of the one that just ended
}

// A client is a source of requests with its number among all clients.
type client struct {
	number int
	source *source
}

// run sends the requests of the clients until the stage is over and every answer is there.
func (w *wire) run(st *stage, clients []*client, into *recorder) error {
	var waiting []*slot // not due yet, or about to send
	for _, c := range clients {
		s := &slot{client: c}
		s.due = st.due(c.number, 0)
		waiting = append(waiting, s)
	}
	for {
		var err error
		if waiting, err = w.sendDue(st, waiting, time.Now()); err != nil {
			return err
		}
		if len(waiting) == 0 && len(w.slots) == 0 {
			return nil
		}
		if err := w.flush(); err != nil {
			return err
		}
		if ready, err := w.await(st, waiting); err != nil {
			return err
		} else if !ready {
			continue
		}
		if waiting, err = w.readAll(st, waiting, into); err != nil {
			return err
		}
	}
}

// readAll reads one frame and then all that have already come. A slot whose call ended sends its
// next request at once, or joins those that wait.
func (w *wire) readAll(st *stage, waiting []*slot, into *recorder) ([]*slot, error) {
	for first := true; first || w.in.Buffered() > 0; first = false {
		s, err := w.readFrame()
		if err != nil {
			return nil, err
		}
		if s == nil {
			continue
		}
		now := time.Now()
		s.finish(now, into)
		s.due = st.due(s.number, s.turn)
		if s.due.After(now) || st.closed() {
			waiting = append(waiting, s)
		} else if st.take(now) {
			if err := w.send(s, now); err != nil {
				return nil, err
			}
		}
	}
	return waiting, nil
}

// sendDue sends for the slots that are due and returns those that are not. A slot that finds the
// stage over is dropped.
func (w *wire) sendDue(st *stage, waiting []*slot, now time.Time) ([]*slot, error) {
	rest := waiting[:0]
	for _, s := range waiting {
		switch {
		case s.due.After(now) && (st.total > 0 || s.due.Before(st.end)):
			rest = append(rest, s)
		case s.due.After(now):
		case st.closed():
			rest = append(rest, s)
		case st.take(now):
			if err := w.send(s, now); err != nil {
				return nil, err
			}
		}
	}
	return rest, nil
}

// await waits until there is something to read, or the first of the waiting slots is due, or it is
// time to look whether the stage is open again.
func (w *wire) await(st *stage, waiting []*slot) (ready bool, err error) {
	if len(waiting) > 0 {
		first := waiting[0].due
		for _, s := range waiting {
			if s.due.Before(first) {
				first = s.due
			}
		}
		if st.gate != nil && st.period == 0 {
			first = time.Now().Add(gateInterval)
		}
		if err := w.doze(first); err != nil {
			return false, err
		}
	}
	_, err = w.in.Peek(1)
	if len(waiting) == 0 {
		return err == nil, err
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil
	} else {
		ready = err == nil
	}
	return ready, errors.Join(err, w.rise())
}

// send begins the next call of a slot.
func (w *wire) send(s *slot, now time.Time) error {
	if w.nextStream > wireStreamMax {
		return errors.New("a connection carries no more than 2^30 calls")
	}
	s.started = now
	if !s.due.IsZero() {
		s.started = s.due
	}
	message := s.source.next(s.started)
	var err error
	if s.request, err = appendMessage(s.request[:0], message); err != nil {
		return err
	}
	s.unsent = s.request
	s.stream, s.window, s.answerBytes = w.nextStream, w.streamWindow, 0
	w.nextStream += 2
	w.slots[s.stream] = s
	s.turn++
	w.writeHeaders(s)
	w.blocked = append(w.blocked, s)
	w.unblock()
	return nil
}

// finish counts the call that ended.
func (s *slot) finish(now time.Time, into *recorder) {
	switch {
	case s.problem != "":
		into.failed(s.problem)
	case s.answerBytes < s.source.want:
		into.failed(errShort)
	default:
		into.ok(now.Sub(s.started))
	}
}
