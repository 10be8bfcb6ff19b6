package server

import (
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/etcd/client/pkg/v3/types"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// A member may be reached by a file only. What an earlier run left there is no hindrance.
func TestClientsComeByAUnixSocket(t *testing.T) {
	leavesNothing(t)
	config := testConfigs(t, 1)[0]
	url := "unix://" + filepath.Join(t.TempDir(), "socket")
	config.ListenClientURLs = types.MustNewURLs([]string{url})
	config.AdvertiseClientURLs = config.ListenClientURLs
	for range 2 {
		s := start(t, config)
		ready(t, s)
		c, err := clientv3.New(clientv3.Config{Endpoints: []string{url}, Logger: zap.NewNop()})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Put(within(t), "a", "v"); err != nil {
			t.Error(err)
		}
		c.Close()
		stop(t, s)
	}
}

// Two processes may share a port if both want to.
func TestAPortIsShared(t *testing.T) {
	leavesNothing(t)
	configs := []Config{testConfigs(t, 1)[0], testConfigs(t, 1)[0]}
	for i := range configs {
		configs[i].ListenClientURLs = configs[0].ListenClientURLs
		configs[i].Sockets.ReusePort = true
		ready(t, start(t, configs[i]))
	}
	third := testConfigs(t, 1)[0]
	third.ListenClientURLs = configs[0].ListenClientURLs
	if s, err := Start(t.Context(), third); err == nil {
		stop(t, s)
		t.Error("who does not share got the port")
	}
}

func TestExtensiveMetrics(t *testing.T) {
	leavesNothing(t)
	for _, extensive := range []bool{false, true} {
		config := testConfigs(t, 1)[0]
		config.Web.Extensive = extensive
		s := start(t, config)
		ready(t, s)
		put(t, s, "a", "v")
		url := "http://" + s.ClientAddresses()[0] + "/metrics"
		status, _, text := fetch(t, web(t, nil, false), "GET", url, "")
		const line = `grpc_server_handling_seconds_count{grpc_method="Put",` +
			`grpc_service="etcdserverpb.KV",grpc_type="unary"} 1`
		if status != 200 || strings.Contains(text, line) != extensive {
			t.Errorf("extensive %v: %d\n%s", extensive, status, text)
		}
	}
}
