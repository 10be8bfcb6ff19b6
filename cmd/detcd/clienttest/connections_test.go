package clienttest

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"detcd/cmd/detcd/testbed"
)

// filesMax is how many files a member may open in this test, idle how many connections are opened
// to each of its two ports.
const (
	filesMax = 128
	idle     = 200
)

// Whoever opens connections and says nothing takes files that the log and the archive need. The
// members live, and who has something to say gets in.
func TestIdleConnectionsEndNoMemberAndKeepNobodyOut(t *testing.T) {
	t.Parallel()
	cluster := testbed.Launch(t, testbed.Options{
		Binary: limited(t, testbed.Detcd(t), filesMax), Members: 3, Args: []string{"--unsafe-no-fsync"},
	})
	ctx, cancel := context.WithTimeout(t.Context(), scenarioTimeout)
	defer cancel()
	members, err := testbed.Client(t, cluster.Endpoints()...).MemberList(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var crowd sync.WaitGroup
	over := make(chan struct{})
	for i, member := range members.Members {
		for _, url := range []string{cluster.Endpoints()[i], member.PeerURLs[0]} {
			address := strings.TrimPrefix(url, "http://")
			for range idle {
				crowd.Go(func() { sit(address, over) })
			}
		}
	}
	value := strings.Repeat("v", 100_000)
	for i := range 300 { // more than a segment of the log, and than one of the archive
		client := testbed.Client(t, cluster.Endpoints()[i%3])
		_, err := clientv3.NewKV(client).Put(ctx, fmt.Sprint("k", i%50), value)
		if err != nil {
			t.Fatalf("put %d: %v", i, err)
		}
		client.Close()
	}
	close(over)
	crowd.Wait()
	for _, endpoint := range cluster.Endpoints() {
		got, err := testbed.Client(t, endpoint).Get(ctx, "k", clientv3.WithPrefix(),
			clientv3.WithCountOnly())
		if err != nil || got.Count != 50 {
			t.Errorf("%s: %v, %v", endpoint, got, err)
		}
	}
}

// limited makes a program of one that may open so many files.
func limited(t *testing.T, binary string, files int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "limited")
	script := fmt.Sprintf("#!/bin/sh\nulimit -n %d\nexec %s \"$@\"\n", files, binary)
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// sit keeps a connection open that says nothing, and opens another one when it was closed.
func sit(address string, over <-chan struct{}) {
	for {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			closed := make(chan struct{})
			go func() {
				conn.Read(make([]byte, 1))
				close(closed)
			}()
			select {
			case <-closed:
			case <-over:
			}
			conn.Close()
		}
		select {
		case <-over:
			return
		case <-time.After(time.Second): // or it would be a test of how fast one can dial
		}
	}
}
