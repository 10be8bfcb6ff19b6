package server

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"strings"
	"syscall"

	"go.etcd.io/etcd/client/pkg/v3/types"
	"golang.org/x/sys/unix"
)

// listen opens a listener for each URL, all or none.
func (o Sockets) listen(
	urls types.URLs, wrap func(net.Listener, bool) net.Listener,
) ([]net.Listener, error) {
	config := net.ListenConfig{Control: o.control}
	var all []net.Listener
	for _, url := range urls {
		network, address := "tcp", url.Host
		if isUnix(url.Scheme) {
			network, address = "unix", url.Host+url.Path
			if err := os.Remove(address); err != nil && !errors.Is(err, os.ErrNotExist) {
				return nil, errors.Join(err, closeAll(all))
			}
		}
		listener, err := config.Listen(context.Background(), network, address)
		if err != nil {
			return nil, errors.Join(err, closeAll(all))
		}
		all = append(all, wrap(listener, isSecure(url.Scheme)))
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

// overTLS speaks TLS at secure URLs, and offers these protocols unless the configuration does.
func overTLS(
	config *tls.Config, protocols ...string,
) func(listener net.Listener, secure bool) net.Listener {
	return func(listener net.Listener, secure bool) net.Listener {
		if !secure {
			return listener
		}
		config := config.Clone()
		if len(config.NextProtos) == 0 {
			config.NextProtos = protocols
		}
		return tls.NewListener(listener, config)
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
