package transport

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"slices"
	"time"
)

const (
	readBufferSize = 64 << 10
	// idleTimeouts is how many time-outs an accepted connection may be silent; its sender pulses
	// several times in each, so a silent one is dead.
	idleTimeouts = 10
	// acceptPause follows a failed accept, which usually means that there are no file descriptors.
	acceptPause = 100 * time.Millisecond
	// refusalsMax bounds what is remembered of refused senders; beyond it counting starts anew.
	refusalsMax = 1024
	// strangersMax bounds the connections of senders that are not known as members here; one more
	// ends the oldest of them.
	strangersMax = 8
)

// accept takes connections from a listener until it is closed.
func (t *Transport) accept(listener net.Listener) {
	listener = t.places.listen(listener)
	for {
		conn, err := listener.Accept()
		switch {
		case err == nil:
			if !t.admit(conn) {
				conn.Close()
			}
		case t.ctx.Err() != nil || errors.Is(err, net.ErrClosed):
			return
		default:
			if t.worthLogging(refusalKey{}) {
				t.options.Log.Warn("cannot accept a peer connection", slog.Any("error", err))
			}
			select {
			case <-time.After(acceptPause):
			case <-t.ctx.Done():
			}
		}
	}
}

// noPlace logs that a connection had to end because there are too many of who is no member.
func (t *Transport) noPlace(times uint64, remote net.Addr) {
	if times&(times-1) == 0 {
		t.options.Log.Warn("rejected connection on peer endpoint",
			slog.String("error", "too many connections; who was silent or quiet gives way"),
			slog.Uint64("times", times), slog.String("remote-addr", remote.String()))
	}
}

// admit starts to serve an accepted connection, unless the transport is closed.
func (t *Transport) admit(conn net.Conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ctx.Err() != nil {
		return false
	}
	t.accepted[conn] = struct{}{}
	t.group.Go(func() { t.receive(conn) })
	return true
}

// forget ends the transport's part in a connection.
func (t *Transport) forget(conn net.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.accepted, conn)
}

// receive serves one accepted connection.
func (t *Transport) receive(conn net.Conn) {
	defer t.forget(conn)
	timed := &timedConn{Conn: conn, limit: t.options.Bounds.Timeout}
	buffered := bufio.NewReaderSize(timed, readBufferSize)
	first, err := buffered.Peek(1)
	if err == nil && first[0] != helloMagic[0] && t.options.Other != nil {
		timed.limit = 0
		if conn.SetDeadline(time.Time{}) == nil {
			t.options.Other(&replayConn{Conn: conn, reader: buffered})
			return
		}
	}
	defer conn.Close()
	if err != nil {
		t.tellRejected(conn, err)
		return
	}
	h, err := readHello(buffered)
	if err != nil {
		t.options.Log.Warn("bad handshake of a peer",
			slog.String("remote-addr", conn.RemoteAddr().String()), slog.Any("error", err))
		return
	}
	if !t.welcome(conn, h) {
		return
	}
	if h.purpose == purposeQuestion {
		t.answer(conn, buffered)
		return
	}
	defer t.settle(placeOf(conn), h.from)()
	if h.purpose > lent {
		timed.limit = 0 // the echo of a pulse has a limit of its own
		if conn.SetReadDeadline(time.Time{}) == nil {
			t.borrow(&replayConn{Conn: conn, reader: buffered}, h)
		}
		return
	}
	timed.limit = idleTimeouts * t.options.Bounds.Timeout
	err = t.receiveFrames(conn, buffered, incomingKey{h.from, h.purpose}, h.incarnation)
	if t.ctx.Err() == nil && !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
		t.options.Log.Warn("lost the connection of a peer", slog.String("remote-peer-id", hex(h.from)),
			slog.String("lane", Lane(h.purpose).String()), slog.Any("error", err))
	}
}

// settle finds a place for a connection whose sender was welcomed: a member's does not count. Who
// is not known here may be a member all the same, which this one has not heard of yet; a few are
// listened to. The function that it returns is called when the connection ends.
func (t *Transport) settle(conn *place, from uint64) (ended func()) {
	if t.peer(from) != nil {
		conn.keep()
		return func() {}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.strangers) >= strangersMax {
		closeNow(t.strangers[0].Conn)
		t.strangers = t.strangers[1:]
	}
	t.strangers = append(t.strangers, conn)
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.strangers = slices.DeleteFunc(t.strangers, func(c *place) bool { return c == conn })
	}
}

