package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// A target is where a client connects to, and how.
type target struct {
	network, address string
	tls              *tls.Config // nil: without
	shows            bool        // a certificate of its own
}

// address reads an endpoint as clientv3 does.
func (s *session) address(endpoint string) (target, error) {
	t := target{network: "tcp", address: endpoint, shows: s.spec.Secure.Cert != ""}
	scheme, rest, found := strings.Cut(endpoint, "://")
	if !found {
		scheme = ""
	}
	config, err := clientv3.NewClientConfig(s.spec, nil)
	if err != nil {
		return t, err
	}
	switch scheme {
	case "unix", "unixs":
		t.network, t.address = "unix", rest
	case "http", "https":
		parsed, err := url.Parse(endpoint)
		if err != nil {
			return t, err
		}
		t.address = parsed.Host
	}
	switch {
	case scheme == "http", config.TLS == nil && scheme != "https" && scheme != "unixs":
		return t, nil
	case config.TLS == nil:
		t.tls = new(tls.Config)
	default:
		t.tls = config.TLS.Clone()
	}
	t.tls.NextProtos = []string{"h2"}
	if t.tls.ServerName == "" {
		if t.tls.ServerName, _, err = net.SplitHostPort(t.address); err != nil {
			t.tls.ServerName = t.address
		}
	}
	return t, nil
}

// dial connects; the connection has a time limit.
func (t *target) dial(ctx context.Context) (net.Conn, error) {
	dialer := net.Dialer{Timeout: knockTime}
	conn, err := dialer.DialContext(ctx, t.network, t.address)
	if err != nil {
		return nil, err
	}
	return conn, conn.SetDeadline(time.Now().Add(knockTime))
}

// knock says why a server that can be connected to answers no request.
func (t *target) knock(ctx context.Context) string {
	if t.tls != nil {
		if text := t.handshake(ctx); text != "" {
			return text
		}
	}
	if text := t.troubles(ctx); text != "" {
		return text
	}
	if t.tls == nil && t.speaksTLS(ctx) {
		return "the port speaks TLS: give --cacert, or https:// before the address"
	}
	return "something accepts connections there and does not answer: a member that has yet to find " +
		"its cluster, one that hangs, or something else"
}

// handshake says what is wrong with TLS as the command speaks it; empty: nothing.
func (t *target) handshake(ctx context.Context) string {
	conn, err := t.dial(ctx)
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	config, asked := t.tls.Clone(), false
	if !t.shows {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			asked = true
			return new(tls.Certificate), nil
		}
	}
	secured := tls.Client(conn, config)
	if err = secured.HandshakeContext(ctx); err == nil {
		// With TLS 1.3 a server looks at the client's certificate after the client is done.
		_, err = secured.Read(make([]byte, 1))
	}
	return explainTLS(err, t.tls.ServerName, asked)
}

// reportMax bounds what is read of a report.
const reportMax = 16 << 10

// troubles asks by HTTP for what a member of detcd tells of itself before it serves requests;
// empty: nothing.
func (t *target) troubles(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, knockTime)
	defer cancel()
	scheme := "http://"
	web := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return t.dial(ctx)
		},
	}
	if t.tls != nil {
		scheme, web.TLSClientConfig = "https://", t.tls.Clone()
		web.TLSClientConfig.NextProtos = []string{"http/1.1"}
	}
	host := t.address
	if t.network == "unix" {
		host = "localhost"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet,
		scheme+host+"/livez?verbose", http.NoBody)
	if err != nil {
		return ""
	}
	response, err := web.RoundTrip(request)
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, reportMax))
	if err != nil || response.StatusCode != http.StatusOK {
		return ""
	}
	var found []string
	for line := range strings.Lines(string(body)) {
		line = strings.TrimSpace(line)
		if line != "" && line != "ok" && !strings.HasPrefix(line, "[") {
			found = append(found, line)
		}
	}
	if len(found) == 0 {
		return "it is alive, and does not answer requests of gRPC"
	}
	return "it serves no requests yet: " + strings.Join(found, causeBreak)
}

// speaksTLS tells whether the other side does: it either takes the handshake, or refuses it in a
// way that only TLS has, as where it wants a certificate.
func (t *target) speaksTLS(ctx context.Context) bool {
	conn, err := t.dial(ctx)
	if err != nil {
		return false
	}
	defer conn.Close()
	err = tls.Client(conn, &tls.Config{
		InsecureSkipVerify: true, NextProtos: []string{"h2"},
	}).Handshake()
	return err == nil || strings.Contains(err.Error(), "remote error: tls: ")
}

// explainTLS says what is wrong with a handshake; empty: nothing, or nothing that concerns TLS.
// asked says that the server has asked for a certificate in vain.
func explainTLS(err error, host string, asked bool) string {
	var record tls.RecordHeaderError
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &record):
		return "the port does not speak TLS: leave out --cacert, --cert and https://"
	case errors.As(err, &unknown):
		return "the server's certificate is signed by an unknown authority (" +
			unknown.Cert.Issuer.String() + "): give --cacert"
	case errors.As(err, &name):
		return fmt.Sprintf("the server's certificate is not for the name %q: %v", host, name)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return validity(invalid.Cert)
	case errors.As(err, &invalid):
		return "the server's certificate is invalid: " + invalid.Error()
	}
	return explainAlert(err, asked)
}

func validity(c *x509.Certificate) string {
	if time.Now().Before(c.NotBefore) {
		return "the server's certificate is not valid before " + c.NotBefore.UTC().Format(time.RFC3339) +
			": look at the clocks"
	}
	return "the server's certificate expired at " + c.NotAfter.UTC().Format(time.RFC3339)
}

// explainAlert says what an alert of the server means. A server that wants a certificate and gets
// none has a different one in each version of TLS; asked says that it has asked for one in vain.
func explainAlert(err error, asked bool) string {
	_, alert, found := strings.Cut(err.Error(), "remote error: tls: ")
	switch {
	case !found:
		return ""
	case asked:
		return "the server asks for a certificate: give --cert and --key"
	case strings.Contains(alert, "certificate"):
		return "the server does not take the certificate of --cert: " + alert
	}
	return "the server refuses TLS: " + alert
}
