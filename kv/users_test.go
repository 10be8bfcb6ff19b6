package kv

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"detcd/kv/auth"
)

// person is somebody who makes requests to a member. A hash of his is the password with a salt that
// counts.
type person struct {
	member *member
	name   string
	behind auth.Revision // by how much his revision is too low
	signs  bool          // tokens are signed
	asked  func()        // is called when a password was compared
}

func (p *person) Caller() (auth.Caller, error) {
	view := p.member.store.Auth()
	if !view.Enabled() || p.name == "" {
		return auth.Caller{}, nil
	}
	if p.name == "forger" {
		return auth.Caller{}, rpctypes.ErrGRPCInvalidAuthToken
	}
	return auth.Caller{User: p.name, Revision: view.Revision() - p.behind}, nil
}

func (p *person) Hash(password string) ([]byte, error) {
	p.member.random++
	return fmt.Appendf(nil, "%d:%s", p.member.random, password), nil
}

func (p *person) Matches(hash []byte, password string) (bool, error) {
	_, got, _ := strings.Cut(string(hash), ":")
	if p.asked != nil {
		p.asked()
	}
	return got == password, nil
}

func (p *person) Prefix() (string, error) {
	if p.signs {
		return "", nil
	}
	p.member.random++
	return fmt.Sprint("token", p.member.random), nil
}

func (p *person) Sign(c auth.Caller) (string, error) { return fmt.Sprint(c), nil }

// as makes the following requests in a name.
func (m *member) as(name string) *member {
	m.who = &person{member: m, name: name}
	return m
}

func addUser(name, password string) proto.Message {
	return &pb.AuthUserAddRequest{Name: name, Password: password}
}

func addRole(name string) proto.Message { return &pb.AuthRoleAddRequest{Name: name} }

func give(user, role string) proto.Message {
	return &pb.AuthUserGrantRoleRequest{User: user, Role: role}
}

func permit(role string, access authpb.Permission_Type, key, end string) proto.Message {
	return &pb.AuthRoleGrantPermissionRequest{Name: role, Perm: &authpb.Permission{
		PermType: access, Key: []byte(key), RangeEnd: []byte(end)}}
}

// guarded is a member with authentication, where ann may read [a, c) and write [b, d). Lease 1 has
// b, lease 2 has b and d, lease 3 has nothing.
func guarded(t fataler) *member {
	m := newMember(t).as("")
	for _, r := range []proto.Message{
		grant(1, 60), grant(2, 60), grant(3, 60), leased("b", "1", 1), leased("c", "1", 2),
		leased("d", "1", 2), put("a", "1"),
		addUser(auth.Root, "r"), give(auth.Root, auth.Root), addUser("ann", "a"), addRole("one"),
		permit("one", authpb.READ, "a", "c"), permit("one", authpb.WRITE, "b", "d"),
		give("ann", "one"), addRole("two"), &pb.AuthEnableRequest{},
	} {
		m.want(r, nil)
	}
	m.store.Lead(m.now, true)
	return m
}

func previous(r *pb.PutRequest) *pb.PutRequest { r.PrevKv = true; return r }

func delPrevious(key, end string) *pb.DeleteRangeRequest {
	r := del(key, end)
	r.PrevKv = true
	return r
}

func compares(key string) proto.Message {
	return &pb.TxnRequest{Compare: []*pb.Compare{{Key: []byte(key)}}}
}

func orElse(r proto.Message) proto.Message {
	txn := then(r)
	txn.Success, txn.Failure = nil, txn.Success
	return txn
}

