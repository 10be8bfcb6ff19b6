package webtest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"detcd/cmd/detcd/testbed"
	"detcd/faults/nemesis"
)

// Both begin a downgrade and end it. What versions they say then etcd decides some time after, so
// it is waited for what detcd says at once.
func TestBothAreDowngraded(t *testing.T) {
	var members []*nemesis.Member
	for _, binary := range []string{testbed.Tool(t, "etcd"), testbed.Detcd(t)} {
		cluster := testbed.Launch(t, testbed.Options{Binary: binary, Args: testbed.Alike()})
		awaitVersion(t, cluster.Members()[0])
		members = append(members, cluster.Members()[0])
	}
	d := &downgrader{t, members[0], members[1]}
	d.order("VALIDATE", "3.6")
	d.order("CANCEL", "")
	d.order("ENABLE", "3.5")
	d.order("ENABLE", "3.8")
	d.order("ENABLE", "three")
	d.order("7", "3.6")
	d.look("3.7")
	d.order("ENABLE", "3.6.2")
	d.look("3.6")
	for _, target := range []string{"3.5", "3.6", "3.7"} {
		d.order("VALIDATE", target)
		d.order("ENABLE", target)
	}
	for _, line := range []string{
		`POST /v3/kv/put {"key":"~a~","value":"~1~"}`, `POST /v3/kv/range {"key":"~a~"}`,
	} {
		same(t, d.etcd.ClientURL(), d.detcd.ClientURL(), line)
	}
	for _, m := range members {
		if err := m.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := m.Start(); err != nil {
			t.Fatal(err)
		}
		if err := m.WaitReady(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	d.look("3.6")
	d.order("CANCEL", "3.1")
	d.look("3.7")
}

// A downgrader is an operator with a member of each kind.
type downgrader struct {
	t           *testing.T
	etcd, detcd *nemesis.Member
}

func (d *downgrader) order(action, target string) {
	d.t.Helper()
	same(d.t, d.etcd.ClientURL(), d.detcd.ClientURL(), fmt.Sprintf(
		`POST /v3/maintenance/downgrade {"action":%q,"version":%q}`, action, target))
}

// look compares what both say of versions once the cluster has one.
func (d *downgrader) look(cluster string) {
	d.t.Helper()
	want := fmt.Sprintf(`"etcdcluster":"%s.0","storage":"%s.0"`, cluster, cluster)
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		if strings.Contains(ask(d.t, d.etcd.ClientURL(), "GET /version").text, want) {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if said := ask(d.t, d.detcd.ClientURL(), "GET /version").text; !strings.Contains(said, want) {
		d.t.Errorf("/version is %s, want %s", said, want)
	}
	for _, line := range []string{"GET /version", "POST /v3/maintenance/status {}"} {
		same(d.t, d.etcd.ClientURL(), d.detcd.ClientURL(), line)
	}
	for _, line := range []string{"GET /version", "GET /downgrade/enabled"} {
		same(d.t, d.etcd.PeerURL(), d.detcd.PeerURL(), line)
	}
	label := fmt.Sprintf(`etcd_cluster_version{cluster_version="%s"}`, cluster)
	for _, m := range []*nemesis.Member{d.etcd, d.detcd} {
		if value := metrics(d.t, m.ClientURL()).values[label]; value != "1" {
			d.t.Errorf("%s is %q", label, value)
		}
	}
}
