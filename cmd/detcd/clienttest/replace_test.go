package clienttest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"detcd/cmd/detcd/testbed"
	"detcd/faults/nemesis"
)

// Members are removed and added with etcd's own etcdctl, as its documentation describes it, while
// clients write.
func TestMembersOfEtcdAreReplaced(t *testing.T) {
	t.Parallel()
	replaceMembers(t, testbed.Tool(t, "etcd"), 1)
}

// What is written first is more than detcd keeps of its log, so who joins needs a snapshot.
func TestMembersOfDetcdAreReplaced(t *testing.T) {
	t.Parallel()
	const megabytes = 72
	follower := replaceMembers(t, testbed.Detcd(t), megabytes)
	log, err := os.ReadFile(follower.LogPath())
	if err != nil || !strings.Contains(string(log), "installed a snapshot") {
		t.Errorf("%v: %s joined without a snapshot", err, follower.Name())
	}
}

func replaceMembers(t *testing.T, binary string, megabytes int) *nemesis.Member {
	ctx, cancel := context.WithTimeout(t.Context(), scenarioTimeout)
	defer cancel()
	cluster := testbed.Launch(t, testbed.Options{
		Binary: binary, Members: 3, Args: []string{"--log-level=info"},
	})
	u := &replacer{&user{t: t, ctx: ctx, cluster: cluster, prefix: "replace/"}, megabytes > 1}
	for i := range megabytes {
		_, err := u.client().Put(ctx, fmt.Sprintf("large/%d", i), strings.Repeat("v", 1<<20))
		u.must(err)
	}
	leader := u.leader()
	follower := cluster.Members()[0]
	if follower == leader {
		follower = cluster.Members()[1]
	}
	w := u.write()
	u.removeRunning(follower)
	u.addWiped(follower)
	u.must(follower.WaitReady(ctx))
	u.removeRunning(follower)
	u.addLearner(follower)
	u.awaitMore(w, 20)
	u.finish(w)
	membersAgree(t, u.user)
	return follower
}

// A replacer is a user who changes the cluster.
type replacer struct {
	*user
	strict bool // members that were removed must end properly
}

// etcdctl runs a command against the members but one.
func (u *replacer) etcdctl(without *nemesis.Member, arguments ...string) (string, error) {
	var endpoints []string
	for _, m := range u.cluster.Members() {
		if m != without {
			endpoints = append(endpoints, m.Endpoint())
		}
	}
	all := append([]string{"--command-timeout=1m", "--endpoints", strings.Join(endpoints, ",")},
		arguments...)
	output, err := exec.CommandContext(u.ctx, testbed.Tool(u.t, "etcdctl"), all...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("etcdctl %s: %w: %s", strings.Join(arguments, " "), err, output)
	}
	return string(output), err
}

// persist repeats a command while the cluster finds itself too young for it.
func (u *replacer) persist(without *nemesis.Member, arguments ...string) string {
	u.t.Helper()
	for {
		output, err := u.etcdctl(without, arguments...)
		if err == nil {
			return output
		}
		if !strings.Contains(err.Error(), "unhealthy cluster") || u.ctx.Err() != nil {
			u.t.Fatal(err)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// refused runs a command that must fail with a text.
func (u *replacer) refused(text string, arguments ...string) {
	u.t.Helper()
	if output, err := u.etcdctl(nil, arguments...); err == nil || !strings.Contains(output, text) {
		u.t.Errorf("etcdctl %v: %s, want %s", arguments, output, text)
	}
}

// id returns the ID of a running member in hexadecimal.
func (u *replacer) id(m *nemesis.Member) string {
	u.t.Helper()
	status, err := m.Status(u.ctx)
	u.must(err)
	return fmt.Sprintf("%x", status.Header.MemberId)
}

// removeRunning removes a member, which ends by itself, and again if it is started.
func (u *replacer) removeRunning(m *nemesis.Member) {
	u.t.Helper()
	id := u.id(m)
	u.persist(m, "member", "remove", id)
	u.awaitExit(m)
	u.must(m.Start())
	u.awaitExit(m)
	u.refused("etcdserver: member not found", "member", "remove", id)
}

// awaitExit waits until a member has ended as one that was removed does. etcd itself sometimes ends
// with status 1, or without the words.
func (u *replacer) awaitExit(m *nemesis.Member) {
	u.t.Helper()
	for m.Running() {
		u.must(u.ctx.Err())
		time.Sleep(10 * time.Millisecond)
	}
	if !u.strict {
		return
	}
	var exit *nemesis.ExitError
	if !errors.As(m.Exited(), &exit) || exit.Cause != nil {
		u.t.Fatalf("it ended: %v", m.Exited())
	}
	const said = "the data-dir used by this member must be removed"
	if !strings.Contains(exit.LogEnd, said) {
		u.t.Errorf("it did not say that %s:\n%s", said, exit.LogEnd)
	}
}

// addWiped adds a member that was removed again, without its data, and starts it as etcdctl says.
func (u *replacer) addWiped(m *nemesis.Member, arguments ...string) {
	u.t.Helper()
	u.must(os.RemoveAll(m.DataDir()))
	all := append([]string{"member", "add", m.Name(), "--peer-urls", m.PeerURL()}, arguments...)
	said := u.persist(m, all...)
	initial := regexp.MustCompile(`ETCD_INITIAL_CLUSTER="(.*)"`).FindStringSubmatch(said)
	if initial == nil || !strings.Contains(said, `ETCD_INITIAL_CLUSTER_STATE="existing"`) {
		u.t.Fatalf("etcdctl says %s", said)
	}
	if len(arguments) == 0 {
		u.refused("re-configuration failed due to not enough started members", all...)
	} else {
		u.refused(" already exist", all...) // the URL; within the same second even the ID
		id := regexp.MustCompile(`Member +([0-9a-f]+) added`).FindStringSubmatch(said)
		u.refused("etcdserver: can only promote a learner member which is in sync with leader",
			"member", "promote", id[1])
		u.refused("etcdserver: too many learner members in cluster",
			"member", "add", "other", "--learner", "--peer-urls", "http://127.0.0.1:1")
	}
	m.AppendArgs("--initial-cluster="+initial[1], "--initial-cluster-state=existing")
	u.must(m.Start())
}

// addLearner adds a member as a learner and promotes it once it has caught up.
func (u *replacer) addLearner(m *nemesis.Member) {
	u.t.Helper()
	u.addWiped(m, "--learner")
	client := testbed.Client(u.t, m.Endpoint())
	for { // it serves what needs no agreement
		_, err := client.Get(u.ctx, "k", clientv3.WithSerializable())
		if err == nil {
			break
		}
		u.must(u.ctx.Err())
		time.Sleep(50 * time.Millisecond)
	}
	_, err := client.Get(u.ctx, "k")
	if err == nil || !strings.Contains(err.Error(), "etcdserver: rpc not supported for learner") {
		u.t.Errorf("a learner answered a linearizable read: %v", err)
	}
	id := u.id(m)
	for {
		_, err := u.etcdctl(m, "member", "promote", id)
		if err == nil {
			break
		}
		if !strings.Contains(err.Error(), "in sync with leader") {
			u.t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	u.must(m.WaitReady(u.ctx))
	u.refused("etcdserver: can only promote a learner member", "member", "promote", id)
	u.refused("etcdserver: member not found", "member", "promote", "5")
}
