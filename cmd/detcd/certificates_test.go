package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"go.etcd.io/etcd/client/pkg/v3/types"
	clientv3 "go.etcd.io/etcd/client/v3"

	"detcd/kv/server"
)

// An issuer makes certificates for 127.0.0.1.
type issuer struct {
	t      *testing.T
	dir    string
	own    *x509.Certificate
	key    *ecdsa.PrivateKey
	serial int64
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{t: t, dir: t.TempDir()}
	i.issue("ca")
	return i
}

func (i *issuer) path(name string) string { return filepath.Join(i.dir, name) }

func (i *issuer) must(err error) {
	i.t.Helper()
	if err != nil {
		i.t.Fatal(err)
	}
}

// issue writes name.crt and name.key. The first one is the issuer's own.
func (i *issuer) issue(name string) *x509.Certificate {
	i.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	i.must(err)
	i.serial++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(i.serial), Subject: pkix.Name{CommonName: name},
		NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true, IsCA: i.own == nil,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature |
			x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	parent, signer := template, key
	if i.own != nil {
		parent, signer = i.own, i.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	i.must(err)
	made, err := x509.ParseCertificate(der)
	i.must(err)
	if i.own == nil {
		i.own, i.key = made, key
	}
	encoded, err := x509.MarshalECPrivateKey(key)
	i.must(err)
	i.write(name+".crt", "CERTIFICATE", der)
	i.write(name+".key", "EC PRIVATE KEY", encoded)
	return made
}

func (i *issuer) write(name, kind string, der []byte) {
	i.t.Helper()
	block := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	i.must(os.WriteFile(i.path(name), block, 0o600))
}

// revoke writes a list that has a certificate.
func (i *issuer) revoke(certificate *x509.Certificate) {
	i.t.Helper()
	list, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(1), ThisUpdate: time.Now(), NextUpdate: time.Now().Add(time.Hour),
		RevokedCertificateEntries: []x509.RevocationListEntry{
			{SerialNumber: certificate.SerialNumber, RevocationTime: time.Now()},
		},
	}, i.own, i.key)
	i.must(err)
	i.must(os.WriteFile(i.path("crl"), list, 0o600))
}

// as is what a client knows that shows this certificate; "": none.
func (i *issuer) as(name string) *tls.Config {
	i.t.Helper()
	config := &tls.Config{RootCAs: x509.NewCertPool()}
	config.RootCAs.AddCert(i.own)
	if name != "" {
		pair, err := tls.LoadX509KeyPair(i.path(name+".crt"), i.path(name+".key"))
		i.must(err)
		config.Certificates = []tls.Certificate{pair}
	}
	return config
}

// securely starts a member with flags, at free ports with TLS, and returns where clients reach it.
func securely(t *testing.T, args ...string) string {
	t.Helper()
	s := newSettings()
	args = append([]string{
		"--listen-client-urls=https://127.0.0.1:0", "--advertise-client-urls=https://127.0.0.1:1",
		"--listen-peer-urls=http://127.0.0.1:0", "--data-dir=" + filepath.Join(t.TempDir(), "data"),
	}, args...)
	if err := s.parse(args, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.secure(slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	member, err := server.Start(t.Context(), s.config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		member.Stop(ctx)
	})
	select {
	case <-member.Ready():
	case <-time.After(time.Minute):
		t.Fatal("not ready after 10 s")
	}
	return "https://" + member.ClientAddresses()[0]
}

// visit asks for /version with a new connection and returns whose certificate was shown.
func visit(config *tls.Config, url string) (name string, err error) {
	transport := &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}
	client := http.Client{Transport: transport, Timeout: time.Minute}
	response, err := client.Get(url + "/version")
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return "", err
	}
	return response.TLS.PeerCertificates[0].Subject.CommonName, nil
}

func (i *issuer) flags(more ...string) []string {
	return append([]string{
		"--cert-file=" + i.path("server.crt"), "--key-file=" + i.path("server.key"),
	}, more...)
}

