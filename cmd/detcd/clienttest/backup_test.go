package clienttest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"detcd/cmd/detcd/testbed"
	"detcd/faults/nemesis"
)

// A cluster of detcd moves out: its snapshot is good for etcd's own tools, and an etcd that is
// started from it has the same keys, history, leases and hashes.
func TestASnapshotOfDetcdBecomesAnEtcd(t *testing.T) {
	t.Parallel()
	moves(t, testbed.Detcd(t), testbed.Tool(t, "etcd"), testbed.Tool(t, "etcdutl"))
}

// The same with etcd on both sides: the test asks for nothing that etcd does not keep.
func TestASnapshotOfEtcdBecomesAnEtcd(t *testing.T) {
	t.Parallel()
	moves(t, testbed.Tool(t, "etcd"), testbed.Tool(t, "etcd"), testbed.Tool(t, "etcdutl"))
}

// A cluster of etcd moves in.
func TestASnapshotOfEtcdBecomesADetcd(t *testing.T) {
	t.Parallel()
	detcd := testbed.Detcd(t)
	moves(t, testbed.Tool(t, "etcd"), detcd, detcd)
}

// Our own snapshot is good for ourselves, too.
func TestASnapshotOfDetcdBecomesADetcd(t *testing.T) {
	t.Parallel()
	detcd := testbed.Detcd(t)
	moves(t, detcd, detcd, detcd)
}

// moves makes a cluster of one from a snapshot of another, by way of "snapshot restore" of a tool.
func moves(t *testing.T, from, to, restore string) {
	ctx, cancel := context.WithTimeout(t.Context(), scenarioTimeout)
	defer cancel()
	source := testbed.Launch(t, testbed.Options{Binary: from})
	u := &user{t: t, ctx: ctx, cluster: source}
	u.live()
	u.awaitVersion()
	file := filepath.Join(t.TempDir(), "snapshot.db")
	run := testbed.Tool(t, "etcdctl")
	execute(t, run, "--endpoints", source.Endpoints()[0], "snapshot", "save", file)
	u.status(file)
	u.same(source.Endpoints()[0], u.restored(file, to, restore))
	u.status(file) // nobody has changed it
}

