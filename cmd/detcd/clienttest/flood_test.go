package clienttest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"detcd/cmd/detcd/testbed"
)

// floodFiles is how many files a member may open under the flood, flood how many connections there
// are of it: each says nothing, and comes again at once when it was closed.
const (
	floodFiles = 300
	flood      = 600
)

// Who connects in order to speak gets in at the first attempt, whatever comes beside him, at either
// port.
func TestNewcomersGetInBesideAFlood(t *testing.T) {
	t.Parallel()
	cluster := testbed.Launch(t, testbed.Options{
		Binary: limited(t, testbed.Detcd(t), floodFiles), Args: []string{"--unsafe-no-fsync"},
	})
	m := cluster.Members()[0]
	const rounds, newcomers = 3, 8
	t.Run("clients", func(t *testing.T) {
		defer beside(t, m.ClientURL())()
		for round := range rounds {
			allOf(t, newcomers, func(int) error { return freshGet(m.ClientURL() + "/version") })
			if t.Failed() {
				return // clients of etcd would try again for minutes
			}
			allOf(t, newcomers, func(i int) error {
				return freshPut(t.Context(), m.Endpoint(), fmt.Sprint(round, i))
			})
		}
	})
	t.Run("members", func(t *testing.T) {
		defer beside(t, m.PeerURL())()
		for range rounds {
			allOf(t, newcomers, func(int) error { return freshGet(m.PeerURL() + "/version") })
		}
	})
}

// allOf does something so many times at once, and none may fail.
func allOf(t *testing.T, n int, do func(i int) error) {
	t.Helper()
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			if err := do(i); err != nil {
				t.Errorf("newcomer %d: %v", i, err)
			}
		})
	}
	all.Wait()
}

// freshPut puts a key with a client of its own.
func freshPut(ctx context.Context, endpoint, key string) error {
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, Logger: zap.NewNop()})
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, scenarioTimeout)
	defer cancel()
	_, err = c.Put(ctx, key, "v")
	return err
}

// freshGet asks by HTTP over a connection of its own.
func freshGet(url string) error {
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: scenarioTimeout}
	response, err := c.Get(url)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// beside begins a flood of connections to an address, and returns what ends it.
func beside(t *testing.T, url string) (end func()) {
	t.Helper()
	address := strings.TrimPrefix(url, "http://")
	ctx, stop := context.WithCancel(t.Context())
	var crowd sync.WaitGroup
	arrived := make(chan struct{}, flood)
	for range flood {
		crowd.Go(func() {
			for told := false; ctx.Err() == nil; {
				var dialer net.Dialer
				conn, err := dialer.DialContext(ctx, "tcp", address)
				if err != nil {
					time.Sleep(time.Millisecond) // too many dial at a time
					continue
				}
				if !told {
					told = true
					arrived <- struct{}{}
				}
				leave := context.AfterFunc(ctx, func() { _ = conn.Close() })
				_, _ = conn.Read(make([]byte, 1))
				leave()
				// A thousand times a second: the system is not to remember each for a minute.
				_ = conn.(*net.TCPConn).SetLinger(0)
				_ = conn.Close()
			}
		})
	}
	for range flood / 2 {
		<-arrived
	}
	return func() {
		stop()
		crowd.Wait()
	}
}
