package sim

import (
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/protobuf/proto"

	"detcd/faults"
)

// Runs with users are green, and the judge sees allowed and refused requests in them.
func TestRunsWithUsers(t *testing.T) {
	for seed := uint64(1); seed <= 4; seed++ {
		o := Drawn(faults.Everything, seed, 30*time.Second)
		o.World = PlainSurroundings()
		o.Users = true
		r := Run(o)
		if r.Verdict != Green {
			t.Errorf("seed %d: %v: %s", seed, r.Verdict, r.Reason)
		}
		if r.Rights < 20 {
			t.Errorf("seed %d: the judge has compared %d answers with rights", seed, r.Rights)
		}
	}
}

// someRights: u1 may read [k00, k06), and write k02 and [k05, ∞).
func someRights() rights {
	may := func(role string, kind authpb.Permission_Type, key, end string) permission {
		return permission{role, &authpb.Permission{PermType: kind, Key: []byte(key),
			RangeEnd: []byte(end)}}
	}
	return rights{
		roles: []granted{{"u1", []string{"shared", "u1"}}, {"u3", []string{"shared"}}},
		permissions: []permission{
			may("shared", authpb.Permission_READ, "k00", "k03"),
			may("u1", authpb.Permission_READ, "k03", "k06"),
			may("u1", authpb.Permission_WRITE, "k02", ""),
			may("u1", authpb.Permission_READWRITE, "k05", "\x00"),
			may("u5", authpb.Permission_READWRITE, "\x00", "\x00"),
		},
	}
}

func TestWhatRightsAllow(t *testing.T) {
	r := someRights()
	for _, c := range []struct {
		user     string
		kind     authpb.Permission_Type
		key, end string
		want     bool
	}{
		{"u1", authpb.Permission_READ, "k00", "k06", true},
		{"u1", authpb.Permission_READ, "k00", "\x00", true},
		{"u1", authpb.Permission_READ, "k", "k06", false},
		{"u3", authpb.Permission_READ, "k00", "k03", true},
		{"u3", authpb.Permission_READ, "k00", "k03\x00", false},
		{"u3", authpb.Permission_READ, "k03", "", false},
		{"u1", authpb.Permission_WRITE, "k02", "", true},
		{"u1", authpb.Permission_WRITE, "k02", "k03", false},
		{"u1", authpb.Permission_WRITE, "k07", "k09", true},
		{"u5", authpb.Permission_READ, "k07", "", false},
	} {
		if got := r.allow(c.user, need{c.kind, c.key, c.end}); got != c.want {
			t.Errorf("%+v: %t", c, got)
		}
	}
}

// The judge notices whoever may more, and whoever may less, than the rights that held say.
func TestTheJudgeOfRightsIsNotBlind(t *testing.T) {
	read := func(key, end string) *pb.RangeRequest {
		return &pb.RangeRequest{Key: []byte(key), RangeEnd: []byte(end)}
	}
	put := &pb.PutRequest{Key: []byte("k02"), Value: []byte("v")}
	leased := &pb.PutRequest{Key: []byte("k01"), Lease: 7}
	nested := func(r *pb.TxnRequest) *pb.TxnRequest {
		return &pb.TxnRequest{Failure: []*pb.RequestOp{{
			Request: &pb.RequestOp_RequestTxn{RequestTxn: r}}}}
	}
	deletes := &pb.TxnRequest{Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestDeleteRange{
		RequestDeleteRange: &pb.DeleteRangeRequest{Key: []byte("k04")}}}}}
	denied := rpctypes.ErrGRPCPermissionDenied
	for i, c := range []struct {
		request  proto.Message
		err      error
		from, to int64
		want     Verdict
	}{
		{read("k00", "k06"), nil, 10, 20, Green}, {read("k00", "k06"), denied, 10, 20, Safety},
		{read("k", "k06"), denied, 10, 20, Green}, {read("k", "k06"), nil, 10, 20, Safety},
		{read("k", "k06"), nil, 11, 20, Green}, {read("k", "k06"), nil, 10, 19, Green},
		{read("k", "k06"), rpctypes.ErrGRPCAuthOldRevision, 10, 20, Green},
		{put, nil, 10, 20, Green}, {put, denied, 10, 20, Safety},
		{leased, nil, 10, 20, Green}, {leased, denied, 10, 20, Green},
		{nested(deletes), nil, 10, 20, Safety}, {nested(deletes), denied, 10, 20, Green},
	} {
		w := newWorld(Options{Seed: 1, Users: true})
		o := &operation{client: 1, user: "u1", call: 10, finished: 20, request: c.request, err: c.err}
		w.judge.user(o)
		w.judge.held(c.from, c.to, someRights())
		if w.judge.verdict != c.want {
			t.Errorf("%d: %v: %s", i, w.judge.verdict, w.judge.reason)
		}
	}
	w := newWorld(Options{Seed: 1, Users: true})
	w.judge.user(&operation{client: 1, user: "u1", request: put, err: denied})
	w.judge.history.written["v"] = 9
	w.judge.user(&operation{client: 1, user: "u1", request: put, err: denied})
	if w.judge.verdict != Safety {
		t.Error("a put that was refused and carried out goes unnoticed")
	}
}
