package server

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"detcd/kv/backup"
)

// saved writes a snapshot of a server into a file as a client does.
func saved(t *testing.T, s *Server) string {
	t.Helper()
	a := &adapter{Node: s.node.Load(), config: &s.config, measures: &s.measures}
	snapshot, err := a.Snapshot(within(t))
	if err != nil {
		t.Fatal(err)
	}
	defer snapshot.Close()
	var content bytes.Buffer
	if _, err := snapshot.WriteTo(&content); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(content.Bytes())
	file := filepath.Join(t.TempDir(), "snapshot.db")
	if err := os.WriteFile(file, append(content.Bytes(), sum[:]...), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// A cluster of three begins where one member was. Its revision may be raised, so that no client
// sees it go back; then the past is compacted, and a watch that was further is told so.
func TestAClusterIsRestoredFromOneFile(t *testing.T) {
	leavesNothing(t)
	one := start(t, testConfigs(t, 1)[0])
	ready(t, one)
	put(t, one, "a", "1")
	put(t, one, "a", "2")
	file := saved(t, one)
	var servers []*Server
	for _, config := range testConfigs(t, 3) {
		options := RestoreOptions{BumpRevision: 1000, MarkCompacted: true}
		if err := Restore(config, file, options); err != nil {
			t.Fatal(err)
		}
		if err := Restore(config, file, options); err == nil ||
			!strings.Contains(err.Error(), "not empty or could not be read") {
			t.Errorf("a used directory: %v", err)
		}
		if err := Verify(config.DataDir, "", io.Discard); err != nil {
			t.Error(err)
		}
		servers = append(servers, start(t, config))
	}
	ready(t, servers...)
	for _, s := range servers {
		expect(t, s, "a", "2")
	}
	put(t, servers[1], "b", "3")
	expect(t, servers[2], "b", "3")
	c := client(t, servers[0])
	now, err := c.Get(within(t), "b")
	if err != nil || now.Header.Revision != 1004 {
		t.Errorf("revision %v, %v", now, err)
	}
	_, err = c.Get(within(t), "a", clientv3.WithRev(3))
	if !errors.Is(err, rpctypes.ErrCompacted) {
		t.Errorf("the past: %v", err)
	}
}

// A restore that fails leaves nothing that would start as an empty member.
func TestARestoreThatFailsLeavesNothing(t *testing.T) {
	one := start(t, testConfigs(t, 1)[0])
	ready(t, one)
	put(t, one, "a", "1")
	file := saved(t, one)
	config := testConfigs(t, 1)[0]
	if err := Restore(config, file, RestoreOptions{BumpRevision: 1}); !errors.Is(err,
		ErrMarkCompacted) {
		t.Error(err)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(content, []byte("clusterVersion"))
	content[at]++
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Restore(config, file, RestoreOptions{}); !errors.Is(err, backup.ErrDamaged) {
		t.Error(err)
	}
	if err := checkEmpty(config.DataDir); err != nil {
		t.Error(err)
	}
}
