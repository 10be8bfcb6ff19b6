package server

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/types"
	"golang.org/x/sys/unix"
)

// A place is an address to listen at, and what is spoken there: HTTP, HTTPS, or either.
type place struct {
	network, address string
	plain, secure    bool
}

// places are where URLs are. Those of one address are one place.
func places(urls types.URLs) (all []place) {
	for _, url := range urls {
		p := place{network: "tcp", address: url.Host}
		if isUnix(url.Scheme) {
			p.network, p.address = "unix", url.Host+url.Path
		}
		at := slices.IndexFunc(all, func(other place) bool {
			return other.network == p.network && other.address == p.address
		})
		if at < 0 {
			all, at = append(all, p), len(all)
		}
		all[at].secure = all[at].secure || isSecure(url.Scheme)
		all[at].plain = all[at].plain || !isSecure(url.Scheme)
	}
	return all
}

// listen opens a listener for each place, all or none.
func (o Sockets) listen(
	urls types.URLs, wrap func(net.Listener, place) net.Listener,
) ([]net.Listener, error) {
	config := net.ListenConfig{Control: o.control}
	var all []net.Listener
	for _, p := range places(urls) {
		if p.network == "unix" {
			if err := os.Remove(p.address); err != nil && !errors.Is(err, os.ErrNotExist) {
				return nil, errors.Join(err, closeAll(all))
			}
		}
		listener, err := config.Listen(context.Background(), p.network, p.address)
		if err != nil {
			return nil, errors.Join(err, closeAll(all))
		}
		all = append(all, wrap(listener, p))
	}
	return all, nil
}

// control sets the options of a socket before it is bound.
func (o Sockets) control(network, _ string, raw syscall.RawConn) error {
	if !o.ReusePort || strings.HasPrefix(network, "unix") {
		return nil
	}
	var failed error
	err := raw.Control(func(socket uintptr) {
		failed = unix.SetsockoptInt(int(socket), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	})
	return errors.Join(err, failed)
}

// An ackedListener ends connections whose other side acknowledges nothing for a while, where the
// system can.
type ackedListener struct {
	net.Listener
	after time.Duration // 0: what etcd does
}

// ackTime is what etcd's gRPC server takes.
const ackTime = 20 * time.Second

// Accept tells the system of the limit.
func (l *ackedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		giveUp(conn, cmp.Or(l.after, ackTime))
	}
	return conn, err
}

// overTLS speaks TLS at secure places, by way of secure, and offers these protocols unless the
// configuration does.
func overTLS(
	secure func(net.Listener, *tls.Config) net.Listener, config *tls.Config, protocols ...string,
) func(listener net.Listener, p place) net.Listener {
	return func(listener net.Listener, p place) net.Listener {
		if !p.secure {
			return listener
		}
		config := config.Clone()
		if len(config.NextProtos) == 0 {
			config.NextProtos = protocols
		}
		return secure(listener, config)
	}
}

func closeAll(listeners []net.Listener) error {
	var all []error
	for _, listener := range listeners {
		if err := listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}

func addresses(listeners []net.Listener) string {
	var all []string
	for _, listener := range listeners {
		all = append(all, listener.Addr().String())
	}
	return strings.Join(all, ",")
}