func TestWithoutACertificateThatIsTrustedNobodyComesIn(t *testing.T) {
	i, stranger := newIssuer(t), newIssuer(t)
	i.issue("server")
	i.issue("alice")
	bob := i.issue("bob")
	stranger.issue("mallory")
	i.revoke(bob)
	url := securely(t, i.flags("--client-cert-auth", "--trusted-ca-file="+i.path("ca.crt"),
		"--client-crl-file="+i.path("crl"))...)
	forged := stranger.as("mallory")
	forged.RootCAs = i.as("").RootCAs
	for name, c := range map[string]struct {
		config  *tls.Config
		welcome bool
	}{
		"alice": {i.as("alice"), true}, "nobody": {i.as(""), false},
		"bob, who was revoked": {i.as("bob"), false}, "mallory": {forged, false},
	} {
		if _, err := visit(c.config, url); (err == nil) != c.welcome {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The name in a certificate is a user; but not by way of JSON, where it would be lost, and so is
// refused.
func TestTheNameInACertificateIsAUser(t *testing.T) {
	i := newIssuer(t)
	for _, name := range []string{"server", "root", "alice"} {
		i.issue(name)
	}
	url := securely(t, i.flags("--client-cert-auth", "--trusted-ca-file="+i.path("ca.crt"))...)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	client := func(name string) *clientv3.Client {
		c, err := clientv3.New(clientv3.Config{Endpoints: []string{url}, TLS: i.as(name), Context: ctx})
		i.must(err)
		t.Cleanup(func() { c.Close() })
		return c
	}
	root, alice := client("root"), client("alice")
	none := &clientv3.UserAddOptions{NoPassword: true}
	for _, name := range []string{"root", "alice"} {
		_, err := root.UserAddWithOptions(ctx, name, "", none)
		i.must(err)
	}
	_, err := root.UserGrantRole(ctx, "root", "root")
	i.must(err)
	if _, err := visit(i.as("alice"), url+"/v3"); err != nil {
		t.Error(err)
	}
	_, err = root.AuthEnable(ctx)
	i.must(err)
	if _, err := alice.Put(ctx, "a", ""); err != rpctypes.ErrPermissionDenied {
		t.Errorf("alice: %v", err)
	}
	if _, err := root.Put(ctx, "a", ""); err != nil {
		t.Errorf("root: %v", err)
	}
	web := http.Client{Transport: &http.Transport{TLSClientConfig: i.as("root")}}
	response, err := web.Post(url+"/v3/kv/range", "application/json", strings.NewReader("{}"))
	i.must(err)
	defer response.Body.Close()
	said, err := io.ReadAll(response.Body)
	i.must(err)
	if response.StatusCode != http.StatusBadRequest || !strings.HasPrefix(string(said), "CommonName") {
		t.Errorf("%d %s", response.StatusCode, said)
	}
}

func TestACertificateIsReplacedWhileTheMemberRuns(t *testing.T) {
	i := newIssuer(t)
	i.issue("server")
	i.issue("renewed")
	url := securely(t, i.flags()...)
	for _, want := range []string{"server", "renewed"} {
		if got, err := visit(i.as(""), url); err != nil || got != want {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
		for _, kind := range []string{".crt", ".key"} {
			i.must(os.Rename(i.path("renewed"+kind), i.path("server"+kind)))
		}
		i.issue("renewed")
	}
}

func TestTheVersionsOfTLSAreLimited(t *testing.T) {
	i := newIssuer(t)
	i.issue("server")
	for _, c := range []struct {
		flag    string
		version uint16
		welcome bool
	}{
		{"--tls-min-version=TLS1.3", tls.VersionTLS12, false},
		{"--tls-min-version=TLS1.3", tls.VersionTLS13, true},
		{"--tls-min-version=TLS1.2", tls.VersionTLS11, false},
		{"--tls-max-version=TLS1.2", tls.VersionTLS12, true},
		{"--tls-max-version=TLS1.2", tls.VersionTLS13, false},
	} {
		config := i.as("")
		config.MinVersion, config.MaxVersion = c.version, c.version
		if _, err := visit(config, securely(t, i.flags(c.flag)...)); (err == nil) != c.welcome {
			t.Errorf("%s and %x: %v", c.flag, c.version, err)
		}
	}
}

func TestACertificateIsMadeWhereNoneIsGiven(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	url := securely(t, "--auto-tls", "--data-dir="+dir, "--peer-auto-tls",
		"--listen-peer-urls=https://127.0.0.1:0")
	pool := x509.NewCertPool()
	made, err := os.ReadFile(filepath.Join(dir, "fixtures", "client", "cert.pem"))
	if err != nil || !pool.AppendCertsFromPEM(made) {
		t.Fatal(err)
	}
	if _, err := visit(&tls.Config{RootCAs: pool}, url); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "fixtures", "peer", "key.pem")); err != nil {
		t.Error(err)
	}
}

func TestCertificatesThatCannotBeReadAreRefused(t *testing.T) {
	i := newIssuer(t)
	i.issue("server")
	server, other := i.path("server.crt"), i.path("ca.key")
	for want, args := range map[string][]string{
		"--cert-file=/nope --key-file=/no: open /nope: no such file": {
			"--cert-file=/nope", "--key-file=/no"},
		"KeyFile and CertFile must": {"--cert-file=" + server},
		"--cert-file=" + server + " --key-file=" + other + ": tls: private key does not match public " +
			"key": i.flags("--key-file=" + other),
		"--trusted-ca-file=/nope: open /nope: no such file": i.flags("--trusted-ca-file=/nope"),
		"--peer-client-cert-file=/nope --peer-client-key-file=/no: open /nope: no such file": i.flags(
			"--peer-cert-file="+server, "--peer-key-file="+i.path("server.key"),
			"--peer-client-cert-file=/nope", "--peer-client-key-file=/no"),
	} {
		args = append(args, "--data-dir="+t.TempDir(), "--listen-client-urls=https://127.0.0.1:0",
			"--advertise-client-urls=https://127.0.0.1:0", "--log-level=error")
		var out bytes.Buffer
		status, _ := run(args, nil, &out, &out)
		if status != exitError || !strings.Contains(out.String(), `"error":"`+want) ||
			strings.Count(out.String(), "\n") != 1 || strings.Contains(out.String(), "must be provided") {
			t.Errorf("%q: %d\n%swant %s, and nothing else", args, status, &out, want)
		}
	}
}

// Other members may move to https while this one is at http, and moves later or never.
func TestTLSAmongMembersIsThereBeforeTheirURLsSaySo(t *testing.T) {
	i := newIssuer(t)
	i.issue("server")
	for name, c := range map[string]struct {
		args           []string
		calls, listens bool
	}{
		"a certificate": {[]string{"--peer-cert-file=" + i.path("server.crt"),
			"--peer-key-file=" + i.path("server.key"),
			"--peer-trusted-ca-file=" + i.path("ca.crt")}, true, true},
		"whom to trust": {[]string{"--peer-trusted-ca-file=" + i.path("ca.crt")}, true, false},
		"nothing":       {nil, false, false},
	} {
		s := newSettings()
		if err := s.parse(c.args, nil); err != nil {
			t.Fatal(err)
		}
		if err := s.secure(slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
		config := s.config.PeerTLS
		if calls := config != nil && config.RootCAs != nil; calls != c.calls {
			t.Errorf("with %s: calls securely: %t", name, calls)
		}
		if listens := config != nil && config.GetCertificate != nil; listens != c.listens {
			t.Errorf("with %s: can listen: %t", name, listens)
		}
		s.config.ListenPeerURLs = types.MustNewURLs([]string{"https://127.0.0.1:0"})
		if err := s.config.Validate(); (err == nil) != c.listens {
			t.Errorf("with %s: an https listener: %v", name, err)
		}
	}
}
