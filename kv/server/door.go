package server

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// A door is where the connections of clients arrive, whatever they speak. gRPC asks it to shake
// hands; what turns out not to be gRPC is dispatched to HTTP. So a connection of gRPC is gRPC's
// from its first byte on, and costs one look at its preface (decision 1101).
//
//	TLS, client knows h2 only ───────────► by its first request: gRPC, or HTTP
//	TLS, client knows h2 and http/1.1 ───► HTTP, which hands requests of gRPC over one by one
//	TLS, client knows neither, no TLS ───► "PRI * HTTP/2.0…" gRPC; anything else HTTP
//
// It is open when the cluster knows the member: until then gRPC shakes no hands, so that no client
// is told of a member without a name, and a client that knows others takes one of them.
type door struct {
	credentials.TransportCredentials // what it does not say itself
	log                              *slog.Logger
	arrived                          sync.Map  // net.Conn to *entrance, until hands are shaken
	lines                            sync.Map  // *line that gRPC serves
	web                              *handover // HTTP
	traffic                          traffic
	opened, shut                     chan struct{}
	opens, shuts                     sync.Once
}

// open lets everybody in.
func (d *door) open() { d.opens.Do(func() { close(d.opened) }) }

// await waits until the door is open. It is false if that does not come about.
func (d *door) await(ctx context.Context) bool {
	select {
	case <-d.opened:
		return true
	case <-d.shut:
	case <-ctx.Done():
	}
	return false
}

// traffic is what gRPC has exchanged with clients, in bytes.
type traffic struct{ received, sent atomic.Uint64 }

// An entrance is one listener of a door.
type entrance struct {
	net.Listener
	door *door
	tls  *tls.Config // nil: none is spoken
	bare bool        // it may be spoken without TLS
	http bool        // what is not gRPC is HTTP, else it is refused
}

func newDoor(log *slog.Logger) *door {
	return &door{
		TransportCredentials: insecure.NewCredentials(), log: log, web: newHandover(),
		opened: make(chan struct{}), shut: make(chan struct{}),
	}
}

// enter makes a listener of gRPC out of one of the system.
func (d *door) enter(listener net.Listener, config *tls.Config, bare, http bool) *entrance {
	if config != nil {
		config = config.Clone()
		config.NextProtos = []string{"h2", "http/1.1"}
		note := config.GetConfigForClient
		config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			if raw, ok := hello.Conn.(*greeted); ok {
				raw.protocols = hello.SupportedProtos
			}
			if note == nil {
				return nil, nil
			}
			return note(hello)
		}
	}
	return &entrance{listener, d, config, bare, http}
}

// Accept notes by which entrance a connection came. The connection itself goes on as it is: gRPC
// asks it for its TCP half.
func (e *entrance) Accept() (net.Conn, error) {
	conn, err := e.Listener.Accept()
	if err == nil {
		e.door.arrived.Store(conn, e)
	}
	return conn, err
}

// ServerHandshake decides who serves a connection. gRPC sets the time limit.
func (d *door) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	value, ok := d.arrived.Load(raw)
	if !ok { // of this process, by way of memory
		return raw, nil, nil
	}
	defer d.arrived.Delete(raw)
	conn, first, info, err := value.(*entrance).shake(raw)
	if err != nil {
		if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
			d.log.Warn("rejected connection on client endpoint", slog.Any("error", err),
				slog.String("remote-addr", raw.RemoteAddr().String()))
		}
		return nil, nil, err
	}
	if info == nil {
		if len(first) > 0 { // else HTTP must see that it is TLS
			conn = &resumed{conn, first}
		}
		d.web.give(conn)
		return nil, nil, credentials.ErrConnDispatched
	}
	if !d.await(context.Background()) {
		return nil, nil, net.ErrClosed
	}
	l := &line{resumed{conn, first}, d}
	d.lines.Store(l, nil)
	return l, info, nil
}

var errNotGRPC = errors.New("only gRPC is served at this address")

// shake returns the connection, what was read of it, and what gRPC is told; nil: it is not gRPC.
func (e *entrance) shake(raw net.Conn) (
	conn net.Conn, first []byte, info credentials.AuthInfo, err error,
) {
	isGRPC, secure := false, e.tls != nil
	if secure && e.bare {
		if raw, secure, err = looksSecure(raw); err != nil {
			return nil, nil, nil, err
		}
	}
	if !secure {
		conn, info = raw, plainInfo{}
		first, isGRPC, err = sniff(conn)
	} else {
		hello := &greeted{Conn: raw}
		secure := tls.Server(hello, e.tls)
		if err := secure.HandshakeContext(context.Background()); err != nil {
			return nil, nil, nil, err
		}
		state := secure.ConnectionState()
		conn, info = secure, credentials.TLSInfo{
			State: state, CommonAuthInfo: credentials.CommonAuthInfo{
				SecurityLevel: credentials.PrivacyAndIntegrity,
			},
		}
		switch state.NegotiatedProtocol {
		case "":
			first, isGRPC, err = sniff(conn)
		case "h2":
			switch {
			case !e.http:
				isGRPC = true
			case !slices.Contains(hello.protocols, "http/1.1"):
				first, isGRPC, err = hear(conn)
			}
		}
	}
	if isGRPC || err != nil {
		return conn, first, info, err
	}
	if !e.http {
		return nil, nil, nil, errNotGRPC
	}
	return conn, first, nil, nil
}

