package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/types"

	"detcd/cmd/detcd/testbed"
)

func TestAClusterOfThreeIsSeenWhole(t *testing.T) {
	t.Parallel()
	cluster := testbed.Launch(t, testbed.Options{Binary: testbed.Tool(t, "etcd"), Members: 3})
	// Of several endpoints any may answer, and says who it is. So there is one, but where each does.
	endpoints := cluster.Endpoints()
	others := " --endpoints " + strings.Join(endpoints[1:], ",")
	theirs := &operator{
		binary: testbed.Tool(t, "etcdctl"), endpoint: endpoints[0], dir: t.TempDir(),
	}
	ours := &operator{binary: buildDetcdctl(t), endpoint: endpoints[0], dir: t.TempDir()}
	for _, command := range []string{
		"put a 1", "member list", "member list -w json", "member list -w json --hex",
		"member list -w fields", "member list -w table",
		"endpoint hashkv" + others, "endpoint hashkv --cluster -w json",
		"endpoint hashkv --cluster -w fields",
		"endpoint health --cluster", "endpoint status -w json" + others, "defrag --cluster",
		"endpoint status --cluster -w table", "snapshot save x.db" + others, "alarm list",
	} {
		s := readStep(t, 0, shellWords(command))
		a, err := theirs.run(s)
		if err != nil {
			t.Fatal(err)
		}
		b, err := ours.run(s)
		if err != nil {
			t.Fatal(err)
		}
		a.stderr, b.stderr = said(a.stderr), said(b.stderr)
		if strings.Contains(command, "health") { // theirs come in any order
			a.stdout, b.stdout = sortedLines(a.stdout), sortedLines(b.stdout)
		}
		if a != b {
			t.Errorf("%s:\netcdctl:  %+v\ndetcdctl: %+v", command, a, b)
		}
	}
}

func sortedLines(text string) string {
	lines := strings.Split(text, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// states asks every member for its state.
func states(t *testing.T, endpoints string) []endpointStatus {
	t.Helper()
	var all []endpointStatus
	said := mustRun(t, "--endpoints", endpoints, "endpoint", "status", "-w", "json")
	if err := json.Unmarshal([]byte(said), &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestLeadershipMoves(t *testing.T) {
	cluster := testbed.Launch(t, testbed.Options{Binary: testbed.Tool(t, "etcd"), Members: 3})
	endpoints := cluster.Endpoints()
	all := strings.Join(endpoints, ",")
	before := states(t, all)
	target := before[0]
	if target.Status.Leader == target.Status.Header.GetMemberId() {
		target = before[1]
	}
	// An endpoint that is down does not keep the leader from being found.
	said := mustRun(t, "--endpoints", "127.0.0.1:1,"+all, "--command-timeout", "5s", "move-leader",
		types.ID(target.Status.Header.GetMemberId()).String())
	if !strings.HasPrefix(said, "Leadership transferred from ") {
		t.Error(said)
	}
	if now := states(t, target.Endpoint)[0].Status.Leader; now != target.Status.Header.GetMemberId() {
		t.Errorf("%x leads; want %x", now, target.Status.Header.GetMemberId())
	}
}

func TestMembersComeAndGo(t *testing.T) {
	all := testbed.Launch(t, testbed.Options{Binary: testbed.Tool(t, "etcd")}).Endpoints()[0]
	added := mustRun(t, "--endpoints", all, "member", "add", "m9", "--learner",
		"--peer-urls", "http://127.0.0.1:9")
	for _, want := range []string{"added as learner", `ETCD_NAME="m9"`, "m9=http://127.0.0.1:9"} {
		if !strings.Contains(added, want) {
			t.Errorf("%s is missing in:\n%s", want, added)
		}
	}
	id := strings.Fields(added)[1]
	mustRun(t, "--endpoints", all, "member", "update", id, "--peer-urls", "http://127.0.0.1:10")
	if list := mustRun(t, "--endpoints", all, "member", "list"); !strings.Contains(list,
		"unstarted, , http://127.0.0.1:10, , true") {
		t.Error(list)
	}
	removed := mustRun(t, "--endpoints", all, "member", "remove", id)
	// Like etcdctl's, the line pads an ID that begins with a zero: one in sixteen does.
	if !strings.HasPrefix(removed, fmt.Sprintf("Member %16s removed from cluster ", id)) {
		t.Error(removed)
	}
}

func TestWhoDoesNotAnswerIsNamed(t *testing.T) {
	cluster := testbed.Launch(t, testbed.Options{Binary: testbed.Tool(t, "etcd")})
	good, dead := cluster.Endpoints()[0], "127.0.0.1:1"
	for _, c := range []struct {
		words          string
		out, errors    string
		status, within int // seconds
	}{
		{"endpoint health", good + " is healthy", dead + " is unhealthy", exitError, 60},
		{"endpoint status", good + ", ", "Failed to get the status of endpoint " + dead, exitError, 60},
		{"endpoint hashkv", good + ", ", "Failed to get the hash of endpoint " + dead, exitError, 60},
		{"defrag", "member[" + good + "]", "Failed to defragment etcd member[" + dead, exitError, 60},
		{"get a", "", "", 0, 60},
	} {
		start := time.Now()
		words := append([]string{"--endpoints", dead + "," + good, "--command-timeout", "4s"},
			strings.Fields(c.words)...)
		r := runHere(t.Context(), words...)
		if r.status != c.status || !strings.Contains(r.out.String(), c.out) ||
			!strings.Contains(r.errors.String(), c.errors) {
			t.Errorf("%s: %d\n%s%s", c.words, r.status, &r.out, &r.errors)
		}
		if took := time.Since(start); took > time.Duration(c.within)*time.Second {
			t.Errorf("%s: it took %v", c.words, took)
		}
	}
	r := runHere(t.Context(), "--endpoints", dead, "--command-timeout", "300ms", "user", "list")
	if r.status != exitError ||
		!strings.Contains(r.errors.String(), "Cause: dial tcp 127.0.0.1:1: connect: connection refused") {
		t.Errorf("%d %s", r.status, &r.errors)
	}
}
