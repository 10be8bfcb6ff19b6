package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// An address is where a member listens: "host:port", or a URL whose scheme is http (plain), https
// (TLS), unix or unixs.
type address struct {
	network string
	address string
	host    string // for TLS
	secure  bool
}

var errAddress = errors.New("transport: bad address")

func parseAddress(text string) (address, error) {
	scheme, rest, found := strings.Cut(text, "://")
	if !found {
		scheme, rest = "http", text
	}
	rest = strings.TrimSuffix(rest, "/")
	a := address{network: "tcp", address: rest, secure: scheme == "https" || scheme == "unixs"}
	switch scheme {
	case "http", "https":
		host, _, err := net.SplitHostPort(rest)
		if err != nil {
			return address{}, fmt.Errorf("%w %q: %w", errAddress, text, err)
		}
		a.host = host
	case "unix", "unixs":
		a.network, a.host = "unix", "localhost"
	default:
		return address{}, fmt.Errorf("%w %q: scheme %q", errAddress, text, scheme)
	}
	return a, nil
}

// sendBuffer is what the kernel holds of a connection that nobody has acknowledged. Where it
// grows by itself, megabytes wait behind a slow peer, and a dead one is noticed that much later.
const sendBuffer = 1 << 20

// dial connects, with TLS where the address asks for it. Keep-alive is off: pulses do it better.
func (a address) dial(
	ctx context.Context, config *tls.Config, limit time.Duration,
) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	dialer := net.Dialer{KeepAlive: -1}
	conn, err := dialer.DialContext(ctx, a.network, a.address)
	if err != nil {
		return nil, err
	}
	if plain, ok := conn.(*net.TCPConn); ok {
		if err := plain.SetWriteBuffer(sendBuffer); err != nil {
			conn.Close()
			return nil, err
		}
	}
	if !a.secure {
		return conn, nil
	}
	if config == nil { // a member that was told nothing of TLS trusts whom the system trusts
		config = new(tls.Config)
	}
	config = config.Clone()
	if config.ServerName == "" {
		config.ServerName = a.host
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, fmt.Errorf("transport: TLS with %s: %w", a.address, err)
	}
	return secure, nil
}

// A refusal is a handshake that the listener answered with another verdict than Welcome.
type refusal struct {
	verdict Verdict
	reason  string
}

// Error gives the reason that the listener gave.
func (r *refusal) Error() string { return "transport: refused: " + r.reason }

// shake performs the dialler's half of a handshake.
func shake(conn net.Conn, h hello, limit time.Duration) (welcome, error) {
	if err := conn.SetDeadline(time.Now().Add(limit)); err != nil {
		return welcome{}, err
	}
	if _, err := conn.Write(h.encode()); err != nil {
		return welcome{}, err
	}
	answer, err := readWelcome(conn)
	switch {
	case err != nil:
		return welcome{}, err
	case answer.verdict != Welcome:
		return answer, &refusal{answer.verdict, answer.reason}
	case answer.version != Version:
		return answer, &refusal{RefusedVersion, fmt.Sprintf("the listener speaks %d", answer.version)}
	}
	return answer, conn.SetDeadline(time.Time{})
}

// check says whether the listener is whom the dialler meant; a listener that did not look is
// caught.
func (w *welcome) check(h *hello) error {
	switch {
	case w.cluster != h.cluster:
		return &refusal{RefusedCluster, fmt.Sprintf("the listener is in cluster %x", w.cluster)}
	case w.self != h.to:
		return &refusal{RefusedMember, fmt.Sprintf("the listener is member %x", w.self)}
	}
	return nil
}
