package transport

import (
	"bufio"
	"context"
	"log/slog"
	"net"
	"time"
)

// Members are not always dialled as easily as they dial: one is behind a firewall or a translator
// of addresses, or it has just been given an https URL by way of which the others, which were told
// of no certificates yet, do not reach it. What a cluster needs then is there all the same, a
// connection; only its direction is wrong:
//
//  1. A dials B. B cannot dial A.
//  2. A has heard nothing from B for a while on a lane on which it speaks to B itself. It dials B
//     once more and says in the hello that this connection is lent.
//  3. B writes what it has for A to that connection, as if it had dialled it, until it ends.
//
// So a stream still has messages one way and echoes the other. B refuses what it does not need.

// lendAfter is for how many pulses nothing must have been heard on a lane before a connection is
// lent; so many follow a loan that was refused or failed, and as many again.
const lendAfter = 2

// A loan is a connection that the peer has dialled and that is written to here.
type loan struct {
	conn     net.Conn
	returned chan struct{} // closed when nobody writes any more
}

// lendWhenUnheard lends the peer a connection whenever it is reached but not heard on a lane.
func (s *sender) lendWhenUnheard(ctx context.Context) {
	ticker := time.NewTicker(s.transport.options.Bounds.Timeout / pulsesPerTimeout)
	defer ticker.Stop()
	for unheard := 0; ; {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		if !s.connected.Load() || s.transport.hears(s.peer.id, purpose(s.lane)) {
			unheard = min(unheard, 0)
			continue
		}
		if unheard++; unheard >= lendAfter {
			s.lend(ctx)
			unheard = -lendAfter
		}
	}
}

// hears tells whether there is a connection on which a member speaks to this one.
func (t *Transport) hears(from uint64, on purpose) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.latest[incomingKey{from, on}] != nil
}

// lend dials the peer for it to write, and delivers what it does. It returns when that ends.
func (s *sender) lend(ctx context.Context) {
	t := s.transport
	conn, answer, err := s.connect(ctx, purpose(s.lane)+lent)
	if err != nil {
		return // it is connected after all, is of an older version, or is gone: the lane will tell
	}
	defer conn.Close()
	stop := watch(ctx, conn)
	defer stop()
	if t.options.Admit != nil {
		if verdict, _ := t.options.Admit(s.peer.id, answer.incarnation); verdict != Welcome {
			return
		}
	}
	t.options.Log.Info("lent a connection to a peer that has none to here", s.attributes())
	timed := &timedConn{Conn: conn, limit: idleTimeouts * t.options.Bounds.Timeout}
	stream, key := bufio.NewReaderSize(timed, readBufferSize), incomingKey{s.peer.id, purpose(s.lane)}
	err = t.receiveFrames(conn, stream, key, answer.incarnation)
	if ctx.Err() == nil {
		t.options.Log.Warn("lost the connection that was lent to a peer", s.attributes(),
			slog.Any("error", err))
	}
}

// borrow lets the sender of the lane write to a connection that the peer has lent, and returns when
// it does not any more.
func (t *Transport) borrow(conn net.Conn, h hello) {
	p := t.peer(h.from)
	if p == nil {
		return
	}
	l := loan{conn, make(chan struct{})}
	select {
	case p.senders[h.purpose-lent-1].loans <- l:
	default: // one waits already
		return
	}
	select {
	case <-l.returned:
	case <-p.gone:
	}
}

// judgeLoan says whether a connection that is lent would be of use.
func (t *Transport) judgeLoan(h hello) (Verdict, string) {
	p := t.peer(h.from)
	if p == nil || p.senders[h.purpose-lent-1].connected.Load() {
		return RefusedBusy, "no connection need be lent"
	}
	return Welcome, ""
}
