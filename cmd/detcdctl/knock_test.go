package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/client/pkg/v3/types"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"detcd/kv/server"
)

// A keyStore answers like a server without a leader.
type keyStore struct {
	pb.UnimplementedKVServer
	pb.UnimplementedMaintenanceServer
	errors []string
}

func (k *keyStore) Range(ctx context.Context, _ *pb.RangeRequest) (*pb.RangeResponse, error) {
	<-ctx.Done()
	return nil, status.FromContextError(ctx.Err()).Err()
}

func (k *keyStore) Put(_ context.Context, r *pb.PutRequest) (*pb.PutResponse, error) {
	if string(r.Key) == "files" {
		return nil, status.Error(codes.ResourceExhausted, "etcdserver: too many open files at the member")
	}
	return nil, status.Error(codes.ResourceExhausted,
		"etcdserver: no space left on the device of the member's log")
}

func (k *keyStore) Status(context.Context, *pb.StatusRequest) (*pb.StatusResponse, error) {
	return &pb.StatusResponse{Header: &pb.ResponseHeader{}, Errors: k.errors}, nil
}

// serveKeys serves until the test ends.
func serveKeys(t *testing.T, k *keyStore, config *tls.Config) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var options []grpc.ServerOption
	if config != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(config)))
	}
	server := grpc.NewServer(options...)
	pb.RegisterKVServer(server, k)
	pb.RegisterMaintenanceServer(server, k)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return listener.Addr().String()
}

// issue makes a certificate that signs itself, and the path of a file that trusts it.
func issue(t *testing.T, name string, until time.Time, ip string) (tls.Certificate, string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: until.Add(-time.Hour), NotAfter: until,
		BasicConstraintsValid: true, IsCA: true, IPAddresses: []net.IP{net.ParseIP(ip)},
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(err)
	encoded, err := x509.MarshalECPrivateKey(key)
	must(err)
	base := filepath.Join(t.TempDir(), name)
	must(os.WriteFile(base+".crt",
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	must(os.WriteFile(base+".key",
		pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: encoded}), 0o600))
	pair, err := tls.LoadX509KeyPair(base+".crt", base+".key")
	must(err)
	return pair, base
}

// Each mistake with TLS that people make is said for what it is.
func TestMistakesWithTLSHaveACause(t *testing.T) {
	const local = "127.0.0.1"
	day := time.Now().Add(time.Hour)
	good, goodBase := issue(t, "good", day, local)
	old, oldBase := issue(t, "old", time.Now().Add(-time.Hour), local)
	early, earlyBase := issue(t, "early", time.Now().Add(24*time.Hour), local)
	other, otherBase := issue(t, "other", day, "10.0.0.1")
	server := func(certificate tls.Certificate, change func(*tls.Config)) string {
		config := &tls.Config{Certificates: []tls.Certificate{certificate}}
		if change != nil {
			change(config)
		}
		return serveKeys(t, new(keyStore), config)
	}
	wants := func(version uint16) func(*tls.Config) {
		return func(c *tls.Config) {
			c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
			c.ClientCAs.AddCert(good.Leaf)
			c.MaxVersion = version
		}
	}
	plain, secured := serveKeys(t, new(keyStore), nil), server(good, nil)
	trusting := func(base string) string { return "--cacert " + base + ".crt" }
	showing := func(base string) string { return " --cert " + base + ".crt --key " + base + ".key" }
	asked := "the server asks for a certificate: give --cert and --key"
	for _, c := range []struct{ name, endpoint, args, want string }{
		{"plain text to TLS", secured, "", "the port speaks TLS"},
		{"the same, http", "http://" + secured, trusting(goodBase), "the port speaks TLS"},
		{"TLS to plain text", "https://" + plain, "", "the port does not speak TLS"},
		{"the same, --cacert", plain, trusting(goodBase), "the port does not speak TLS"},
		{"unknown", "https://" + secured, "", "signed by an unknown authority (CN=good)"},
		{"another one", secured, trusting(otherBase), "signed by an unknown authority"},
		{"wrong name", server(other, nil), trusting(otherBase), `not for the name "127.0.0.1"`},
		{"expired", server(old, nil), trusting(oldBase), "the server's certificate expired at 20"},
		{"too early", server(early, nil), trusting(earlyBase), "is not valid before 20"},
		{"a certificate, TLS 1.2", server(good, wants(tls.VersionTLS12)), trusting(goodBase), asked},
		{"a certificate, TLS 1.3", server(good, wants(tls.VersionTLS13)), trusting(goodBase), asked},
		{"plain text where one is asked for", server(good, wants(tls.VersionTLS13)), "",
			"the port speaks TLS"},
		{"another certificate", server(good, wants(tls.VersionTLS13)),
			trusting(goodBase) + showing(otherBase),
			"the server does not take the certificate of --cert"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"--endpoints", c.endpoint, "--command-timeout", "200ms", "get", "a"},
				strings.Fields(c.args)...)
			r := runHere(t.Context(), args...)
			said := r.errors.String()
			if r.status != exitError || !strings.HasPrefix(said, "Error: context deadline exceeded\n") {
				t.Errorf("%d %s", r.status, said)
			}
			if _, cause, _ := strings.Cut(said, "Cause: "); !strings.Contains(cause, c.want) {
				t.Errorf("the cause is not %q:\n%s", c.want, said)
			}
		})
	}
}

