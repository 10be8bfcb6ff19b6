package main

import (
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

func TestVariablesSetWhatNoFlagHasSet(t *testing.T) {
	for _, c := range []struct {
		environ []string
		args    []string
		want    string // endpoints
		warning string
		fails   bool
	}{
		{nil, nil, "127.0.0.1:2379", "", false},
		{[]string{"ETCDCTL_ENDPOINTS=a:1, b:2"}, nil, "a:1,b:2", "", false},
		{[]string{"ETCDCTL_ENDPOINTS=a:1"}, []string{"--endpoints=c:3"}, "c:3", "", false},
		{[]string{"ETCDCTL_ENDPOINTS=a:1"}, []string{"--endpoints=c:3", "--endpoints=d:4"}, "c:3,d:4",
			"", false},
		{[]string{"ETCDCTL_ENDPOINTS="}, nil, "127.0.0.1:2379", "", false},
		{[]string{"ETCDCTL_HEX=perhaps"}, nil, "127.0.0.1:2379", "ETCDCTL_HEX: ", true},
		{[]string{"ETCDCTL_NOSUCH=1"}, nil, "127.0.0.1:2379", "ETCDCTL_NOSUCH belongs to no flag", false},
		{[]string{"ETCDCTL_API=3"}, nil, "127.0.0.1:2379", "", false},
		{[]string{"ETCDCTL_API=2"}, nil, "127.0.0.1:2379", "no API but 3", false},
		{[]string{"ETCDCTL_WATCH_KEY=k"}, nil, "127.0.0.1:2379", "", false},
	} {
		var errors bytes.Buffer
		p := &program{out: io.Discard, errors: &errors, environ: c.environ}
		status := p.run(t.Context(), append(c.args, "version"))
		endpoints, err := p.endpoints()
		if err != nil {
			t.Fatal(err)
		}
		if (status == exitBadArguments) != c.fails || strings.Join(endpoints, ",") != c.want ||
			!strings.Contains(errors.String(), c.warning) {
			t.Errorf("%q %q: %q, status %d\n%s", c.environ, c.args, endpoints, status, &errors)
		}
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	p := &program{}
	root := p.root()
	for flag, value := range map[string]string{
		"user": "root:secret", "password": "secret", "auth-jwt-token": "secret", "hex": "true",
	} {
		if err := root.PersistentFlags().Set(flag, value); err != nil {
			t.Fatal(err)
		}
	}
	lines := variables(root.PersistentFlags())
	if text := strings.Join(lines, "\n"); strings.Contains(text, "secret") ||
		!slices.Contains(lines, "ETCDCTL_HEX=true") || !slices.Contains(lines, "ETCDCTL_USER=root") {
		t.Error(text)
	}
}

// secure serves nothing but a certificate, which it also writes to a file.
func secure(t *testing.T) (endpoint, authority string) {
	t.Helper()
	web := httptest.NewUnstartedServer(nil)
	web.StartTLS() // for its certificate, of 127.0.0.1 and example.com
	certificate := web.TLS.Certificates[0]
	web.Close()
	authority = filepath.Join(t.TempDir(), "ca.pem")
	encoded := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]})
	if err := os.WriteFile(authority, encoded, 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{certificate},
	})))
	pb.RegisterKVServer(server, pb.UnimplementedKVServer{})
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return listener.Addr().String(), authority
}

func TestServersShowCertificatesThatAreLookedAt(t *testing.T) {
	endpoint, authority := secure(t)
	const reached = "Unimplemented" // who says so has been reached
	for _, c := range []struct {
		endpoint string
		args     []string
		want     string
	}{
		{"https://" + endpoint, []string{"--cacert", authority}, reached},
		{endpoint, []string{"--cacert", authority}, reached},
		{endpoint, []string{"--insecure-transport=false", "--insecure-skip-tls-verify"}, reached},
		{"https://" + endpoint, []string{"--insecure-skip-tls-verify"}, reached},
		{endpoint, []string{"--insecure-transport=false"}, "unknown authority"},
		{"https://" + endpoint, nil, "unknown authority"},
		{endpoint, nil, "Error: "},
	} {
		args := append([]string{"--endpoints", c.endpoint, "--command-timeout", "500ms", "get", "a"},
			c.args...)
		r := runHere(t.Context(), args...)
		if r.status == 0 || !strings.Contains(r.errors.String(), c.want) {
			t.Errorf("%q: %d %s", args, r.status, &r.errors)
		}
	}
}