// TestWhoMayDoWhat lists every request with what ann, nobody and root are told.
func TestWhoMayDoWhat(t *testing.T) {
	denied, empty := rpctypes.ErrGRPCPermissionDenied, rpctypes.ErrGRPCUserEmpty
	m := guarded(t)
	for _, c := range []struct {
		request     proto.Message
		ann, nobody error
	}{
		{get("a", ""), nil, empty}, {get("a", "c"), nil, empty}, {get("a", "d"), denied, empty},
		{get("c", ""), denied, empty}, {get("a", "\x00"), denied, empty}, {get("b", "a"), nil, empty},
		{put("b", "2"), nil, empty}, {put("a", "2"), denied, empty},
		{previous(put("b", "2")), nil, empty}, {previous(put("c", "2")), denied, empty},
		{leased("b", "2", 1), nil, empty}, {leased("b", "2", 2), denied, empty},
		{leased("b", "2", 9), rpctypes.ErrGRPCLeaseNotFound, empty},
		{del("b", "d"), nil, empty}, {del("b", "e"), denied, empty},
		{delPrevious("b", ""), nil, empty}, {delPrevious("b", "d"), denied, empty},
		{then(), nil, nil}, {then(get("a", "")), nil, empty}, {then(get("c", "")), denied, empty},
		{orElse(get("c", "")), denied, empty}, {orElse(put("a", "1")), denied, empty},
		{then(put("c", "1"), get("b", "")), nil, empty}, {then(put("a", "1")), denied, empty},
		{then(previous(put("c", "1"))), denied, empty}, {then(delPrevious("c", "")), denied, empty},
		{then(then(del("b", ""))), nil, empty}, {then(then(del("d", ""))), denied, empty},
		{compares("a"), nil, empty}, {compares("c"), denied, empty},
		{compact(2), denied, empty}, {&pb.HashKVRequest{}, denied, empty},
		{grant(7, 60), nil, empty}, {revoke(7), nil, empty}, {revoke(2), denied, empty},
		{revoke(9), rpctypes.ErrGRPCLeaseNotFound, empty}, {keepAlive(9), nil, empty},
		{keepAlive(1), nil, empty}, {keepAlive(2), denied, empty}, {keepAlive(3), nil, empty},
		{&pb.LeaseTimeToLiveRequest{ID: 2}, nil, empty},
		{&pb.LeaseTimeToLiveRequest{ID: 1, Keys: true}, nil, empty},
		{&pb.LeaseTimeToLiveRequest{ID: 2, Keys: true}, denied, empty},
		{&pb.LeaseTimeToLiveRequest{ID: 9, Keys: true}, nil, empty},
		{&pb.LeaseLeasesRequest{}, denied, empty},
		{&pb.AuthStatusRequest{}, nil, nil},
		{&pb.AuthUserListRequest{}, denied, empty}, {&pb.AuthRoleListRequest{}, denied, empty},
		{&pb.AuthUserGetRequest{Name: "ann"}, nil, empty},
		{&pb.AuthUserGetRequest{Name: auth.Root}, denied, empty},
		{&pb.AuthUserGetRequest{}, denied, rpctypes.ErrGRPCUserNotFound},
		{&pb.AuthRoleGetRequest{Role: "one"}, nil, empty},
		{&pb.AuthRoleGetRequest{Role: "two"}, denied, empty},
		{addUser("", "x"), denied, empty}, {&pb.AuthUserDeleteRequest{Name: "x"}, denied, empty},
		{&pb.AuthUserChangePasswordRequest{Name: "ann", Password: "b"}, denied, empty},
		{give("ann", "two"), denied, empty}, {addRole("x"), denied, empty},
		{&pb.AuthUserRevokeRoleRequest{Name: "ann", Role: "one"}, denied, empty},
		{&pb.AuthRoleDeleteRequest{Role: "one"}, denied, empty},
		{permit("one", authpb.READ, "x", ""), denied, empty},
		{&pb.AuthRoleRevokePermissionRequest{Role: "one"}, denied, empty},
		{&pb.AuthEnableRequest{}, denied, empty}, {&pb.AuthDisableRequest{}, denied, empty},
	} {
		for name, want := range map[string]error{"ann": c.ann, "": c.nobody} {
			before := m.store.mvcc.Revision()
			if _, err := m.as(name).do(c.request); err != want {
				t.Errorf("%T{%v} of %q: %v, want %v", c.request, c.request, name, err, want)
			}
			if want != nil && m.store.mvcc.Revision() != before {
				t.Errorf("%T{%v} of %q was refused, and done", c.request, c.request, name)
			}
			_, err := m.as("forger").do(c.request)
			if err != rpctypes.ErrGRPCInvalidAuthToken {
				t.Errorf("%T{%v} with a bad token: %v", c.request, c.request, err)
			}
		}
	}
	m.as(auth.Root).want(get("\x00", "\x00"), nil)
	m.want(&pb.LeaseLeasesRequest{}, nil)
	m.check()
}

