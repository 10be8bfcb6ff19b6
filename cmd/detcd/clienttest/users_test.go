package clienttest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"detcd/cmd/detcd/testbed"
)

// Users and roles, and the passwords, move from one server to the other by a snapshot; whoever may
// do something there may do it here.
func TestUsersMove(t *testing.T) {
	t.Parallel()
	etcd, detcd := testbed.Tool(t, "etcd"), testbed.Detcd(t)
	etcdutl := testbed.Tool(t, "etcdutl")
	for _, c := range []struct{ name, from, to, restore string }{
		{"etcd to etcd", etcd, etcd, etcdutl}, {"etcd to detcd", etcd, detcd, detcd},
		{"detcd to etcd", detcd, etcd, etcdutl}, {"detcd to detcd", detcd, detcd, detcd},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), scenarioTimeout)
			defer cancel()
			source := testbed.Launch(t, testbed.Options{Binary: c.from})
			u := &user{t: t, ctx: ctx, cluster: source}
			u.awaitVersion()
			u.people()
			endpoint := source.Endpoints()[0]
			file := filepath.Join(t.TempDir(), "snapshot.db")
			execute(t, testbed.Tool(t, "etcdctl"), "--endpoints", endpoint, "--user", "root:r",
				"snapshot", "save", file)
			restored := u.restored(file, c.to, c.restore)
			if a, b := u.tellUsers(endpoint), u.tellUsers(restored); a != b {
				t.Errorf("%s\nbecame\n%s", a, b)
			}
		})
	}
}

// people makes users and roles and turns authentication on.
func (u *user) people() {
	u.t.Helper()
	c := u.client()
	do := func(_ any, err error) { u.t.Helper(); u.must(err) }
	do(c.Put(u.ctx, "a1", ""))
	do(c.UserAdd(u.ctx, "root", "r"))
	do(c.UserAdd(u.ctx, "ann", "secret"))
	do(c.UserAddWithOptions(u.ctx, "bob", "", &clientv3.UserAddOptions{NoPassword: true}))
	do(c.RoleAdd(u.ctx, "one"))
	do(c.RoleAdd(u.ctx, "two"))
	reads := clientv3.PermissionType(clientv3.PermRead)
	both := clientv3.PermissionType(clientv3.PermReadWrite)
	do(c.RoleGrantPermission(u.ctx, "one", "a", "b", reads))
	do(c.RoleGrantPermission(u.ctx, "one", "b", "c", reads))
	do(c.RoleGrantPermission(u.ctx, "two", "x", "\x00", both))
	do(c.UserGrantRole(u.ctx, "ann", "two"))
	do(c.UserGrantRole(u.ctx, "ann", "one"))
	do(c.UserGrantRole(u.ctx, "root", "root"))
	do(c.AuthEnable(u.ctx))
}

// as is a client of a user.
func (u *user) as(name, password, endpoint string) *clientv3.Client {
	u.t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, Username: name,
		Password: password, DialTimeout: scenarioTimeout, Context: u.ctx})
	u.must(err)
	u.t.Cleanup(func() { _ = c.Close() })
	return c
}

// tellUsers says all that a server says of its users, and what ann may do there.
func (u *user) tellUsers(endpoint string) (said string) {
	u.t.Helper()
	root, ann := u.as("root", "r", endpoint), u.as("ann", "secret", endpoint)
	status, err := root.AuthStatus(u.ctx)
	u.must(err)
	said = fmt.Sprintln(status.Enabled, status.AuthRevision)
	users, err := root.UserList(u.ctx)
	u.must(err)
	for _, name := range users.Users {
		one, err := root.UserGet(u.ctx, name)
		u.must(err)
		said += fmt.Sprintln(name, one.Roles)
	}
	roles, err := root.RoleList(u.ctx)
	u.must(err)
	for _, name := range roles.Roles {
		one, err := root.RoleGet(u.ctx, name)
		u.must(err)
		said += fmt.Sprintln(name, one.Perm)
	}
	for _, c := range []struct {
		key, end string
		want     error
	}{{"a", "c", nil}, {"a", "d", rpctypes.ErrPermissionDenied}, {"xyz", "", nil}} {
		if _, err := ann.Get(u.ctx, c.key, clientv3.WithRange(c.end)); err != c.want {
			u.t.Errorf("%s: ann reads %q to %q: %v", endpoint, c.key, c.end, err)
		}
		_, err := ann.Put(u.ctx, c.key, "")
		said += fmt.Sprintln(c.key, err)
	}
	return said
}

// Three members know each other's tokens, and a member that was started again asks for the password
// again.
func TestATokenIsGoodOnEveryMember(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), scenarioTimeout)
	defer cancel()
	cluster := testbed.Launch(t, testbed.Options{Binary: testbed.Detcd(t), Members: 3})
	u := &user{t: t, ctx: ctx, cluster: cluster}
	u.people()
	c := u.as("ann", "secret", cluster.Endpoints()[0])
	for round := range 2 {
		for _, endpoint := range cluster.Endpoints() {
			c.SetEndpoints(endpoint)
			for i := range 3 {
				if _, err := c.Put(ctx, "x", fmt.Sprint(round, i)); err != nil {
					t.Errorf("round %d, %s: %v", round, endpoint, err)
				}
			}
			if _, err := c.Put(ctx, "a", ""); err != rpctypes.ErrPermissionDenied {
				t.Errorf("round %d, %s: %v", round, endpoint, err)
			}
		}
		m := cluster.Members()[1]
		u.must(m.Kill())
		u.must(m.Start())
		u.must(m.WaitReady(ctx))
	}
}

// A signed token of one server is good for the other: etcd and detcd that have the same key know
// the same users.
func TestSignedTokensAreOfBoth(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), scenarioTimeout)
	defer cancel()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("a secret of both"), 0o600); err != nil {
		t.Fatal(err)
	}
	var endpoints, tokens []string
	for _, binary := range []string{testbed.Tool(t, "etcd"), testbed.Detcd(t)} {
		cluster := testbed.Launch(t, testbed.Options{Binary: binary, Args: []string{
			"--auth-token=jwt,sign-method=HS256,ttl=1h,priv-key=" + secret, "--bcrypt-cost=4"}})
		u := &user{t: t, ctx: ctx, cluster: cluster}
		u.people()
		said, err := u.client().Authenticate(ctx, "ann", "secret")
		u.must(err)
		endpoints, tokens = append(endpoints, cluster.Endpoints()[0]), append(tokens, said.Token)
	}
	for _, endpoint := range endpoints {
		for i, token := range tokens {
			c, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, Token: token})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := c.Put(ctx, "x", ""); err != nil {
				t.Errorf("%s, token %d: %v", endpoint, i, err)
			}
			if _, err := c.Put(ctx, "a", ""); err != rpctypes.ErrPermissionDenied {
				t.Errorf("%s, token %d: %v", endpoint, i, err)
			}
		}
	}
}