// awaitVersion waits until the server knows the version of its storage; etcd takes a moment for it.
func (u *user) awaitVersion() {
	u.t.Helper()
	for {
		status, err := u.client().Status(u.ctx, u.cluster.Endpoints()[0])
		if u.must(err); status.StorageVersion != "" {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// compacted is the revision of the compaction in live: a delete.
const compacted = 60

// live makes a history with everything in it that a snapshot must keep.
func (u *user) live() {
	client := u.client()
	lease, err := client.Grant(u.ctx, 1000)
	u.must(err)
	_, err = client.Grant(u.ctx, 5000)
	u.must(err)
	for i := range 100 {
		key := fmt.Sprintf("k%d", i%7)
		switch {
		case i%10 == 8:
			_, err = client.Delete(u.ctx, key)
		case i%10 == 3:
			_, err = client.Txn(u.ctx).Then(clientv3.OpDelete("k", clientv3.WithPrefix()),
				clientv3.OpPut("t", key), clientv3.OpPut(fmt.Sprintf("l%d", i), strings.Repeat("v", i),
					clientv3.WithLease(lease.ID))).Commit()
		default:
			_, err = client.Put(u.ctx, key, fmt.Sprint(i))
		}
		u.must(err)
		if now, err := client.Get(u.ctx, "k"); err == nil && now.Header.Revision == compacted-2 {
			_, err = client.Put(u.ctx, "gone", "")
			u.must(err)
			_, err = client.Delete(u.ctx, "gone")
			u.must(err)
		}
	}
	_, err = client.Compact(u.ctx, compacted, clientv3.WithCompactPhysical())
	u.must(err)
	raised, err := pb.NewMaintenanceClient(client.ActiveConnection()).Alarm(u.ctx, &pb.AlarmRequest{
		Action: pb.AlarmRequest_ACTIVATE, Alarm: pb.AlarmType_NOSPACE, MemberID: 7,
	})
	u.must(err)
	if len(raised.Alarms) != 1 {
		u.t.Fatalf("raised %v", raised.Alarms)
	}
}

// command runs a program and returns what it says.
func execute(t *testing.T, name string, arguments ...string) []byte {
	t.Helper()
	var stderr strings.Builder
	program := exec.CommandContext(t.Context(), name, arguments...)
	program.Stderr = &stderr
	output, err := program.Output()
	if err != nil {
		t.Fatalf("%s %s: %v: %s%s", name, strings.Join(arguments, " "), err, output, &stderr)
	}
	return output
}

// status checks what etcdutl finds in a file; it checks the pages of the database, too.
func (u *user) status(file string) {
	now, err := u.client().Get(u.ctx, "\x00", clientv3.WithFromKey())
	u.must(err)
	var status struct {
		Revision int64
		TotalKey int64
		Version  string
	}
	etcdutl := testbed.Tool(u.t, "etcdutl")
	output := execute(u.t, etcdutl, "snapshot", "status", file, "-w", "json")
	u.must(json.Unmarshal(output, &status))
	if status.Revision != now.Header.Revision || status.TotalKey != now.Count ||
		status.Version != "3.7.0" {
		u.t.Errorf("%s, want revision %d and %d keys", output, now.Header.Revision, now.Count)
	}
}

// restored starts a new cluster of one from a file and returns its endpoint.
func (u *user) restored(file, binary, restore string) string {
	u.t.Helper()
	cluster, err := nemesis.New(nemesis.Options{Binary: binary, Dir: u.t.TempDir()})
	u.must(err)
	u.t.Cleanup(func() { _ = cluster.Close() })
	m := cluster.Members()[0]
	execute(u.t, restore, "snapshot", "restore", file, "--data-dir", m.DataDir(), "--name", m.Name(),
		"--initial-cluster", m.Name()+"="+m.PeerURL(), "--initial-cluster-token", "nemesis",
		"--initial-advertise-peer-urls", m.PeerURL())
	u.must(m.Start())
	u.must(m.WaitReady(u.ctx))
	return m.Endpoint()
}

// same compares all that two clusters say of their keys, present and past, and leases.
func (u *user) same(a, b string) {
	u.t.Helper()
	toldA, toldB := u.tell(a), u.tell(b)
	if len(toldA) != len(toldB) || len(toldA) < 100 {
		u.t.Fatalf("%d ≠ %d lines", len(toldA), len(toldB))
	}
	for i := range toldA {
		if toldA[i] != toldB[i] {
			u.t.Errorf("%s ≠ %s", toldA[i], toldB[i])
		}
	}
}

// tell lists what a member knows, line by line.
func (u *user) tell(endpoint string) (lines []string) {
	client := testbed.Client(u.t, endpoint)
	say := func(format string, arguments ...any) {
		lines = append(lines, fmt.Sprintf(format, arguments...))
	}
	everything := []clientv3.OpOption{clientv3.WithFromKey()}
	now, err := client.Get(u.ctx, "\x00", everything...)
	u.must(err)
	say("now %d", now.Header.Revision)
	for revision := int64(compacted); revision <= now.Header.Revision; revision++ {
		got, err := client.Get(u.ctx, "\x00", append(everything, clientv3.WithRev(revision))...)
		u.must(err)
		for _, kv := range got.Kvs {
			say("%d: %s", revision, tellKey(kv))
		}
		if revision == compacted {
			continue // its hash is that of the time before, which a snapshot has not
		}
		hash, err := client.HashKV(u.ctx, endpoint, revision)
		u.must(err)
		say("%d: hash %d, %d, %d", revision, hash.Hash, hash.CompactRevision, hash.HashRevision)
	}
	alarms, err := client.AlarmList(u.ctx)
	u.must(err)
	for _, alarm := range alarms.Alarms {
		say("alarm %v of %x", alarm.Alarm, alarm.MemberID)
	}
	leases, err := client.Leases(u.ctx)
	u.must(err)
	for _, lease := range leases.Leases {
		one, err := client.TimeToLive(u.ctx, lease.ID, clientv3.WithAttachedKeys())
		u.must(err)
		slices.SortFunc(one.Keys, bytes.Compare)
		say("lease %x of %d s: %q", one.ID, one.GrantedTTL, one.Keys)
	}
	slices.Sort(lines[len(lines)-len(leases.Leases):])
	ctx, cancel := context.WithCancel(u.ctx)
	defer cancel()
	watch := client.Watch(ctx, "\x00", append(everything, clientv3.WithRev(compacted))...)
	for last := int64(0); last < now.Header.Revision; {
		events := <-watch
		u.must(events.Err())
		for _, event := range events.Events {
			say("%v %s", event.Type, tellKey(event.Kv))
			last = event.Kv.ModRevision
		}
	}
	return lines
}

func tellKey(kv *mvccpb.KeyValue) string {
	return fmt.Sprintf("%q = %q, %d, %d, %d, %x", kv.Key, kv.Value, kv.CreateRevision,
		kv.ModRevision, kv.Version, kv.Lease)
}
