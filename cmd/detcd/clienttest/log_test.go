package clienttest

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"detcd/cmd/detcd/testbed"
)

// What etcd logs of changes of users and of what takes long, detcd does, in the same words and with
// the same keys; neither says a password or a value.
func TestBothLogWhatOperatorsLookFor(t *testing.T) {
	t.Parallel()
	want := logged(t, testbed.Tool(t, "etcd"))
	got := logged(t, testbed.Detcd(t))
	const atLeast = 15
	if len(want) < atLeast {
		t.Fatalf("etcd logs only %v", want)
	}
	for line := range want {
		if !got[line] {
			t.Errorf("no line %s", line)
		}
	}
	for line := range got {
		if !want[line] {
			t.Errorf("etcd has no line %s", line)
		}
	}
}

// secret is what no log may have.
const secret = "s3cr3t"

// logged gives the lines of a server of its users and slow requests after the same use.
func logged(t *testing.T, binary string) map[string]bool {
	cluster := testbed.Launch(t, testbed.Options{Binary: binary, Args: []string{
		"--log-level=info", "--bcrypt-cost=4", "--warning-apply-duration=1ns",
		"--warning-unary-request-duration=1ns",
	}})
	ctx, cancel := context.WithTimeout(t.Context(), scenarioTimeout)
	defer cancel()
	member := cluster.Members()[0]
	u := &user{t: t, ctx: ctx, cluster: cluster}
	c := testbed.Client(t, member.Endpoint())
	try := func(_ any, err error) {
		t.Helper()
		u.must(err)
	}
	try(c.Put(ctx, "key", secret))
	try(c.Get(ctx, "key"))
	try(c.Delete(ctx, "key"))
	try(c.Txn(ctx).If(clientv3.Compare(clientv3.Value("key"), "=", secret)).
		Else(clientv3.OpGet("key")).Commit())
	try(c.Txn(ctx).Then(clientv3.OpPut("key", secret)).Commit())
	try(c.UserAdd(ctx, "root", secret))
	try(c.RoleAdd(ctx, "root"))
	try(c.UserGrantRole(ctx, "root", "root"))
	try(c.UserAdd(ctx, "ann", secret))
	try(c.RoleAdd(ctx, "r"))
	try(c.RoleGrantPermission(ctx, "r", "a", "b", clientv3.PermissionType(clientv3.PermRead)))
	try(c.UserGrantRole(ctx, "ann", "r"))
	try(c.UserChangePassword(ctx, "ann", secret+"2"))
	try(c.UserRevokeRole(ctx, "ann", "r"))
	try(c.RoleRevokePermission(ctx, "r", "a", "b"))
	try(c.RoleDelete(ctx, "r"))
	try(c.UserDelete(ctx, "ann"))
	try(c.AuthEnable(ctx))
	root, err := clientv3.New(clientv3.Config{
		Endpoints: []string{member.Endpoint()}, Username: "root", Password: secret,
	})
	u.must(err)
	defer root.Close()
	try(root.AuthDisable(ctx))
	alarm := pb.NewMaintenanceClient(c.ActiveConnection())
	request := &pb.AlarmRequest{Action: pb.AlarmRequest_ACTIVATE, Alarm: pb.AlarmType_NOSPACE,
		MemberID: 7}
	try(alarm.Alarm(ctx, request))
	request.Action = pb.AlarmRequest_DEACTIVATE
	try(alarm.Alarm(ctx, request))
	text, err := os.ReadFile(member.LogPath())
	u.must(err)
	if strings.Contains(string(text), secret) {
		t.Errorf("the log of %s has a secret", binary)
	}
	if !strings.Contains(string(text), "alarm disarmed") && binary != testbed.Tool(t, "etcd") {
		t.Error("the log has no line of the alarm") // etcd's has none
	}
	return linesOf(t, string(text))
}

// linesOf are the lines of users and of slow requests, which both are to have, without what
// differs from run to run. Lines of slow execution count by their prefix: etcd executes more than
// it is asked.
func linesOf(t *testing.T, log string) map[string]bool {
	lines := make(map[string]bool)
	for line := range strings.Lines(log) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			continue
		}
		text, _ := fields["msg"].(string)
		_, ofUser := fields["user-name"]
		_, ofRole := fields["role-name"]
		switch {
		case text == "apply request took too long":
			fields = map[string]any{"msg": text, "level": fields["level"], "prefix": fields["prefix"],
				"has": []bool{fields["took"] != nil, fields["expected-duration"] == "1ns",
					fields["request"] != nil, fields["response"] != nil}}
		case text == "request stats":
			for _, name := range []string{
				"start time", "time spent", "remote", "request size", "response size",
			} {
				if fields[name] == nil {
					t.Errorf("no %q in %s", name, line)
				}
				delete(fields, name)
			}
			// How protobuf writes a message as text differs from build to build, by a space.
			content, _ := fields["request content"].(string)
			fields["request content"] = strings.Join(strings.Fields(content), " ")
		case ofUser, ofRole, strings.HasSuffix(text, "authentication"):
		default:
			continue
		}
		delete(fields, "ts")
		delete(fields, "caller")
		masked, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		lines[string(masked)] = true
	}
	return lines
}
