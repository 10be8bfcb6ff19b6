package clienttest

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"detcd/cmd/detcd/testbed"
)

func TestHistoryOfEtcdIsCompacted(t *testing.T) {
	t.Parallel()
	compacts(t, testbed.Tool(t, "etcd"))
}

func TestHistoryOfDetcdIsCompacted(t *testing.T) {
	t.Parallel()
	compacts(t, testbed.Detcd(t))
}

// compacts writes until the first revisions are gone by themselves, on all members.
func compacts(t *testing.T, binary string) {
	cluster := testbed.Launch(t, testbed.Options{Binary: binary, Members: 3, Args: []string{
		"--auto-compaction-retention=1s", "--unsafe-no-fsync",
	}})
	ctx, cancel := context.WithTimeout(t.Context(), scenarioTimeout)
	defer cancel()
	u := &user{t: t, ctx: ctx, cluster: cluster}
	client := u.client()
	start := time.Now()
	for {
		now, err := client.Put(ctx, "a", "v")
		u.must(err)
		_, err = client.Get(ctx, "a", clientv3.WithRev(2))
		if errors.Is(err, rpctypes.ErrCompacted) {
			if early := time.Since(start); early < 900*time.Millisecond {
				t.Errorf("compacted after %v", early)
			}
			_, err = client.Get(ctx, "a", clientv3.WithRev(now.Header.Revision-1))
			u.must(err)
			return
		}
		u.must(err)
		time.Sleep(20 * time.Millisecond)
	}
}
