package rpc

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"detcd/kv/auth"
)

// withUsers is a served node with users root and ann; ann may read and write a.
func withUsers(t *testing.T, options Options) *served {
	t.Helper()
	s := serve(t, options)
	ctx, c := soon(t), pb.NewAuthClient(s.conn)
	for _, do := range []func() error{
		func() error {
			_, err := c.UserAdd(ctx, &pb.AuthUserAddRequest{Name: "root", Password: "r"})
			return err
		},
		func() error {
			_, err := c.UserGrantRole(ctx, &pb.AuthUserGrantRoleRequest{User: "root", Role: "root"})
			return err
		},
		func() error {
			_, err := c.UserAdd(ctx, &pb.AuthUserAddRequest{Name: "ann", Password: "a"})
			return err
		},
		func() error { _, err := c.RoleAdd(ctx, &pb.AuthRoleAddRequest{Name: "one"}); return err },
		func() error {
			_, err := c.RoleGrantPermission(ctx, &pb.AuthRoleGrantPermissionRequest{Name: "one",
				Perm: &authpb.Permission{PermType: authpb.Permission_READWRITE, Key: []byte("a")}})
			return err
		},
		func() error {
			_, err := c.UserGrantRole(ctx, &pb.AuthUserGrantRoleRequest{User: "ann", Role: "one"})
			return err
		},
		func() error { _, err := c.AuthEnable(ctx, &pb.AuthEnableRequest{}); return err },
	} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// login gives a context with a token.
func (s *served) login(t *testing.T, name, password string) (context.Context, string) {
	t.Helper()
	r, err := pb.NewAuthClient(s.conn).Authenticate(soon(t),
		&pb.AuthenticateRequest{Name: name, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	return metadata.AppendToOutgoingContext(soon(t), rpctypes.TokenFieldNameGRPC, r.Token), r.Token
}

func TestAClientWithAPassword(t *testing.T) {
	s := withUsers(t, Options{})
	c, err := clientv3.New(clientv3.Config{
		Endpoints: []string{s.addr}, Username: "ann", Password: "a", DialTimeout: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Put(soon(t), "a", "1"); err != nil {
		t.Error(err)
	}
	s.auth.Clear() // as after a restart: the client gives its password again
	if _, err := c.Get(soon(t), "a"); err != nil {
		t.Error(err)
	}
	if _, err := c.Get(soon(t), "b"); err != rpctypes.ErrPermissionDenied {
		t.Error(err)
	}
	for r := range c.Watch(soon(t), "b") {
		if !r.Canceled || r.Err().Error() != rpctypes.ErrGRPCPermissionDenied.Error() {
			t.Errorf("%+v: %v", r, r.Err())
		}
	}
}

func TestWhereATokenIsShown(t *testing.T) {
	s := withUsers(t, Options{})
	_, token := s.login(t, "ann", "a")
	kv := pb.NewKVClient(s.conn)
	for i, c := range []struct {
		key, value string
		want       error
	}{
		{"token", token, nil}, {"authorization", token, nil}, {"authorization", "Bearer " + token, nil},
		{"token", "zzz", rpctypes.ErrGRPCInvalidAuthToken},
		{"token", "", rpctypes.ErrGRPCInvalidAuthToken},
		{"token", "zzz.1", rpctypes.ErrGRPCInvalidAuthToken},
		{"authorization", token + "0", rpctypes.ErrGRPCInvalidAuthToken},
		{"other", token, rpctypes.ErrGRPCUserEmpty},
	} {
		ctx := metadata.AppendToOutgoingContext(soon(t), c.key, c.value)
		for name, do := range map[string]func() error{
			"range": func() error {
				_, err := kv.Range(ctx, &pb.RangeRequest{Key: []byte("a")})
				return err
			},
			"put": func() error { _, err := kv.Put(ctx, &pb.PutRequest{Key: []byte("a")}); return err },
			"status": func() error {
				_, err := pb.NewMaintenanceClient(s.conn).Status(ctx, &pb.StatusRequest{})
				return err
			},
			"members": func() error {
				_, err := pb.NewClusterClient(s.conn).MemberList(ctx, &pb.MemberListRequest{})
				return err
			},
		} {
			err := do()
			if status.Code(err) != status.Code(c.want) ||
				err != nil && status.Convert(err).Message() != status.Convert(c.want).Message() {
				t.Errorf("%d: %s: %v, want %v", i, name, err, c.want)
			}
		}
	}
}

func TestWhatOnlyRootMayAsk(t *testing.T) {
	s := withUsers(t, Options{})
	ann, _ := s.login(t, "ann", "a")
	root, _ := s.login(t, "root", "r")
	m, c := pb.NewMaintenanceClient(s.conn), pb.NewClusterClient(s.conn)
	for name, do := range map[string]func(context.Context) error{
		"hash": func(x context.Context) error { _, err := m.Hash(x, &pb.HashRequest{}); return err },
		"hash of kv": func(x context.Context) error {
			_, err := m.HashKV(x, &pb.HashKVRequest{})
			return err
		},
		"defragment": func(x context.Context) error {
			_, err := m.Defragment(x, &pb.DefragmentRequest{})
			return err
		},
		"snapshot": func(x context.Context) error {
			stream, err := m.Snapshot(x, &pb.SnapshotRequest{})
			if err == nil {
				_, err = stream.Recv()
			}
			return err
		},
		"leader": func(x context.Context) error {
			_, err := m.MoveLeader(x, &pb.MoveLeaderRequest{})
			return err
		},
		"downgrade": func(x context.Context) error {
			_, err := m.Downgrade(x, &pb.DowngradeRequest{})
			return err
		},
		"alarm": func(x context.Context) error {
			_, err := m.Alarm(x, &pb.AlarmRequest{Action: pb.AlarmRequest_DEACTIVATE})
			return err
		},
		"remove": func(x context.Context) error {
			_, err := c.MemberRemove(x, &pb.MemberRemoveRequest{})
			return err
		},
	} {
		if err := do(ann); status.Code(err) != codes.PermissionDenied {
			t.Errorf("%s of ann: %v", name, err)
		}
		if err := do(soon(t)); status.Convert(err).Message() != "etcdserver: user name is empty" {
			t.Errorf("%s of nobody: %v", name, err)
		}
		err := do(root)
		if code := status.Code(err); code == codes.PermissionDenied || code == codes.Unauthenticated {
			t.Errorf("%s of root: %v", name, err)
		}
	}
}

// TestATokenThatIsYetToArrive: another member gave it out.
func TestATokenThatIsYetToArrive(t *testing.T) {
	s := withUsers(t, Options{ElectionTimeout: 10 * time.Second})
	s.change(func(now *Status) { now.RaftApplied = 6 })
	go func() {
		time.Sleep(50 * time.Millisecond)
		s.auth.Assign(77, "elsewhere.77", "ann")
		s.mutex.Lock()
		defer s.mutex.Unlock()
		close(s.changed)
		s.changed = make(chan struct{})
	}()
	ctx := metadata.AppendToOutgoingContext(soon(t), "token", "elsewhere.77")
	if _, err := pb.NewKVClient(s.conn).Range(ctx, &pb.RangeRequest{Key: []byte("a")}); err != nil {
		t.Error(err)
	}
}

func TestACommonNameIsAUser(t *testing.T) {
	s := withUsers(t, Options{})
	known, err := NewAuth(AuthOptions{Certificates: true})
	if err != nil {
		t.Fatal(err)
	}
	certificate := &x509.Certificate{Subject: pkix.Name{CommonName: "ann"}}
	proven := credentials.TLSInfo{State: tls.ConnectionState{
		VerifiedChains: [][]*x509.Certificate{{}, {certificate}}}}
	now := s.Auth().Revision()
	for name, c := range map[string]struct {
		info         credentials.AuthInfo
		key, value   string
		certificates bool
		want         auth.Caller
		err          error
	}{
		"certificate":  {proven, "a", "", true, auth.Caller{User: "ann", Revision: now}, nil},
		"not asked":    {proven, "a", "", false, auth.Caller{}, nil},
		"unproven":     {credentials.TLSInfo{}, "a", "", true, auth.Caller{}, nil},
		"plain":        {nil, "a", "", true, auth.Caller{}, nil},
		"gateway":      {proven, "grpcgateway-accept", "*/*", true, auth.Caller{}, nil},
		"token before": {proven, "token", "x.1", true, auth.Caller{}, rpctypes.ErrGRPCInvalidAuthToken},
	} {
		known.certificates = c.certificates
		ctx := metadata.NewIncomingContext(context.Background(), metadata.Pairs(c.key, c.value))
		ctx = peer.NewContext(ctx, &peer.Peer{AuthInfo: c.info})
		g := guest{newCarrier(s.loner, Options{Auth: known}.withDefaults()), ctx}
		if got, err := g.Caller(); got != c.want || err != c.err {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestPasswordsThatAreNone(t *testing.T) {
	s := withUsers(t, Options{})
	root, _ := s.login(t, "root", "r")
	c := pb.NewAuthClient(s.conn)
	_, err := c.UserAdd(root, &pb.AuthUserAddRequest{Name: "x", Password: strings.Repeat("x", 73)})
	if want := "bcrypt: password length exceeds 72 bytes"; status.Code(err) != codes.Unknown ||
		status.Convert(err).Message() != want {
		t.Error(err)
	}
	if _, err := c.UserChangePassword(root, &pb.AuthUserChangePasswordRequest{
		Name: "ann"}); err != nil {
		t.Error(err)
	}
	for _, password := range []string{"", "a"} {
		_, err := c.Authenticate(soon(t), &pb.AuthenticateRequest{Name: "ann", Password: password})
		if status.Convert(err).Message() != status.Convert(rpctypes.ErrGRPCAuthFailed).Message() {
			t.Errorf("%q: %v", password, err)
		}
	}
}

func TestAClientWithASignedToken(t *testing.T) {
	s := secret(t)
	known := &Auth{signer: s, keeper: newKeeper(1), hashing: newTurns(1), cost: 4}
	node := withUsers(t, Options{Auth: known})
	ctx, token := node.login(t, "ann", "a")
	if strings.Count(token, ".") != 2 {
		t.Errorf("token %q", token)
	}
	kv, c := pb.NewKVClient(node.conn), pb.NewAuthClient(node.conn)
	if _, err := kv.Put(ctx, &pb.PutRequest{Key: []byte("a")}); err != nil {
		t.Error(err)
	}
	root, _ := node.login(t, "root", "r")
	if _, err := c.RoleAdd(root, &pb.AuthRoleAddRequest{Name: "two"}); err != nil {
		t.Fatal(err)
	}
	_, err := kv.Put(ctx, &pb.PutRequest{Key: []byte("a")})
	if status.Convert(err).Message() != status.Convert(rpctypes.ErrGRPCAuthOldRevision).Message() {
		t.Error(err)
	}
	s.sign = nil
	_, err = c.Authenticate(soon(t), &pb.AuthenticateRequest{Name: "ann", Password: "a"})
	if status.Convert(err).Message() != errVerifyOnly.Error() {
		t.Error(err)
	}
}
