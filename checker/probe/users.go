package probe

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
)

// people are the users of a cluster with authentication:
//
//	root       observes, compacts, compares the stores, and changes what visitors may do
//	workers    are the clients of the workload; they may read and write all keys
//	strangers  try what the workload does, and may not
//	visitors   come one after another, and may use some keys, or may not any more: visitor.go
//
// A stranger's requests are not in the history: what he wrote nobody wrote, and the judge of the
// history finds it wherever it is seen.
type people struct {
	root    *login
	workers []*login

	mu     sync.Mutex // guards what follows
	visits Visits
	breach string
}

// Visits is what strangers and visitors did.
type Visits struct {
	Strange int // requests of strangers that were refused
	Changes int // permissions that were granted or revoked, with an answer
	Served  int // requests of visitors that were served
	Refused int // and that were refused because they were not permitted
}

// workers is how many users do what the workload does.
const workers = 3

func newPeople() *people {
	all := &people{root: newLogin("root")}
	for n := range workers {
		all.workers = append(all.workers, newLogin(fmt.Sprintf("worker-%d", n)))
	}
	return all
}

// root is who may do everything, nil if there are no users.
func (p *Probe) root() *login {
	if p.people == nil {
		return nil
	}
	return p.people.root
}

// Admin returns a connection on which everything is permitted, once Settle has returned.
func (p *Probe) Admin(conn *grpc.ClientConn) grpc.ClientConnInterface { return p.root().On(conn) }

// Visits returns what strangers and visitors did so far.
func (p *Probe) Visits() Visits {
	p.people.mu.Lock()
	defer p.people.mu.Unlock()
	return p.people.visits
}

// Breach tells how somebody did what he may not, or could not do what he may: the first time that
// it was seen. Empty: it was not.
func (p *Probe) Breach() string {
	if p.people == nil {
		return ""
	}
	p.people.mu.Lock()
	defer p.people.mu.Unlock()
	return p.people.breach
}

// count counts.
func (all *people) count(add func(*Visits)) {
	all.mu.Lock()
	defer all.mu.Unlock()
	add(&all.visits)
}

// accuse keeps the first breach.
func (all *people) accuse(breach string) {
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.breach == "" {
		all.breach = breach
	}
}

// admit lets the stranger and visitors in until ctx ends.
func (p *Probe) admit(ctx context.Context, group *errgroup.Group) {
	s := &stranger{p.newClient(ctx, strangerRate)}
	s.client.login = newLogin("stranger")
	group.Go(func() error {
		for ctx.Err() == nil {
			s.step()
		}
		return nil
	})
	group.Go(func() (err error) {
		for n := 1; ctx.Err() == nil && err == nil; n++ {
			err = p.receive(ctx, n)
		}
		return err
	})
}

// Settle makes root, the workers and the stranger, and turns authentication on. When it returns
// every member knows of it.
func (p *Probe) Settle(ctx context.Context) error {
	a := pb.NewAuthClient(p.options.Connections[0])
	failure := errors.Join(
		addUser(ctx, a, p.people.root, "root", nil),
		addUser(ctx, a, newLogin("stranger"), "stranger", prefix("stranger/")))
	all := &authpb.Permission{PermType: authpb.READWRITE, Key: []byte{0}, RangeEnd: []byte{0}}
	for _, worker := range p.people.workers {
		failure = errors.Join(failure, addUser(ctx, a, worker, worker.name, all))
	}
	_, err := a.AuthEnable(ctx, &pb.AuthEnableRequest{})
	failure = errors.Join(failure, err)
	for _, conn := range p.options.Connections {
		_, err := pb.NewKVClient(p.Admin(conn)).Range(ctx, everything())
		failure = errors.Join(failure, err)
	}
	if failure != nil {
		return fmt.Errorf("probe: users: %w", failure)
	}
	return nil
}

// prefix is the permission for all keys with a prefix that ends with a slash.
func prefix(of string) *authpb.Permission {
	return &authpb.Permission{PermType: authpb.READWRITE, Key: []byte(of), RangeEnd: []byte(after(of))}
}

// addUser makes a user who has a role of his own, with a permission if one is given.
func addUser(
	ctx context.Context, a pb.AuthClient, l *login, role string, may *authpb.Permission,
) error {
	_, err := a.UserAdd(ctx, &pb.AuthUserAddRequest{Name: l.name, Password: l.password})
	failure := unless(err, rpctypes.ErrGRPCUserAlreadyExist)
	_, err = a.RoleAdd(ctx, &pb.AuthRoleAddRequest{Name: role})
	failure = errors.Join(failure, unless(err, rpctypes.ErrGRPCRoleAlreadyExist))
	if may != nil {
		_, err = a.RoleGrantPermission(ctx, &pb.AuthRoleGrantPermissionRequest{Name: role, Perm: may})
		failure = errors.Join(failure, err)
	}
	_, err = a.UserGrantRole(ctx, &pb.AuthUserGrantRoleRequest{User: l.name, Role: role})
	return errors.Join(failure, err)
}

// unless returns an error but one that says that there is nothing to do.
func unless(err, done error) error {
	if err != nil && message(err) == message(done) {
		return nil
	}
	return err
}
