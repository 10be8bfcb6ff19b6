package server

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
)

// A member meets one of etcd's among its peers: each hears with whom it cannot share a cluster,
// here in the log, there in the answer.
func TestAMemberOfEtcdIsToldOf(t *testing.T) {
	configs := testConfigs(t, 2)
	listener, err := net.Listen("tcp", configs[1].ListenPeerURLs[0].Host)
	if err != nil {
		t.Fatal(err)
	}
	etcd := &http.Server{Handler: http.NotFoundHandler()} // what etcd is to who dials it
	go etcd.Serve(listener)
	t.Cleanup(func() { etcd.Close() })
	log := new(lockedBuffer)
	configs[0].Log = slog.New(slog.NewTextHandler(log, nil))
	start(t, configs[0])
	eventually(t, "the dialled one is told of", func() bool {
		return log.has("no connection to peer", "the listener speaks HTTP, as a member of etcd does",
			"docs/operations.md")
	})
	for range 3 {
		url := configs[0].ListenPeerURLs[0].String() + "/raft/stream/message/8e9e05c52164694d"
		r, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil || !strings.Contains(string(body), "cannot share a cluster") {
			t.Errorf("%q, %v", body, err)
		}
	}
	if got := strings.Count(log.String(), "refused a member of etcd"); got != 1 {
		t.Errorf("told %d times of the one that dials:\n%s", got, log)
	}
}
