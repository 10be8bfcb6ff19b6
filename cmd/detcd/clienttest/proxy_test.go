package clienttest

import (
	"context"
	"net"
	"os/exec"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"detcd/cmd/detcd/testbed"
)

// etcd's own programs that stand between clients and members do so before members of detcd.
func TestProxiesOfEtcdServeDetcd(t *testing.T) {
	t.Parallel()
	etcd := testbed.Tool(t, "etcd")
	cluster := testbed.Launch(t, testbed.Options{Binary: testbed.Detcd(t)})
	for _, name := range []string{"gateway", "grpc-proxy"} {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := l.Addr().String()
		l.Close()
		command := exec.Command(etcd, name, "start", "--listen-addr="+address,
			"--endpoints="+cluster.Endpoints()[0])
		command.Dir = t.TempDir()
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = command.Process.Kill()
			_ = command.Wait()
		})
		ctx, cancel := context.WithTimeout(t.Context(), scenarioTimeout)
		defer cancel()
		client := testbed.Client(t, address)
		watch := client.Watch(clientv3.WithRequireLeader(ctx), name, clientv3.WithRev(1))
		if _, err := client.Put(ctx, name, "v"); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := client.Get(ctx, name)
		if err != nil || len(got.Kvs) != 1 {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		if seen := <-watch; len(seen.Events) != 1 || string(seen.Events[0].Kv.Value) != "v" {
			t.Errorf("%s: the watch saw %v, %v", name, seen.Events, seen.Err())
		}
	}
}
