package server

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// discovered are members that know a registry and nobody else.
func discovered(t *testing.T, registry *Server, n int) []Config {
	t.Helper()
	configs := testConfigs(t, n)
	for i := range configs {
		configs[i].InitialCluster = nil
		configs[i].Discovery = Discovery{Token: "token", Client: clientv3.ConfigSpec{
			Endpoints: registry.ClientAddresses(), DialTimeout: time.Second,
			RequestTimeout: time.Second, Secure: &clientv3.SecureConfig{InsecureTransport: true},
		}}
	}
	return configs
}

func TestMembersDiscoverEachOther(t *testing.T) {
	leavesNothing(t)
	registry := start(t, testConfigs(t, 1)[0])
	ready(t, registry)
	configs := discovered(t, registry, 4)
	if _, err := Start(within(t), configs[0]); !errors.Is(err, errSizeMissing) {
		t.Errorf("without a size: %v", err)
	}
	const size = "/_etcd/registry/token/_config/size"
	put(t, registry, size, "many")
	if _, err := Start(within(t), configs[0]); !errors.Is(err, errSizeBad) {
		t.Errorf("a bad size: %v", err)
	}
	put(t, registry, size, "3")
	put(t, registry, "/_etcd/registry/token/members/nonsense", "nonsense")
	begun := make(chan *Server)
	for _, config := range configs[:3] {
		go func() {
			s, err := Start(context.Background(), config)
			if err != nil {
				t.Error(err)
			}
			begun <- s
		}()
	}
	var servers []*Server
	for range 3 {
		if s := <-begun; s != nil {
			t.Cleanup(func() { stop(t, s) })
			servers = append(servers, s)
		}
	}
	if t.Failed() {
		return
	}
	ready(t, servers...)
	put(t, servers[0], "a", "v")
	expect(t, servers[2], "a", "v")
	if _, err := Start(within(t), configs[3]); !errors.Is(err, errFull) {
		t.Errorf("one too many: %v", err)
	}
	again := servers[1].config
	stop(t, servers[1])
	stop(t, registry) // who has a data directory needs nobody
	ready(t, start(t, again))
}

func TestANameWithoutRecordsIsAnError(t *testing.T) {
	leavesNothing(t)
	config := testConfigs(t, 1)[0]
	config.Discovery.Domain = "nowhere.invalid"
	_, err := Start(within(t), config)
	const want = "error querying DNS SRV records for _etcd-server"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v", err)
	}
}
