package spectest

import (
	"context"
	"encoding/json"
	"flag"
	"math/rand/v2"
	"os"
	"reflect"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"detcd/checker/etcd"
	"detcd/cmd/detcd/testbed"
)

func TestMain(m *testing.M) {
	flag.Int("spectest.requests", 8000, "how many requests are compared")
	flag.Uint64("spectest.seed", 1, "which requests")
	os.Exit(m.Run())
}

// setting returns a flag.
func setting[T any](name string) T {
	return flag.Lookup(name).Value.(flag.Getter).Get().(T)
}

// call sends a request to etcd.
func call(ctx context.Context, conn *grpc.ClientConn, request any) (any, error) {
	kv, leases := pb.NewKVClient(conn), pb.NewLeaseClient(conn)
	switch r := request.(type) {
	case *pb.RangeRequest:
		return kv.Range(ctx, r)
	case *pb.PutRequest:
		return kv.Put(ctx, r)
	case *pb.DeleteRangeRequest:
		return kv.DeleteRange(ctx, r)
	case *pb.TxnRequest:
		return kv.Txn(ctx, r)
	case *pb.CompactionRequest:
		return kv.Compact(ctx, r)
	case *pb.LeaseGrantRequest:
		return leases.LeaseGrant(ctx, r)
	}
	return leases.LeaseRevoke(ctx, request.(*pb.LeaseRevokeRequest))
}

// text shows a value in a failure.
func text(value any) string {
	out, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(out)
}

// plain is a response without the difference between an empty slice and none.
func plain(r *etcd.Response) any {
	var tree any
	if err := json.Unmarshal([]byte(text(r)), &tree); err != nil {
		panic(err)
	}
	return tree
}

func TestTheSpecificationAnswersAsEtcdDoes(t *testing.T) {
	cluster := testbed.Launch(t, testbed.Options{
		Binary: testbed.Tool(t, "etcd"), Args: []string{"--unsafe-no-fsync"}})
	conn, err := cluster.Members()[0].Conn()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
	defer cancel()
	seed := setting[uint64]("spectest.seed")
	d := &drawer{random: rand.New(rand.NewPCG(seed, 0))}
	state := etcd.NewState()
	outcomes := map[string]int{}
	for range setting[int]("spectest.requests") {
		request := d.request(state.Revision())
		want, failed := call(ctx, conn, request)
		got := &etcd.Response{}
		if grant, ok := want.(*pb.LeaseGrantResponse); ok && failed == nil {
			got.Lease = &etcd.LeaseReply{ID: grant.ID, TTL: grant.TTL}
		}
		failure := state.Apply(etcd.FromRequest(request), got)
		outcome := ""
		if failed != nil {
			outcome = status.Convert(failed).Message()
		}
		outcomes[outcome]++
		if failure != outcome {
			t.Fatalf("seed %d: %s: the specification says %q, etcd %q", seed, text(request), failure,
				outcome)
		}
		if failed != nil {
			continue
		}
		answer := etcd.FromResponse(want)
		answer.Term = 0 // who leads is not specified
		if !reflect.DeepEqual(plain(got), plain(answer)) {
			t.Fatalf("seed %d: %s:\nspecification %s\netcd          %s", seed, text(request),
				text(got), text(answer))
		}
	}
	for outcome, count := range outcomes {
		t.Logf("%6d %s", count, outcome)
	}
	if len(outcomes) < 10 {
		t.Errorf("only %d kinds of outcomes were met", len(outcomes))
	}
}
