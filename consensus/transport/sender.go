package transport

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"
)

const (
	backoffMin = 50 * time.Millisecond
	// writeStep is how much one write call may carry, so that progress is seen on slow paths.
	writeStep = 256 << 10
	// rateMin is the bytes in a second below which a path is taken for dead.
	rateMin = 1 << 20
	// spareMax bounds the buffer that an idle lane keeps.
	spareMax = 1 << 20
	// pulsesPerTimeout is how many pulses are sent in the time after which a missing echo counts.
	pulsesPerTimeout = 4
)

var errEcho = errors.New("transport: no echo in time")

// A sender keeps one connection to one peer, for one lane, and writes the lane's queue to it.
type sender struct {
	transport *Transport
	peer      *peer
	lane      Lane
	queue     *queue
	kick      chan struct{} // holds a token when an attempt to connect may succeed now
	loans     chan loan     // holds a connection that the peer has dialled for this lane
	connected atomic.Bool
	trouble   trouble // why there is no connection, as far as it was logged
}

func newSender(t *Transport, p *peer, lane Lane) *sender {
	return &sender{
		transport: t, peer: p, lane: lane,
		queue: newQueue(), kick: make(chan struct{}, 1), loans: make(chan loan, 1),
	}
}

// run connects again and again until the context ends.
func (s *sender) run(ctx context.Context) {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for backoff := backoffMin; ; backoff = min(2*backoff, s.transport.options.Bounds.BackoffMax) {
		conn, _, err := s.connect(ctx, purpose(s.lane))
		if err == nil {
			backoff = backoffMin
			err = s.serve(ctx, conn)
		}
		if ctx.Err() != nil {
			s.queue.setOpen(false)
			return
		}
		s.down(err)
		pause.Reset(backoff/2 + rand.N(backoff/2))
		select {
		case <-pause.C:
		case <-s.kick:
		case l := <-s.loans:
			s.down(s.serve(ctx, l.conn))
			close(l.returned)
		case <-ctx.Done():
		}
	}
}

// connect tries each address of the peer once.
func (s *sender) connect(ctx context.Context, what purpose) (net.Conn, welcome, error) {
	err := errors.New("transport: no address is known")
	for _, text := range s.peer.addresses {
		var conn net.Conn
		var answer welcome
		if conn, answer, err = s.connectTo(ctx, text, what); err == nil {
			return conn, answer, nil
		}
	}
	return nil, welcome{}, err
}

func (s *sender) connectTo(
	ctx context.Context, text string, what purpose,
) (net.Conn, welcome, error) {
	options := &s.transport.options
	to, err := parseAddress(text)
	if err != nil {
		return nil, welcome{}, err
	}
	conn, err := to.dial(ctx, options.TLS, options.Bounds.Timeout)
	if err != nil {
		return nil, welcome{}, err
	}
	stop := watch(ctx, conn)
	defer stop()
	h := hello{
		version: Version, purpose: what, cluster: options.Cluster,
		from: options.Self, to: s.peer.id, incarnation: options.Incarnation,
	}
	answer, err := shake(conn, h, options.Bounds.Timeout)
	if err == nil {
		err = answer.check(&h)
	}
	if err != nil {
		conn.Close()
		return nil, welcome{}, err
	}
	return conn, answer, nil
}

// down notes that there is no connection, tells those who care, and logs what is new about it. Of a
// peer that cannot be reached at all one lane speaks.
func (s *sender) down(err error) {
	dropped := s.queue.setOpen(false)
	s.peer.dropped.Add(uint64(dropped))
	options, text := &s.transport.options, explain(err)
	if s.lane == LaneConsensus {
		s.peer.setDown(text)
		if options.Unreachable != nil {
			options.Unreachable(s.peer.id)
		}
	}
	speaks := s.lane == LaneConsensus || s.peer.isUp()
	if speaks && s.trouble.worthLogging(text, time.Now()) {
		options.Log.Warn("no connection to peer", s.attributes(), slog.String("error", text))
	}
	var refused *refusal
	if errors.As(err, &refused) && options.Refused != nil {
		options.Refused(s.peer.id, refused.verdict, refused.reason)
	}
}

