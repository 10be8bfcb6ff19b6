package server

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"strings"

	"go.etcd.io/etcd/client/pkg/v3/types"
)

// listen opens a listener for each URL, all or none.
func listen(urls types.URLs, config *tls.Config) ([]net.Listener, error) {
	var all []net.Listener
	for _, url := range urls {
		network, address := "tcp", url.Host
		if isUnix(url.Scheme) {
			network, address = "unix", url.Host+url.Path
			if err := os.Remove(address); err != nil && !errors.Is(err, os.ErrNotExist) {
				return nil, errors.Join(err, closeAll(all))
			}
		}
		listener, err := net.Listen(network, address)
		if err != nil {
			return nil, errors.Join(err, closeAll(all))
		}
		if isSecure(url.Scheme) {
			listener = tls.NewListener(listener, withHTTP2(config))
		}
		all = append(all, listener)
	}
	return all, nil
}

// withHTTP2 offers the protocol that gRPC clients insist on.
func withHTTP2(config *tls.Config) *tls.Config {
	config = config.Clone()
	if len(config.NextProtos) == 0 {
		config.NextProtos = []string{"h2"}
	}
	return config
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
