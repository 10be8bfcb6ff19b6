package clienttest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"detcd/cmd/detcd/testbed"
)

func TestAQuotaOfEtcd(t *testing.T) {
	t.Parallel()
	fill(t, testbed.Tool(t, "etcd"), 300)
}

func TestAQuotaOfDetcd(t *testing.T) {
	t.Parallel()
	fill(t, testbed.Detcd(t), 90)
}

// fill writes until a cluster is full, and makes room again as etcd's operations guide says: by
// deletes, compaction, defragmentation, and the disarming of the alarm. It must not take most puts.
func fill(t *testing.T, binary string, most int) {
	const quota = 8 << 20
	cluster := testbed.Launch(t, testbed.Options{Binary: binary, Members: 3, Args: []string{
		fmt.Sprintf("--quota-backend-bytes=%d", quota), "--unsafe-no-fsync",
	}})
	ctx, cancel := context.WithTimeout(t.Context(), scenarioTimeout)
	defer cancel()
	u := &user{t: t, ctx: ctx, cluster: cluster}
	client, value := u.client(), strings.Repeat("v", 100_000)
	var err error
	stored := 0
	for ; err == nil && stored < 1000; stored++ {
		_, err = client.Put(ctx, fmt.Sprintf("k%d", stored%5), value)
	}
	// etcd looks at its file, which it writes some time later.
	if !errors.Is(err, rpctypes.ErrNoSpace) || stored < 60 || stored > most {
		t.Fatalf("%d puts, then %v", stored, err)
	}
	alarms, err := client.AlarmList(ctx)
	u.must(err)
	if len(alarms.Alarms) == 0 || alarms.Alarms[0].Alarm != pb.AlarmType_NOSPACE {
		t.Fatalf("the alarms are %v", alarms.Alarms)
	}
	// Status tells what one member knows. After a linearizable read it knows of the alarm.
	second := cluster.Endpoints()[1]
	_, err = testbed.Client(t, second).Get(ctx, "k0")
	u.must(err)
	status, err := client.Status(ctx, second)
	u.must(err)
	if status.DbSizeQuota != quota || len(status.Errors) == 0 {
		t.Errorf("status is %v", status)
	}
	if _, err = client.Put(ctx, "small", ""); !errors.Is(err, rpctypes.ErrNoSpace) {
		t.Errorf("a small put gives %v", err)
	}
	if _, err = client.Grant(ctx, 60); !errors.Is(err, rpctypes.ErrNoSpace) {
		t.Errorf("a lease gives %v", err)
	}
	got, err := client.Get(ctx, "k", clientv3.WithPrefix(), clientv3.WithCountOnly())
	if u.must(err); got.Count != 5 {
		t.Errorf("%d keys", got.Count)
	}
	deleted, err := client.Delete(ctx, "k0")
	u.must(err)
	_, err = client.Compact(ctx, deleted.Header.Revision, clientv3.WithCompactPhysical())
	u.must(err)
	for _, endpoint := range cluster.Endpoints() {
		_, err = client.Defragment(ctx, endpoint)
		u.must(err)
	}
	if _, err = client.Put(ctx, "small", ""); !errors.Is(err, rpctypes.ErrNoSpace) {
		t.Errorf("a put before disarming gives %v", err)
	}
	_, err = client.AlarmDisarm(ctx, &clientv3.AlarmMember{})
	u.must(err)
	for range 20 {
		_, err = client.Put(ctx, "k0", value)
		u.must(err)
	}
}
