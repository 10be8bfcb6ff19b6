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

// compacts writes until the first revisions are gone by themselves, on all members. What is younger
// than a second must be there.
func compacts(t *testing.T, binary string) {
	cluster := testbed.Launch(t, testbed.Options{Binary: binary, Members: 3, Args: []string{
		"--auto-compaction-retention=1s", "--unsafe-no-fsync",
	}})
	ctx, cancel := context.WithTimeout(t.Context(), scenarioTimeout)
	defer cancel()
	u := &user{t: t, ctx: ctx, cluster: cluster}
	client := u.client()
	const young = 900 * time.Millisecond
	read := func(revision int64, born time.Time) (gone bool) {
		_, err := client.Get(ctx, "a", clientv3.WithRev(revision))
		if gone = errors.Is(err, rpctypes.ErrCompacted); !gone {
			u.must(err)
		} else if age := time.Since(born); age < young {
			t.Errorf("revision %d is compacted after %v", revision, age)
		}
		return gone
	}
	for start, last := time.Now(), time.Now(); ; {
		begun := time.Now()
		now, err := client.Put(ctx, "a", "v")
		u.must(err)
		if read(2, start) {
			read(now.Header.Revision-1, last)
			return
		}
		last = begun
		time.Sleep(20 * time.Millisecond)
	}
}