// TestAMemberRaisesItsAlarmByItself: nobody asked for it.
func TestAMemberRaisesItsAlarmByItself(t *testing.T) {
	m := guarded(t)
	full := testLimits
	full.Space = Space{Quota: 1, Used: 2, Member: 7}
	call := NewCall(put("b", "1"), full, nil, m.as("ann").who)
	call.Give(m.store.View())
	call.Give(m.apply(call.Command()))
	if _, err := call.Response(); err != rpctypes.ErrGRPCNoSpace {
		t.Error(err)
	}
	m.want(put("b", "1"), rpctypes.ErrGRPCNoSpace)
	m.want(&pb.AlarmRequest{Action: pb.AlarmRequest_DEACTIVATE}, rpctypes.ErrGRPCPermissionDenied)
	compaction := NewCall(compact(2), testLimits, nil, Itself{})
	compaction.Give(m.apply(compaction.Command()))
	if _, err := compaction.Response(); err != nil {
		t.Error(err)
	}
	if raised := m.store.View().(*View).Alarms(); len(raised) != 1 || raised[0].Member != 7 {
		t.Error(raised)
	}
}

// TestWhatNeedsNoCall lists the requests that the services answer by themselves.
func TestWhatNeedsNoCall(t *testing.T) {
	m := guarded(t)
	denied, empty := rpctypes.ErrGRPCPermissionDenied, rpctypes.ErrGRPCUserEmpty
	for _, c := range []struct {
		request proto.Message
		ann     error
	}{
		{&pb.StatusRequest{}, nil}, {&pb.MemberListRequest{}, nil}, {&pb.AlarmRequest{}, nil},
		{&pb.AlarmRequest{Action: pb.AlarmRequest_DEACTIVATE}, denied},
		{&pb.MemberAddRequest{}, denied}, {&pb.MemberRemoveRequest{}, denied},
		{&pb.MemberUpdateRequest{}, denied}, {&pb.MemberPromoteRequest{}, denied},
		{&pb.DefragmentRequest{}, denied}, {&pb.HashRequest{}, denied}, {&pb.HashKVRequest{}, denied},
		{&pb.SnapshotRequest{}, denied}, {&pb.MoveLeaderRequest{}, denied},
		{&pb.DowngradeRequest{}, denied},
		{&pb.WatchCreateRequest{Key: []byte("a"), RangeEnd: []byte("c")}, nil},
		{&pb.WatchCreateRequest{Key: []byte("c")}, denied}, {&pb.WatchCreateRequest{}, denied},
	} {
		view := m.store.View().(*View)
		for name, want := range map[string]error{
			"ann": c.ann, "": empty, auth.Root: nil, "forger": rpctypes.ErrGRPCInvalidAuthToken,
		} {
			if err := Permit(view, c.request, m.as(name).who); err != want {
				t.Errorf("%T{%v} of %q: %v, want %v", c.request, c.request, name, err, want)
			}
		}
	}
}

// TestNobodyListsNoLeases, not even where there are none.
func TestNobodyListsNoLeases(t *testing.T) {
	m := guarded(t).as(auth.Root)
	for _, id := range []int64{1, 2, 3} {
		m.want(revoke(id), nil)
	}
	m.as("ann").want(&pb.LeaseLeasesRequest{}, nil)
	m.as("").want(&pb.LeaseLeasesRequest{}, rpctypes.ErrGRPCUserEmpty)
}

func TestAnOldCallerIsRefused(t *testing.T) {
	m := guarded(t)
	old := rpctypes.ErrGRPCAuthOldRevision
	m.who = &person{member: m, name: "ann", behind: 1}
	for _, r := range []proto.Message{get("a", ""), put("b", "1"), del("b", ""), then(get("a", "")),
		then(put("b", "1")), keepAlive(1), &pb.LeaseTimeToLiveRequest{ID: 1, Keys: true}, revoke(1),
		then(), &pb.LeaseLeasesRequest{}} {
		m.want(r, old)
	}
	m.who = &person{member: m, name: auth.Root, behind: 1}
	m.want(put("b", "1"), old)
	m.want(keepAlive(1), nil)
	m.want(addRole("three"), nil)
}

// TestAChangeBetweenArrivalAndExecution: what was permitted when a command was made is refused when
// it comes to be executed.
func TestAChangeBetweenArrivalAndExecution(t *testing.T) {
	m := guarded(t)
	call := NewCall(put("b", "late"), testLimits, nil, m.as("ann").who)
	m.as(auth.Root).want(&pb.AuthUserRevokeRoleRequest{Name: "ann", Role: "one"}, nil)
	call.Give(m.apply(call.Command()))
	if _, err := call.Response(); err != rpctypes.ErrGRPCAuthOldRevision {
		t.Error(err)
	}
	m.as("ann").want(put("b", "later"), rpctypes.ErrGRPCPermissionDenied)
}

