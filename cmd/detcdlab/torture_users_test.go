package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/metadata"

	"detcd/checker"
	"detcd/cmd/detcd/testbed"
	"detcd/faults/nemesis"
)

// rough is a plan with faults that only root can make; the last one is not over when the load ends.
const rough = `
500ms for 100ms crash-keep members=1
1s for 500ms pause-leader
2s transfer
2200ms checkpoint-now
2500ms replace members=3
4700ms replace members=2
`

func TestUsersMayWhatTheyMayUnderTorture(t *testing.T) {
	t.Parallel()
	o := gentle(t, testbed.Detcd(t), "mixed")
	o.users, o.duration, o.plan = true, 5*time.Second, filepath.Join(t.TempDir(), "plan")
	if err := os.WriteFile(o.plan, []byte(rough[1:]), 0o600); err != nil {
		t.Fatal(err)
	}
	torture := tryOut(t, o)
	holds(t, torture)
	if v := torture.probe.Visits(); min(v.Strange, v.Changes, v.Served, v.Refused) < visitsMin {
		t.Errorf("hardly anything was tried: %+v", v)
	}
	for _, e := range torture.events {
		if e.Err != nil && strings.Contains(e.Err.Error(), "user name is empty") {
			t.Errorf("%s: %v", e.Text, e.Err)
		}
	}
}

// Somebody gives a role to who must not have it, and says nothing: as if the cluster did not look
// at permissions.
func TestUsersWhoMayTooMuchAreFound(t *testing.T) {
	t.Parallel()
	binary := testbed.Detcd(t)
	for user, want := range map[string]checker.Verdict{
		"stranger":  checker.Violated, // nobody knows who wrote what he wrote
		"visitor-1": checker.Holds,    // what he wrote is in the history
	} {
		t.Run(user, func(t *testing.T) {
			t.Parallel()
			cluster := testbed.Launch(t, testbed.Options{Binary: binary, Members: 3,
				Args: append(fastElections(), "--bcrypt-cost=4")})
			o := gentle(t, "", "register")
			o.endpoints, o.users = cluster.Endpoints(), true
			promoted := make(chan error, 1)
			go func() { promoted <- promote(t.Context(), o.endpoints[0], user) }()
			torture := &trial{options: o}
			torture.enough = func() bool { return torture.probe.Breach() != "" }
			history, err := torture.record(t.Context(), newSpeaker(io.Discard))
			if err := errors.Join(err, <-promoted); err != nil {
				t.Fatal(err)
			}
			if err := torture.judge(t.Context(), history); err != nil {
				t.Fatal(err)
			}
			if torture.report.Verdict != want || !strings.Contains(torture.finding, user) {
				t.Errorf("%v: %s", torture.report.Verdict, torture.finding)
			}
		})
	}
}

// promote gives a user the role of those who may do everything, as soon as there is such a user.
func promote(ctx context.Context, endpoint, user string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	conn, err := nemesis.Dial(endpoint)
	if err != nil {
		return err
	}
	defer conn.Close()
	a := pb.NewAuthClient(conn)
	for {
		root, err := a.Authenticate(ctx, &pb.AuthenticateRequest{Name: "root", Password: "of root"})
		if err == nil {
			_, err = a.UserGrantRole(metadata.AppendToOutgoingContext(ctx, "token", root.Token),
				&pb.AuthUserGrantRoleRequest{User: user, Role: "worker-0"})
		}
		if err == nil || ctx.Err() != nil {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}
