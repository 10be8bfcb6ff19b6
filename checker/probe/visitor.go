package probe

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"detcd/checker/access"
)

// A visitor uses some keys at all members, while root grants him the permission and revokes it, in
// turn. What he does belongs to the history, as that of any client. Besides package access judges
// whether he was served and refused as he had to be.
//
// A grant that was not answered may come at any time, so nothing that follows could be judged. Then
// he leaves, and the next visitor is another user.
type visitor struct {
	probe *Probe
	login *login
	admin *client // who decides what he may

	mu  sync.Mutex // guards what follows
	log []access.Operation
}

const (
	visitorRate = 30                     // requests a second at a member, at most
	roundsMax   = 10                     // how often he is granted the permission and loses it
	pauseMax    = 400 * time.Millisecond // between two changes
	judgeWait   = 10 * time.Second       // how long the judge may search
)

// visited is the prefix of the keys of visitors.
const visited = "visitor/"

// receive lets a visitor come and go. The error is one of the recorder.
func (p *Probe) receive(ctx context.Context, n int) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	v := &visitor{probe: p, login: newLogin(fmt.Sprintf("visitor-%d", n)),
		admin: p.newClient(ctx, unhurried)}
	for v.invite() != nil {
		v.admin.stumble()
		if ctx.Err() != nil {
			return nil
		}
	}
	var group sync.WaitGroup // one client at each member
	failures := make([]error, len(p.options.Connections))
	for at := range p.options.Connections {
		c := p.newClient(ctx, visitorRate)
		c.login = v.login
		group.Go(func() {
			for ctx.Err() == nil && c.failure == nil {
				c.at = at
				v.use(c)
			}
			failures[at] = c.failure
		})
	}
	v.govern()
	cancel()
	group.Wait()
	if wrong := access.Judge(v.log, judgeWait); wrong != "" {
		p.people.accuse(fmt.Sprintf("%s: %s", v.login.name, wrong))
	}
	return errors.Join(failures...)
}

// invite makes the user, who may do nothing yet.
func (v *visitor) invite() error {
	ctx, cancel := v.admin.patience()
	defer cancel()
	return addUser(ctx, pb.NewAuthClient(v.admin.connection()), v.login, v.login.name, nil)
}

// use makes a request that needs the permission.
func (v *visitor) use(c *client) {
	key := fmt.Sprintf("%s%d", visited, c.random.IntN(c.probe.options.Keys))
	var request any
	switch c.random.IntN(4) {
	case 0:
		request = get(key)
	case 1:
		request = put(key, c.value())
	case 2:
		request = remove(key)
	default:
		request = &pb.TxnRequest{Compare: []*pb.Compare{created(key, 0)},
			Success: ops(put(key, c.value())), Failure: ops(get(key))}
	}
	o := c.try(request)
	denied := o.Error == message(rpctypes.ErrGRPCPermissionDenied)
	if o.Response == nil && !denied {
		return // it says nothing
	}
	v.keep(access.Operation{Client: o.Client, Call: o.Call, Return: o.Return, Request: access.Use,
		Error: o.Error})
	v.probe.people.count(func(n *Visits) {
		if denied {
			n.Refused++
		} else {
			n.Served++
		}
	})
}

// keep keeps an operation for the judge.
func (v *visitor) keep(o access.Operation) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.log = append(v.log, o)
}

// govern grants and revokes the permission until the work ends, the visitor has been there long
// enough, or nobody knows whether it was granted.
func (v *visitor) govern() {
	c := v.admin
	for range roundsMax {
		for _, ask := range []access.Ask{access.Grant, access.Revoke} {
			for err := v.change(ask); err != nil; err = v.change(ask) {
				if _, sure := refused(err); ask == access.Grant && !sure || c.ctx.Err() != nil {
					return
				}
				c.rest(errorPause)
			}
			c.rest(time.Duration(c.random.Int64N(int64(pauseMax))))
		}
	}
}

// change asks any member to grant or to revoke the permission.
func (v *visitor) change(ask access.Ask) (err error) {
	c := v.admin
	ctx, cancel := c.patience()
	defer cancel()
	c.at = c.random.IntN(len(c.probe.options.Connections))
	a, may := pb.NewAuthClient(c.connection()), prefix(visited)
	o := access.Operation{Client: c.number, Request: ask, Call: c.probe.now()}
	if ask == access.Grant {
		_, err = a.RoleGrantPermission(ctx, &pb.AuthRoleGrantPermissionRequest{
			Name: v.login.name, Perm: may})
	} else {
		_, err = a.RoleRevokePermission(ctx, &pb.AuthRoleRevokePermissionRequest{
			Role: v.login.name, Key: may.Key, RangeEnd: may.RangeEnd})
		err = unless(err, rpctypes.ErrGRPCPermissionNotGranted) // an earlier try has revoked it
	}
	o.Return = c.probe.now()
	if err == nil {
		v.probe.people.count(func(n *Visits) { n.Changes++ })
	} else if _, sure := refused(err); sure {
		return err
	}
	o.Unknown = err != nil
	v.keep(o)
	return err
}
