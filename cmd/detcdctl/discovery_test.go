package main

import (
	"net"
	"strconv"
	"strings"
	"testing"

	"detcd/cmd/detcd/testbed"
)

// The servers are found in the name service: those with TLS too, and only those where that is asked
// for. Then no other endpoint counts.
func TestServersAreFoundInTheNameService(t *testing.T) {
	cluster := testbed.Launch(t, testbed.Options{Binary: testbed.Detcd(t)})
	_, text, err := net.SplitHostPort(cluster.Endpoints()[0])
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	resolve(t, map[string][]net.SRV{
		"_etcd-client._tcp.example.test.":          {{Target: "a.example.test.", Port: uint16(port)}},
		"_etcd-client-west._tcp.example.test.":     {{Target: "b.example.test.", Port: uint16(port)}},
		"_etcd-client-ssl-west._tcp.example.test.": {{Target: "c.example.test.", Port: 1}},
	})
	const nobody = "--endpoints=127.0.0.1:1"
	mustRun(t, nobody, "--discovery-srv=example.test", "put", "k", "v")
	got := mustRun(t, nobody, "-d", "example.test", "get", "k", "--print-value-only")
	if got != "v\n" {
		t.Errorf("got %q", got)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "http://a.example.test.:" + text},
		{[]string{"--discovery-srv-name=west"},
			"https://c.example.test.:1 http://b.example.test.:" + text},
		{[]string{"--discovery-srv-name=west", "--insecure-discovery=false"},
			"https://c.example.test.:1"},
		{[]string{"--insecure-discovery=false"}, "127.0.0.1:1"}, // nothing is left: as given
	} {
		p := &program{out: new(strings.Builder), errors: new(strings.Builder)}
		p.run(t.Context(), append(c.args, nobody, "--discovery-srv=example.test", "version"))
		found, err := p.endpoints()
		if got := strings.Join(found, " "); err != nil || got != c.want {
			t.Errorf("%q: %v, %q, want %q", c.args, err, got, c.want)
		}
	}
	c := runHere(t.Context(), "--discovery-srv=other.test", "get", "k")
	if c.status == 0 || !strings.Contains(c.errors.String(), "no such host") {
		t.Errorf("status %d: %s", c.status, &c.errors)
	}
}

// resolve lets this process look up names in a name service of the test's own. No other test may
// look up names meanwhile.
func resolve(t *testing.T, services map[string][]net.SRV) {
	t.Helper()
	resolver, original := testbed.Names(t, services), net.DefaultResolver
	net.DefaultResolver = resolver
	t.Cleanup(func() { net.DefaultResolver = original })
}
