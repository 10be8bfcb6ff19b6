package programtest

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"detcd/cmd/detcd/testbed"
	"detcd/faults/nemesis"
)

var programs = flag.String("programs", "", "directory into which .ci/clients/fetch put them")

// program returns the path of a file of the programs.
func program(t *testing.T, parts ...string) string {
	t.Helper()
	if *programs == "" {
		t.Skip("run `make test-clients`")
	}
	path := filepath.Join(append([]string{*programs}, parts...)...)
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// serve starts detcd.
func serve(t *testing.T, members int) *nemesis.Cluster {
	t.Helper()
	return testbed.Launch(t, testbed.Options{Binary: testbed.Detcd(t), Members: members})
}

// programTimeout bounds one program.
const programTimeout = time.Minute

// run runs a program to its end and returns what it printed.
func run(t *testing.T, environ []string, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), programTimeout)
	defer cancel()
	command := exec.CommandContext(ctx, name, args...)
	command.Env = append(os.Environ(), environ...)
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	if err := command.Run(); err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, &output)
	}
	return output.String()
}

// freePort returns a port that was free a moment ago, for TCP and for UDP.
func freePort(t *testing.T) string {
	t.Helper()
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer packets.Close()
	_, port, err := net.SplitHostPort(packets.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	deadline := time.Now().Add(programTimeout)
	for !so() {
		if time.Now().After(deadline) {
			t.Fatalf("it never came to this: %s", what)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func TestEtcdctl34(t *testing.T) {
	etcdctl := program(t, "debian", "usr", "bin", "etcdctl")
	endpoint := "--endpoints=" + serve(t, 1).Endpoints()[0]
	file := filepath.Join(t.TempDir(), "snapshot.db")
	for _, step := range []struct {
		command string
		want    string
	}{
		{"put greeting hello", "OK"},
		{"get greeting", "greeting\nhello"},
		{"get --prefix greet -w json", `"value":"aGVsbG8="`},
		{"del greeting --prev-kv", "1\ngreeting\nhello"},
		{"lease grant 60", "granted with TTL(60s)"},
		{"member list", "started"},
		{"endpoint health", "is healthy"},
		{"endpoint status -w table", "| RAFT INDEX |"},
		{"lock name echo held", "held"},
		{"compaction 2", "compacted revision 2"},
		{"user add u:pw", "User u created"},
		{"role add r", "Role r created"},
		{"role grant-permission r readwrite k", "Role r updated"},
		{"user grant-role u r", "Role r is granted to user u"},
		{"snapshot save " + file, "Snapshot saved at"},
		{"snapshot status " + file, ", "},
	} {
		said := run(t, nil, etcdctl, append([]string{endpoint}, strings.Fields(step.command)...)...)
		if !strings.Contains(said, step.want) {
			t.Errorf("%s: %s", step.command, said)
		}
	}
}

func TestEtcd3gwOfPython(t *testing.T) {
	modules := program(t, "debian", "usr", "lib", "python3", "dist-packages")
	host, port, err := net.SplitHostPort(serve(t, 1).Endpoints()[0])
	if err != nil {
		t.Fatal(err)
	}
	run(t, []string{"PYTHONPATH=" + modules}, "/usr/bin/python3", "testdata/gateway.py", host, port)
}

func TestEtcd3OfNode(t *testing.T) {
	modules := program(t, "npm", "node_modules")
	url := "http://" + serve(t, 1).Endpoints()[0]
	run(t, []string{"NODE_PATH=" + modules}, "node", "testdata/etcd3.js", url)
}

func TestCoreDNS(t *testing.T) {
	coredns := program(t, "coredns")
	endpoint := serve(t, 1).Endpoints()[0]
	client := testbed.Client(t, endpoint)
	put := func(key, value string) {
		t.Helper()
		if _, err := client.Put(t.Context(), key, value); err != nil {
			t.Fatal(err)
		}
	}
	put("/skydns/org/example/web/a", `{"host":"10.0.0.7","port":80,"ttl":1}`)
	put("/skydns/org/example/about", `{"text":"from a key"}`)
	port := freePort(t)
	config := filepath.Join(t.TempDir(), "Corefile")
	text := fmt.Sprintf(".:%s {\n errors\n etcd example.org {\n"+
		"  endpoint http://%s\n }\n}\n", port, endpoint)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	server := exec.CommandContext(t.Context(), coredns, "-conf", config)
	var log bytes.Buffer
	server.Stdout, server.Stderr = &log, &log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = server.Process.Kill()
		_ = server.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	}()
	resolver := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (
		net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
	}}
	resolves := func(want ...string) func() bool {
		return func() bool {
			got, _ := resolver.LookupHost(t.Context(), "web.example.org.")
			return len(got) == len(want) && strings.Join(got, " ") == strings.Join(want, " ")
		}
	}
	eventually(t, "the name is found", resolves("10.0.0.7"))
	about, err := resolver.LookupTXT(t.Context(), "about.example.org.")
	if err != nil || len(about) != 1 || about[0] != "from a key" {
		t.Errorf("%q, %v", about, err)
	}
	_, services, err := resolver.LookupSRV(t.Context(), "", "", "web.example.org.")
	if err != nil || len(services) != 1 || services[0].Port != 80 {
		t.Errorf("%v, %v", services, err)
	}
	put("/skydns/org/example/web/a", `{"host":"10.0.0.8","ttl":1}`)
	eventually(t, "the change is seen", resolves("10.0.0.8"))
	if _, err := client.Delete(t.Context(), "/skydns/org/example/web/a"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the name is gone", resolves())
}
