package main

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"detcd/cmd/detcd/testbed"
	"detcd/kv/server"
)

// freePort is one that nobody listens at.
func freePort(t *testing.T) uint16 {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return uint16(l.Addr().(*net.TCPAddr).Port)
}

// Three members know a domain and nothing else of each other.
func TestMembersFindEachOtherInTheNameService(t *testing.T) {
	var records []net.SRV
	for i := range 3 {
		host := fmt.Sprintf("h%d.example.test.", i)
		records = append(records, net.SRV{Target: host, Port: freePort(t)})
	}
	resolve(t, map[string][]net.SRV{"_etcd-server-east._tcp.example.test.": records})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	start := func(i int, domain string) (*server.Server, error) {
		r := records[i]
		peer := fmt.Sprintf("--initial-advertise-peer-urls=http://%s:%d",
			strings.TrimSuffix(r.Target, "."), r.Port)
		s, err := parse(t, nil, "--discovery-srv="+domain, "--discovery-srv-name=east", peer,
			fmt.Sprintf("--listen-peer-urls=http://127.0.0.1:%d", r.Port),
			fmt.Sprintf("--name=m%d", i), "--data-dir="+t.TempDir(),
			"--listen-client-urls=http://127.0.0.1:0", "--advertise-client-urls=http://127.0.0.1:1")
		if err != nil {
			t.Fatal(err)
		}
		return server.Start(ctx, s.config)
	}
	if _, err := start(0, "other.test"); err == nil || !strings.Contains(err.Error(),
		"error querying DNS SRV records for _etcd-server-ssl-east") {
		t.Errorf("a domain without records: %v", err)
	}
	var servers []*server.Server
	for i := range records {
		s, err := start(i, "example.test")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Stop(context.Background()) })
		servers = append(servers, s)
	}
	for i, s := range servers {
		select {
		case <-s.Ready():
		case <-ctx.Done():
			t.Fatalf("m%d does not serve", i)
		}
	}
	client := testbed.Client(t, servers[0].ClientAddresses()...)
	listed, err := client.MemberList(ctx)
	if err != nil || len(listed.Members) != 3 {
		t.Fatalf("%v, %v", listed, err)
	}
	for _, m := range listed.Members {
		if !strings.Contains(m.PeerURLs[0], "."+"example.test:") {
			t.Errorf("a member is at %v", m.PeerURLs)
		}
	}
}

// Who is not in the records is no member.
func TestAMemberMustBeInTheNameService(t *testing.T) {
	resolve(t, map[string][]net.SRV{
		"_etcd-server._tcp.example.test.": {{Target: "h1.example.test.", Port: 1}},
	})
	s, err := parse(t, nil, "--discovery-srv=example.test", "--name=m1",
		"--initial-advertise-peer-urls=http://h1.example.test:2", "--data-dir="+t.TempDir(),
		"--listen-peer-urls=http://127.0.0.1:0", "--listen-client-urls=http://127.0.0.1:0",
		"--advertise-client-urls=http://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	_, err = server.Start(t.Context(), s.config)
	if err == nil || !strings.Contains(err.Error(), `cannot find local etcd member "m1"`) {
		t.Errorf("got %v", err)
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
