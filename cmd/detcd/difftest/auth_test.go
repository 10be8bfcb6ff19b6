package difftest

import (
	"context"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"detcd/cmd/detcd/testbed"
)

// A guarded session is one in which users come and go, and do what they may and may not.
type guarded struct {
	*session
	tokens map[string][2]string // that both sides gave a user last, good or not by now
}

// beginGuarded empties both sides, and makes most of what users need.
func beginGuarded(t *rapid.T, pair *pair) *guarded {
	t.Helper()
	if err := pair.prepare(); err != nil {
		t.Fatalf("the servers do not start: %v", err)
	}
	pair.clean = false
	g := &guarded{
		session: &session{t: t, pair: pair, patience: watchPatience, fragile: map[int64]bool{}},
		tokens:  map[string][2]string{},
	}
	for _, r := range []struct {
		method  string
		request proto.Message
	}{
		{"Auth.UserAdd", &pb.AuthUserAddRequest{Name: "root", Password: "p"}},
		{"Auth.UserGrantRole", &pb.AuthUserGrantRoleRequest{User: "root", Role: "root"}},
		{"Auth.UserAdd", &pb.AuthUserAddRequest{Name: "ann", Password: "p"}},
		{"Auth.RoleAdd", &pb.AuthRoleAddRequest{Name: "one"}},
		{"Auth.UserGrantRole", &pb.AuthUserGrantRoleRequest{User: "ann", Role: "one"}},
		{"Auth.AuthEnable", &pb.AuthEnableRequest{}},
	} {
		g.ask(r.method, r.request)
	}
	g.login(&pb.AuthenticateRequest{Name: "root", Password: "p"})
	g.login(&pb.AuthenticateRequest{Name: "ann", Password: "p"})
	return g
}

// show makes the following requests in a name, by the token that each side gave it.
func (g *guarded) show(t *rapid.T, name string) {
	key := pick(t, "metadata", "token", "token", "authorization", "bearer")
	tokens := g.tokens[name]
	g.pair.a.shown, g.pair.b.shown = nil, nil
	switch {
	case name == "nobody":
	case name == "forger":
		token := pick(t, "forged", "zzz", "", "a.1", "a.b", "....", "Bearer ")
		g.pair.a.shown, g.pair.b.shown = []string{"token", token}, []string{"token", token}
	case key == "bearer":
		g.pair.a.shown = []string{"authorization", "Bearer " + tokens[0]}
		g.pair.b.shown = []string{"authorization", "Bearer " + tokens[1]}
	default:
		g.pair.a.shown, g.pair.b.shown = []string{key, tokens[0]}, []string{key, tokens[1]}
	}
	g.note("(as %s)", name)
}

// login keeps the tokens.
func (g *guarded) login(r *pb.AuthenticateRequest) {
	g.t.Helper()
	a, b := g.pair.ask("Auth.Authenticate", r)
	g.note("Auth.Authenticate{%s %.3q} → %s", r.Name, r.Password, outcome(a))
	g.equal("Auth.Authenticate", a, b)
	if a.err == nil {
		g.tokens[r.Name] = [...]string{
			a.message.(*pb.AuthenticateResponse).Token, b.message.(*pb.AuthenticateResponse).Token,
		}
	}
}

// step draws who does what.
func (g *guarded) step(t *rapid.T) {
	g.show(t, pick(t, "as", "root", "root", "root", "ann", "ann", "bob", "nobody", "forger"))
	switch kind := pick(t, "step", authKinds()...); kind {
	case "login":
		g.login(drawLogin(t))
	case "range stream":
		r := drawRangeRequest(t, g.moment())
		forward(r.ProtoReflect())
		g.rangeStream(r)
	case "keep alive":
		id := drawLease(t)
		g.stream("keep alive", func(ctx context.Context, s *side) (proto.Message, error) {
			stream, err := pb.NewLeaseClient(s.conn).LeaseKeepAlive(ctx)
			if err == nil {
				err = stream.Send(&pb.LeaseKeepAliveRequest{ID: id})
			}
			if err != nil {
				return nil, err
			}
			return stream.Recv()
		})
	case "watch":
		create := drawWatch(t, g.moment())
		create.StartRevision = pick[int64](t, "start", 0, 0, -1)
		forward(create.ProtoReflect())
		g.stream("watch", func(ctx context.Context, s *side) (proto.Message, error) {
			stream, err := pb.NewWatchClient(s.conn).Watch(ctx)
			if err == nil {
				err = stream.Send(createRequest(create))
			}
			if err != nil {
				return nil, err
			}
			return stream.Recv()
		})
	case "snapshot":
		g.stream("snapshot", func(ctx context.Context, s *side) (proto.Message, error) {
			stream, err := pb.NewMaintenanceClient(s.conn).Snapshot(ctx, &pb.SnapshotRequest{})
			if err == nil {
				_, err = stream.Recv() // the bytes are another file's
			}
			return &pb.SnapshotResponse{}, err
		})
	default:
		g.ask(drawGuarded(t, kind, g.moment()))
	}
}