// noHandshake stands for a verdict on who did not get as far as to be judged.
const noHandshake = ^Verdict(0)

// tellRejected tells of a connection that did not get through the handshake of TLS, in etcd's
// words: whoever it was learns the reason from nobody else.
func (t *Transport) tellRejected(conn net.Conn, err error) {
	secure, ok := conn.(*tls.Conn)
	if !ok || secure.ConnectionState().HandshakeComplete || errors.Is(err, io.EOF) ||
		errors.Is(err, net.ErrClosed) || !t.worthLogging(refusalKey{verdict: noHandshake}) {
		return
	}
	t.options.Log.Warn("rejected connection on peer endpoint",
		slog.String("remote-addr", conn.RemoteAddr().String()), slog.Any("error", err))
}

// welcome judges a hello and answers it.
func (t *Transport) welcome(conn net.Conn, h hello) bool {
	verdict, reason := t.judge(h)
	answer := welcome{
		version: Version, verdict: verdict, reason: reason, cluster: t.options.Cluster,
		self: t.options.Self, incarnation: t.options.Incarnation,
	}
	if verdict != Welcome && t.worthLogging(refusalKey{h.from, verdict}) {
		t.options.Log.Warn("refused the connection of a peer",
			slog.String("remote-peer-id", hex(h.from)), slog.String("reason", reason),
			slog.String("remote-addr", conn.RemoteAddr().String()))
	}
	if conn.SetWriteDeadline(time.Now().Add(t.options.Bounds.Timeout)) != nil {
		return false
	}
	_, err := conn.Write(answer.encode())
	return err == nil && verdict == Welcome
}

// worthLogging counts a refusal; those that are powers of two are logged.
func (t *Transport) worthLogging(key refusalKey) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.refusals) >= refusalsMax {
		clear(t.refusals)
	}
	t.refusals[key]++
	n := t.refusals[key]
	return n&(n-1) == 0
}

// receiveFrames delivers the messages of one connection until it ends.
func (t *Transport) receiveFrames(
	conn net.Conn, stream io.Reader, key incomingKey, incarnation uint64,
) error {
	t.replace(key, conn)
	defer t.release(key, conn)
	frames := frameReader{stream: stream, sizeMax: t.options.Bounds.MessageBytes}
	echo := appendFrame(nil, framePulse, nil)
	sender := t.peer(key.from)
	for {
		kind, payload, err := frames.next()
		if err != nil {
			return err
		}
		if kind == framePulse {
			if err := conn.SetWriteDeadline(time.Now().Add(t.options.Bounds.Timeout)); err != nil {
				return err
			}
			if _, err := conn.Write(echo); err != nil {
				return err
			}
			sender = t.peer(key.from)
			continue
		}
		if sender == nil { // it may have come before its name
			sender = t.peer(key.from)
		}
		if sender != nil {
			sender.receivedFrames.Add(1)
			sender.receivedBytes.Add(uint64(len(payload) + frameHeaderSize))
		}
		t.options.Deliver(key.from, incarnation, payload)
	}
}

// replace makes this the one connection of its sender and lane; and the sender can be reached
// again.
func (t *Transport) replace(key incomingKey, conn net.Conn) {
	t.mu.Lock()
	older, p := t.latest[key], t.peers[key.from]
	t.latest[key] = conn
	t.mu.Unlock()
	if older != nil {
		older.Close()
	}
	if p != nil {
		p.kick()
	}
}

func (t *Transport) release(key incomingKey, conn net.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.latest[key] == conn {
		delete(t.latest, key)
	}
}

// A timedConn gives every read a time limit of its own; 0 is none.
type timedConn struct {
	net.Conn
	limit time.Duration
}

// Read reads within the limit.
func (c *timedConn) Read(b []byte) (int, error) {
	if c.limit > 0 {
		if err := c.SetReadDeadline(time.Now().Add(c.limit)); err != nil {
			return 0, err
		}
	}
	return c.Conn.Read(b)
}

// A replayConn is a connection of which some bytes were read ahead.
type replayConn struct {
	net.Conn
	reader io.Reader
}

// Read returns the bytes read ahead first.
func (c *replayConn) Read(b []byte) (int, error) { return c.reader.Read(b) }

// watch closes the connection when the context ends; stop ends the watching.
func watch(ctx context.Context, conn net.Conn) (stop func() bool) {
	return context.AfterFunc(ctx, func() { conn.Close() })
}