// plainInfo says of a connection that it is not secure.
type plainInfo struct{ credentials.CommonAuthInfo }

// AuthType is no way to know who somebody is.
func (plainInfo) AuthType() string { return "insecure" }

// looksSecure tells by its first byte whether a connection begins with a handshake of TLS
// (RFC 8446, section 5.1), and returns one that begins with that byte again.
func looksSecure(conn net.Conn) (net.Conn, bool, error) {
	const handshake = 22
	first := make([]byte, 1)
	if _, err := io.ReadFull(conn, first); err != nil {
		return nil, false, err
	}
	return &resumed{conn, first}, first[0] == handshake, nil
}

// forget shuts the door: it closes what has arrived and not spoken yet, so that nobody waits for it
// at the end.
func (d *door) forget() {
	d.shuts.Do(func() { close(d.shut) })
	d.arrived.Range(func(conn, _ any) bool {
		conn.(net.Conn).Close()
		return true
	})
}

// cut ends every connection of gRPC, whether it has spoken or not.
func (d *door) cut() {
	d.forget()
	d.lines.Range(func(l, _ any) bool {
		l.(*line).Close()
		return true
	})
}

// A greeted connection remembers which protocols the client knows.
type greeted struct {
	net.Conn
	protocols []string
}

// preface is how every connection of HTTP/2 begins (RFC 9113, section 3.4). No request of HTTP/1
// begins with its first word.
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// sniff reads until it knows whether a connection begins with the preface, and returns what it has
// read.
func sniff(conn net.Conn) (first []byte, isGRPC bool, err error) {
	first, n := make([]byte, len(preface)), 0
	for n < len(first) && string(first[:n]) == preface[:n] {
		m, err := conn.Read(first[n:])
		if n += m; err != nil {
			return nil, false, err
		}
	}
	return first[:n], string(first[:n]) == preface, nil
}

// secured is where the context of an HTTP connection has its TLS, if HTTP does not see by itself
// that the connection is secure: because it was looked at before.
type secured struct{}

// secure notes the TLS of a connection.
func (d *door) secure(ctx context.Context, conn net.Conn) context.Context {
	if seen, ok := conn.(*resumed); ok {
		if secure, ok := seen.Conn.(*tls.Conn); ok {
			state := secure.ConnectionState()
			return context.WithValue(ctx, secured{}, &state)
		}
	}
	return ctx
}

// A resumed connection begins again with what was read of it.
type resumed struct {
	net.Conn
	first []byte
}

// Read reads first what was read before.
func (r *resumed) Read(p []byte) (int, error) {
	if len(r.first) == 0 {
		return r.Conn.Read(p)
	}
	n := copy(p, r.first)
	if r.first = r.first[n:]; len(r.first) == 0 {
		r.first = nil
	}
	return n, nil
}

// A line is a connection of gRPC. What goes over it is counted.
type line struct {
	resumed
	door *door
}

// Read counts.
func (l *line) Read(p []byte) (int, error) {
	n, err := l.resumed.Read(p)
	l.door.traffic.received.Add(uint64(n))
	return n, err
}

// Write counts.
func (l *line) Write(p []byte) (int, error) {
	n, err := l.Conn.Write(p)
	l.door.traffic.sent.Add(uint64(n))
	return n, err
}

// Close ends it.
func (l *line) Close() error {
	l.door.lines.Delete(l)
	return l.Conn.Close()
}

// A handover is a listener whose connections somebody gives it.
type handover struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newHandover() *handover {
	return &handover{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (h *handover) give(conn net.Conn) {
	select {
	case h.conns <- conn:
	case <-h.closed:
		conn.Close()
	}
}

// Accept waits for a connection.
func (h *handover) Accept() (net.Conn, error) {
	select {
	case conn := <-h.conns:
		return conn, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept; what is given later is closed.
func (h *handover) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

// Addr is no address.
func (h *handover) Addr() net.Addr { return &net.UnixAddr{Name: "handed over", Net: "unix"} }