// stream compares the first answer of a stream.
func (g *guarded) stream(
	name string, open func(ctx context.Context, s *side) (proto.Message, error),
) {
	g.t.Helper()
	var answers [2]answer
	_ = g.pair.both(func(s *side) error {
		ctx, cancel := context.WithTimeout(s.context(), callTimeout)
		defer cancel()
		response, err := open(ctx, s)
		i := 0
		if s == g.pair.b {
			i = 1
		}
		if answers[i] = (answer{message: response}); err != nil {
			answers[i] = answer{err: err}
		}
		return nil
	})
	g.note("%s → %s", name, outcome(answers[0]))
	g.equal(name, answers[0], answers[1])
}

// disable turns authentication off as root, if one of the passwords is his.
func (g *guarded) disable() (done bool) {
	for _, password := range []string{"p", "q"} {
		g.login(&pb.AuthenticateRequest{Name: "root", Password: password})
	}
	tokens := g.tokens["root"]
	g.pair.a.shown, g.pair.b.shown = []string{"token", tokens[0]}, []string{"token", tokens[1]}
	done = g.ask("Auth.AuthDisable", &pb.AuthDisableRequest{}) != nil
	g.pair.a.shown, g.pair.b.shown = nil, nil
	return done
}

// end lets root in again, by whatever way there is, compares all that is left and removes it.
func (g *guarded) end() {
	g.t.Helper()
	g.note("(the end)")
	g.pair.a.shown, g.pair.b.shown = nil, nil
	status, _ := g.ask("Auth.AuthStatus", &pb.AuthStatusRequest{}).(*pb.AuthStatusResponse)
	if status.GetEnabled() && !g.disable() {
		g.pair.stop() // nobody knows the password any more
		return
	}
	everything := []byte{0}
	g.ask("KV.Range", &pb.RangeRequest{Key: everything, RangeEnd: everything})
	g.ask("Lease.LeaseLeases", &pb.LeaseLeasesRequest{})
	users, _ := g.ask("Auth.UserList", &pb.AuthUserListRequest{}).(*pb.AuthUserListResponse)
	for _, name := range users.GetUsers() {
		g.ask("Auth.UserGet", &pb.AuthUserGetRequest{Name: name})
		g.ask("Auth.UserDelete", &pb.AuthUserDeleteRequest{Name: name})
	}
	roles, _ := g.ask("Auth.RoleList", &pb.AuthRoleListRequest{}).(*pb.AuthRoleListResponse)
	for _, name := range roles.GetRoles() {
		g.ask("Auth.RoleGet", &pb.AuthRoleGetRequest{Role: name})
		g.ask("Auth.RoleDelete", &pb.AuthRoleDeleteRequest{Role: name})
	}
	g.empty()
}

// sameGuarded runs sessions with users.
func sameGuarded(t *testing.T, pair *pair) {
	t.Cleanup(func() {
		pair.stop()
		if t.Failed() {
			t.Logf("the difference as it was first found: %s", pair.story)
		}
	})
	pair.args = []string{"--bcrypt-cost=4"}
	outcomes, requests, start := map[string]int{}, 0, time.Now()
	for {
		rapid.Check(t, func(t *rapid.T) {
			g := beginGuarded(t, pair)
			t.Repeat(map[string]func(*rapid.T){"step": g.step})
			g.end()
			requests += len(g.transcript)
			for _, line := range g.transcript {
				for _, text := range []string{"PermissionDenied", "Unauthenticated", "name is empty",
					"authentication failed", "at "} {
					if strings.Contains(line, "→ "+text) || strings.Contains(line, text+`"`) {
						outcomes[text]++
					}
				}
			}
		})
		if time.Since(start) >= duration() {
			break
		}
	}
	t.Logf("%d requests, %v: %v", requests, time.Since(start).Round(time.Second), outcomes)
	if len(outcomes) < 4 {
		t.Error("too little of what may come of a request was seen")
	}
}

func TestSameUsersEtcdAndEtcd(t *testing.T) {
	etcd := testbed.Tool(t, "etcd")
	sameGuarded(t, newPair(etcd, etcd))
}

func TestSameUsersEtcdAndDetcd(t *testing.T) {
	pair := newPair(testbed.Tool(t, "etcd"), testbed.Detcd(t))
	sameGuarded(t, pair)
}