// A server that answers says itself what it misses.
func TestWhatAServerSaysOfItselfIsTheCause(t *testing.T) {
	missing := serveKeys(t, &keyStore{errors: []string{"etcdserver: no leader",
		"no leader since noon: 1 of 3 voters can be reached",
		"not reachable: m2 at http://m2:2380"}}, nil)
	etcd := serveKeys(t, &keyStore{errors: []string{"etcdserver: no leader"}}, nil)
	slow := serveKeys(t, new(keyStore), nil)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for _, c := range []struct{ words, want string }{
		{missing + " get a", "Error: context deadline exceeded\nCause: " + missing +
			" says: no leader since noon: 1 of 3 voters can be reached\n       not reachable: m2 at " +
			"http://m2:2380\n"},
		{missing + " get a -w json", "says: no leader since noon"},
		{missing + " endpoint health",
			"Error: unhealthy cluster\nCause: " + missing + " says: no leader"},
		{etcd + " get a", "Cause: " + etcd + " says: etcdserver: no leader\n"},
		{slow + "," + etcd + " get a", "Cause: " + slow + " answers, but the request took longer than " +
			"--command-timeout (200ms)\nCause: " + etcd + " says: etcdserver: no leader\n"},
		{silent.Addr().String() + " get a", "something accepts connections there and does not answer"},
		{"127.0.0.1:1 endpoint status", "(context deadline exceeded)\n" +
			"Cause: dial tcp 127.0.0.1:1: connect: connection refused\n"},
		{slow + " put a 1", "no space left on the device of the member's log\nHint: make room"},
		{slow + " put files 1", "too many open files at the member\nHint: raise the limit"},
	} {
		args := append([]string{"--command-timeout", "200ms", "--endpoints"}, strings.Fields(c.words)...)
		r := runHere(t.Context(), args...)
		if r.status != exitError || r.out.Len() > 0 && !strings.Contains(c.words, "endpoint") {
			t.Errorf("%s: %d, printed %s", c.words, r.status, &r.out)
		}
		if !strings.Contains(r.errors.String(), c.want) {
			t.Errorf("%s: not %q:\n%s", c.words, c.want, &r.errors)
		}
	}
}

// A real member, which serves no requests before it has found its cluster, has the word too.
func TestAMemberThatServesNobodyYetSaysWhy(t *testing.T) {
	config := server.Default()
	own := types.MustNewURLs([]string{"http://127.0.0.1:2"}) // which nobody dials
	config.Name, config.DataDir = "m1", filepath.Join(t.TempDir(), "data")
	config.ListenPeerURLs = types.MustNewURLs([]string{"http://127.0.0.1:0"})
	config.ListenClientURLs, config.AdvertisePeerURLs = config.ListenPeerURLs, own
	config.InitialCluster = types.URLsMap{
		"m1": own, "m2": types.MustNewURLs([]string{"http://127.0.0.1:1"}),
	}
	s, err := server.Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop(t.Context())
	r := runHere(t.Context(), "--endpoints", s.ClientAddresses()[0], "--command-timeout", "200ms",
		"get", "a")
	for _, want := range []string{"Error: context deadline exceeded\nCause: ",
		"it serves no requests yet: no leader since 20", "1 of 2 voters can be reached, and 2 are needed",
		"not reachable: m2 at http://127.0.0.1:1 since 20", "connection refused"} {
		if !strings.Contains(r.errors.String(), want) {
			t.Errorf("not %q:\n%s", want, &r.errors)
		}
	}
}