// TestALaggingMemberAsksTheLeaderAgain: its own knowledge of users was old, not its client's.
func TestALaggingMemberAsksTheLeaderAgain(t *testing.T) {
	m := guarded(t)
	lagging := &person{member: m, name: "ann", behind: 1}
	call := NewCall(keepAlive(1), testLimits, nil, lagging)
	call.Give(m.store.View())
	call.Give(m.store.Query(m.now, call.Question()))
	if call.Next() != NeedBarrier {
		t.Fatalf("needs %v", call.Next())
	}
	lagging.behind = 0
	call.Give(m.store.View())
	call.Give(m.store.Query(m.now, call.Question()))
	if r, err := call.Response(); err != nil || r.(*pb.LeaseKeepAliveResponse).TTL != 60 {
		t.Errorf("%v, %v", r, err)
	}
}

// given are the tokens that a member has.
type given map[string]string

func (g given) Assign(index uint64, token, user string) { g[token] = user }
func (g given) Clear()                                  { clear(g) }

func (g given) Revoke(user string) {
	for token, of := range g {
		if of == user {
			delete(g, token)
		}
	}
}

func TestTokens(t *testing.T) {
	m := guarded(t)
	tokens := given{}
	m.store.tokens = tokens
	login := func(name, password string) *pb.AuthenticateRequest {
		return &pb.AuthenticateRequest{Name: name, Password: password}
	}
	token := func(name, password string) string {
		t.Helper()
		response, err := m.as("").do(login(name, password))
		if err != nil {
			t.Fatal(err)
		}
		return response.(*pb.AuthenticateResponse).Token
	}
	first := token("ann", "a")
	if want := fmt.Sprintf(".%d", len(m.log)); !strings.HasSuffix(first, want) ||
		tokens[first] != "ann" || len(tokens) != 1 {
		t.Errorf("token %q, of %v", first, tokens)
	}
	m.want(login("ann", "b"), rpctypes.ErrGRPCAuthFailed)
	m.want(login("eve", "b"), rpctypes.ErrGRPCAuthFailed)
	m.as(auth.Root).want(&pb.AuthUserAddRequest{Name: "certified", Password: "ignored",
		Options: &authpb.UserAddOptions{NoPassword: true}}, nil)
	_, err := m.do(login("certified", ""))
	text := status.Convert(err).Message()
	if status.Code(err) != codes.Unknown || !strings.HasPrefix(text, "auth: ") {
		t.Error(err)
	}
	second := token(auth.Root, "r")
	m.as(auth.Root).want(&pb.AuthUserChangePasswordRequest{Name: "ann", Password: "new"}, nil)
	if tokens[first] != "" || tokens[second] != auth.Root {
		t.Errorf("after a change of password: %v", tokens)
	}
	token("ann", "new")
	m.as(auth.Root).want(&pb.AuthUserDeleteRequest{Name: "ann"}, nil)
	if len(tokens) != 1 {
		t.Errorf("after a deletion: %v", tokens)
	}
	m.want(&pb.AuthDisableRequest{}, nil)
	m.want(login(auth.Root, "r"), rpctypes.ErrGRPCAuthNotEnabled)
	if len(tokens) != 0 {
		t.Errorf("after disabling: %v", tokens)
	}
	for _, command := range m.log {
		if bytes.Contains(command, []byte("ignored")) {
			t.Error("a password is in the log")
		}
	}
}

// TestAPasswordThatWasChangedMeanwhile: it was right when it was checked, and gives no token.
func TestAPasswordThatWasChangedMeanwhile(t *testing.T) {
	m := guarded(t)
	changes := 0
	change := func() {
		if changes++; changes == 2 {
			m.as(auth.Root).want(&pb.AuthUserChangePasswordRequest{Name: "ann", Password: "b"}, nil)
		}
	}
	who := &person{member: m, asked: change}
	login := &pb.AuthenticateRequest{Name: "ann", Password: "a"}
	m.who = who
	m.want(login, nil)
	m.who = who
	m.want(login, rpctypes.ErrGRPCAuthFailed)
	if changes != 3 {
		t.Errorf("the password was checked %d times", changes)
	}
	who.asked = func() {
		root := auth.Caller{User: auth.Root, Revision: 1}
		m.apply(encodeFor(root, addRole(fmt.Sprint("role", len(m.log)))))
	}
	m.who, login.Password = who, "b"
	m.want(login, rpctypes.ErrGRPCAuthOldRevision)
	who.asked, who.signs = nil, true
	m.who = who
	response, err := m.do(login)
	if err != nil || !strings.HasPrefix(response.(*pb.AuthenticateResponse).Token, "{ann ") {
		t.Errorf("%v, %v", response, err)
	}
}

