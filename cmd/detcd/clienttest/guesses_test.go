package clienttest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"detcd/cmd/detcd/testbed"
	"detcd/faults/nemesis"
)

// guessers is how many clients guess passwords at the same time.
const guessers = 64

// While 64 clients guess passwords, also of the true user and from his address, he logs in after a
// few of their guesses were looked at, and not after all.
func TestATrueLoginWaitsForFewGuesses(t *testing.T) {
	t.Parallel()
	// One password is hashed at a time then, so that what was done meanwhile can be counted.
	single := filepath.Join(t.TempDir(), "single")
	script := fmt.Sprintf("#!/bin/sh\nGOMAXPROCS=2 exec %s \"$@\"\n", testbed.Detcd(t))
	if err := os.WriteFile(single, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	cluster := testbed.Launch(t, testbed.Options{Binary: single})
	ctx, cancel := context.WithTimeout(t.Context(), scenarioTimeout)
	defer cancel()
	u := &user{t: t, ctx: ctx, cluster: cluster}
	u.people()
	root := u.as("root", "r", cluster.Endpoints()[0])
	names := []string{"root", "ann"}
	for i := range 4 {
		names = append(names, fmt.Sprint("user", i))
		_, err := root.UserAdd(ctx, names[len(names)-1], "secret")
		u.must(err)
	}
	var looked atomic.Int64
	guessing, stop := context.WithCancel(ctx)
	var crowd, begun sync.WaitGroup // begun: each of them has guessed wrong
	begun.Add(guessers)
	for range guessers {
		conn, err := nemesis.Dial(cluster.Endpoints()[0])
		u.must(err)
		defer conn.Close()
		crowd.Go(func() {
			guess(guessing, pb.NewAuthClient(conn), names, &looked, sync.OnceFunc(begun.Done))
		})
	}
	defer crowd.Wait()
	defer stop()
	begun.Wait()
	var took []time.Duration
	var waited []int64
	for range 10 {
		before, start := looked.Load(), time.Now()
		c, err := clientv3.New(clientv3.Config{Endpoints: cluster.Endpoints(), Username: "ann",
			Password: "secret", DialTimeout: scenarioTimeout, Context: ctx})
		u.must(err)
		took, waited = append(took, time.Since(start)), append(waited, looked.Load()-before)
		u.must(c.Close())
	}
	slices.Sort(took)
	t.Logf("logins took %v to %v; meanwhile %v guesses were looked at", took[0], took[9], waited)
	if most := slices.Max(waited); most > 3*int64(len(names)) {
		t.Errorf("a true login waited for %d guesses; %v", most, took)
	}
}

// guess tries passwords of users that there are, and of some that there are not, and counts those
// that were looked at. It tells of the first one.
func guess(
	ctx context.Context, c pb.AuthClient, names []string, looked *atomic.Int64, begun func(),
) {
	for n := 0; ctx.Err() == nil; n++ {
		name := names[rand.N(len(names))]
		known := n%4 > 0
		if !known {
			name = fmt.Sprint("nobody", n)
		}
		_, err := c.Authenticate(ctx, &pb.AuthenticateRequest{Name: name, Password: fmt.Sprint(n)})
		if known && rpctypes.Error(err) == rpctypes.ErrAuthFailed {
			looked.Add(1)
			begun()
		}
	}
}