func (s *sender) attributes() slog.Attr {
	name := ""
	if s.transport.options.Name != nil {
		name = s.transport.options.Name(s.peer.id)
	}
	return slog.Group("", slog.String("remote-peer-id", hex(s.peer.id)),
		slog.String("remote-peer-name", name), slog.Any("remote-peer-urls", s.peer.addresses),
		slog.String("lane", s.lane.String()))
}

// serve writes the queue to a fresh connection until it breaks or the context ends.
func (s *sender) serve(ctx context.Context, conn net.Conn) error {
	if s.trouble.over() {
		s.transport.options.Log.Info("connected to peer", s.attributes())
	}
	s.connected.Store(true)
	defer s.connected.Store(false)
	if s.lane == LaneConsensus {
		s.peer.setUp()
	}
	s.queue.setOpen(true)
	link := &link{sender: s, conn: conn, broken: make(chan error, 1)}
	s.transport.group.Go(link.readEchoes)
	defer conn.Close()
	return link.write(ctx)
}

// A link is one connection of a sender.
type link struct {
	sender *sender
	conn   net.Conn
	broken chan error // the reader's last word

	pulses     uint64        // sent
	echoes     atomic.Uint64 // received
	pulseTime  atomic.Int64  // when the last pulse was sent, in Unix nanoseconds
	pulseLimit time.Duration // how long its echo may take
	bytes      int           // written since the last pulse
}

// readEchoes reads what the listener sends back, until the connection ends.
func (l *link) readEchoes() {
	frames := frameReader{stream: l.conn}
	for {
		_, _, err := frames.next()
		if err != nil {
			l.broken <- err
			l.conn.Close()
			return
		}
		l.echoes.Add(1)
		if l.sender.lane == LaneConsensus {
			took := time.Now().UnixNano() - l.pulseTime.Load()
			l.sender.peer.echoed(time.Duration(took))
		}
	}
}

// write writes everything that is queued, and pulses.
func (l *link) write(ctx context.Context) error {
	timeout := l.sender.transport.options.Bounds.Timeout
	ticker := time.NewTicker(timeout / pulsesPerTimeout)
	defer ticker.Stop()
	var spare []byte
	for {
		var pulse bool
		select {
		case <-l.sender.queue.wake:
		case <-ticker.C:
			pulse = true
		case err := <-l.broken:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
		frames, count := l.sender.queue.take(spare)
		if pulse {
			due, err := l.pulse(timeout, len(frames))
			if err != nil {
				return err
			}
			if due {
				frames = appendFrame(frames, framePulse, nil)
			}
		}
		if err := l.writeAll(frames, timeout); err != nil {
			l.sender.peer.dropped.Add(uint64(count))
			return err
		}
		l.sender.peer.sentFrames.Add(uint64(count))
		if spare = frames; cap(spare) > spareMax {
			spare = nil
		}
	}
}

// pulse says whether the next pulse is due, behind more bytes; an error when the last echo is
// overdue.
func (l *link) pulse(timeout time.Duration, more int) (bool, error) {
	now := time.Now().UnixNano()
	if l.echoes.Load() < l.pulses {
		if time.Duration(now-l.pulseTime.Load()) > l.pulseLimit {
			return false, errEcho
		}
		return false, nil
	}
	l.pulses++
	l.pulseTime.Store(now)
	l.pulseLimit = timeout + transferTime(l.bytes+more)
	l.bytes = 0
	return true, nil
}

// transferTime is how long bytes may take on a path that is not dead.
func transferTime(bytes int) time.Duration {
	return time.Duration(bytes) * time.Second / rateMin
}

func (l *link) writeAll(frames []byte, timeout time.Duration) error {
	l.bytes += len(frames)
	for len(frames) > 0 {
		step := frames[:min(len(frames), writeStep)]
		deadline := time.Now().Add(timeout + transferTime(len(step)))
		if err := l.conn.SetWriteDeadline(deadline); err != nil {
			return err
		}
		n, err := l.conn.Write(step)
		l.sender.peer.sentBytes.Add(uint64(n))
		if err != nil {
			return err
		}
		frames = frames[n:]
	}
	return nil
}