// anyAuth is one change of users and roles.
func anyAuth(t *rapid.T) proto.Message {
	name := rapid.SampledFrom([]string{auth.Root, "ann", "bob"}).Draw(t, "user")
	role := rapid.SampledFrom([]string{auth.Root, "one", "two"}).Draw(t, "role")
	switch rapid.IntRange(0, 13).Draw(t, "auth") {
	case 0:
		return addUser(name, "p")
	case 1:
		return &pb.AuthUserDeleteRequest{Name: name}
	case 2, 3:
		return give(name, role)
	case 4:
		return &pb.AuthUserRevokeRoleRequest{Name: name, Role: role}
	case 5:
		return addRole(role)
	case 6:
		return &pb.AuthRoleDeleteRequest{Role: role}
	case 7:
		return &pb.AuthRoleRevokePermissionRequest{Role: role, Key: anyKey(t), RangeEnd: anyEnd(t)}
	case 8:
		return &pb.AuthUserChangePasswordRequest{Name: name, Password: "q"}
	case 9:
		return &pb.AuthenticateRequest{Name: name, Password: "p"}
	case 10:
		return &pb.AuthDisableRequest{}
	case 11:
		return &pb.AuthEnableRequest{}
	}
	return &pb.AuthRoleGrantPermissionRequest{Name: role, Perm: &authpb.Permission{
		PermType: authpb.Permission_Type(rapid.IntRange(0, 2).Draw(t, "access")),
		Key:      anyKey(t), RangeEnd: anyEnd(t)}}
}

// TestARefusedRequestChangesNothing sends random requests of users to one member, and to another
// one without authentication those that the first has not refused. What they hold stays equal; and
// whoever may read and write everything is refused nothing.
func TestARefusedRequestChangesNothing(t *testing.T) {
	refusals := 0
	rapid.Check(t, func(t *rapid.T) {
		m, open := newMember(t).as(""), newMember(t).as("")
		m.store.Lead(0, true)
		open.store.Lead(0, true)
		for _, r := range []proto.Message{addUser(auth.Root, "p"), give(auth.Root, auth.Root),
			addUser("ann", "p"), addUser("bob", "p"), addRole("one"), addRole("two"), give("ann", "one"),
			permit("two", authpb.READWRITE, "\x00", "\x00"), give("bob", "two"), &pb.AuthEnableRequest{}} {
			m.want(r, nil)
		}
		for range rapid.IntRange(20, 50).Draw(t, "requests") {
			name := rapid.SampledFrom([]string{"", "ann", "bob", auth.Root}).Draw(t, "name")
			if rapid.IntRange(0, 3).Draw(t, "sort") == 0 {
				r := anyAuth(t)
				if _, off := r.(*pb.AuthDisableRequest); !off {
					_, _ = m.as(name).do(r)
				}
				continue
			}
			r := anyRequest(t)
			got, err := m.as(name).do(r)
			user := m.store.Auth().User(name)
			if slices.Contains([]error{rpctypes.ErrGRPCPermissionDenied, rpctypes.ErrGRPCUserEmpty,
				rpctypes.ErrGRPCUserNotFound, rpctypes.ErrGRPCAuthOldRevision}, err) {
				if refusals++; user != nil && user.Has(auth.Root) {
					t.Fatalf("%T{%v} of %s: %v", r, r, name, err)
				}
				continue
			}
			want, wantErr := open.do(r)
			if err != wantErr || !proto.Equal(got, want) {
				t.Fatalf("%T{%v} of %s\ngives %v, %v\nwant  %v, %v",
					r, r, name, got, err, want, wantErr)
			}
		}
		equalReads(t, m.as(auth.Root), open)
		m.check()
	})
	if refusals == 0 {
		t.Error("nothing was refused")
	}
}
