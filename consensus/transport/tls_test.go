package transport

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// selfSigned makes a certificate for 127.0.0.1 and the pool that trusts it.
func selfSigned(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(certificate)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func TestMembersTalkOverTLS(t *testing.T) {
	certificate, pool := selfSigned(t)
	both := &tls.Config{
		Certificates: []tls.Certificate{certificate}, RootCAs: pool,
		ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert,
	}
	var members []*testMember
	log := new(lines)
	for id := range uint64(2) {
		plain, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		m := startOn(t, id+1, Secure(plain, both), func(o *Options) {
			o.TLS, o.Log = both, slog.New(slog.NewTextHandler(log, nil))
		})
		m.address = "https://" + m.address
		members = append(members, m)
	}
	introduce(members...)
	members[0].sendUntilTaken(t, 2, LaneConsensus, "secret")
	if got := members[1].next(t); got.payload != "secret" {
		t.Errorf("got %v", got)
	}
	stranger := start(t, 3, func(o *Options) { o.TLS = &tls.Config{RootCAs: pool} })
	stranger.SetPeers(map[uint64][]string{1: {members[0].address}})
	eventually(t, "a stranger is turned away", func() bool {
		stranger.mu.Lock()
		defer stranger.mu.Unlock()
		return stranger.unreachable[1] > 2
	})
	eventually(t, "it is told who was turned away", func() bool {
		return log.with("rejected connection on peer endpoint") > 0
	})
	if stranger.Stats().Peers[0].Up {
		t.Error("a member without a certificate is connected")
	}
}

func TestAnyoneMayAsk(t *testing.T) {
	a := start(t, 1, func(o *Options) {
		o.Answer = func(question []byte) []byte { return append([]byte("answer to "), question...) }
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	answer, err := Ask(ctx, a.address, nil, []byte("who are you?"))
	if err != nil || string(answer) != "answer to who are you?" {
		t.Errorf("%q, %v", answer, err)
	}
	mute := start(t, 2, nil)
	if _, err := Ask(ctx, mute.address, nil, nil); err == nil {
		t.Error("a member that does not answer gave an answer")
	}
	if _, err := Ask(ctx, a.address, nil, make([]byte, questionSizeMax+1)); err == nil {
		t.Error("a question beyond the bound was asked")
	}
	for _, bad := range []string{"", "127.0.0.1", "ftp://127.0.0.1:1", "https://" + a.address} {
		if _, err := Ask(ctx, bad, nil, nil); err == nil {
			t.Errorf("asked %q", bad)
		}
	}
}

// oneListener serves connections that another listener accepted.
type oneListener struct {
	net.Listener
	conns chan net.Conn
}

func (l *oneListener) Accept() (net.Conn, error) {
	conn, ok := <-l.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func TestHTTPIsServedOnTheSameListener(t *testing.T) {
	web := &oneListener{conns: make(chan net.Conn, 1)}
	a := start(t, 1, func(o *Options) { o.Other = func(conn net.Conn) { web.conns <- conn } })
	web.Listener = a.options.Listeners[0]
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte("path " + r.URL.Path))
	})
	server := &http.Server{Handler: handler}
	go server.Serve(web)
	t.Cleanup(func() { server.Close() })
	conn := dial(t, a.address)
	conn.Write([]byte("GET /version HTTP/1.0\r\n\r\n"))
	answer := make([]byte, 1000)
	n, err := conn.Read(answer)
	if err != nil || !strings.Contains(string(answer[:n]), "path /version") {
		t.Errorf("%q, %v", answer[:n], err)
	}
	close(web.conns)
}

// A cluster moves from http to https: the URL of a peer changes in the membership, and from then on
// it is dialled as that says.
func TestAPeerIsDialledByTheSchemeOfItsPresentURL(t *testing.T) {
	certificate, pool := selfSigned(t)
	both := &tls.Config{
		Certificates: []tls.Certificate{certificate}, RootCAs: pool,
		ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert,
	}
	stays := start(t, 1, func(o *Options) { o.TLS = both })
	moves := start(t, 2, nil)
	introduce(stays, moves)
	speak(t, stays, moves, LaneConsensus, "plain")
	moves.Close()
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	moved := startOn(t, 2, Secure(plain, both), func(o *Options) { o.TLS = both })
	addresses := map[uint64][]string{1: {stays.address}, 2: {"https://" + moved.address}}
	stays.SetPeers(addresses)
	moved.SetPeers(addresses)
	speak(t, stays, moved, LaneConsensus, "secret")
	speak(t, moved, stays, LaneConsensus, "and back")
}
