package sim

import (
	"fmt"
	"slices"
	"time"

	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"detcd/kv/auth"
)

// UsersOf draws whether a run of a seed has users: one in three.
func UsersOf(seed uint64) bool { return newRandom(seed, streamUsers).IntN(3) == 0 }

// adminNumber is the number of the client that makes users and roles.
const adminNumber = 300

// userOf is the name by which a client makes its requests. Every other client has limited rights;
// all else, watches, leases and the administration, is root's.
func (w *world) userOf(number int) string {
	switch {
	case !w.options.Users:
		return ""
	case number < holderNumbers && number%2 == 1:
		return fmt.Sprint("u", number)
	}
	return auth.Root
}

// credentials are those of a client at a member, which knows it by its name: tokens are the
// business of the driver. What a password's hash is costs nothing here.
type credentials struct {
	member *member
	name   string
}

func (c credentials) Caller() (auth.Caller, error) {
	view := c.member.store.Auth()
	if !view.Enabled() || c.name == "" {
		return auth.Caller{}, nil
	}
	return auth.Caller{User: c.name, Revision: view.Revision()}, nil
}

func (c credentials) Hash(password string) ([]byte, error) {
	return fmt.Appendf(nil, "%d %s", c.member.random.Uint64(), password), nil
}

func (c credentials) Matches(hash []byte, password string) (bool, error) {
	return len(hash) > len(password) && string(hash[len(hash)-len(password):]) == password, nil
}

func (c credentials) Prefix() (string, error) {
	return fmt.Sprint("t", c.member.random.Uint64()), nil
}

func (c credentials) Sign(auth.Caller) (string, error) { return "", auth.ErrFailed }

// admin is the client that makes users and roles, changes their rights, turns authentication on and
// off, and looks now and then what rights there are: the judge compares what the others were
// allowed and refused with that.
type admin struct {
	client *client
	todo   []proto.Message
	found  rights // what was looked up since from
	from   int64  // virtual time at which the look began; 0: there is none
	asked  uint64 // the revision of users and roles at that time
}

func newAdmin(c *client) *admin {
	a := &admin{client: c}
	a.todo = append(a.todo, &pb.AuthUserAddRequest{Name: auth.Root, Password: "root"},
		&pb.AuthUserGrantRoleRequest{User: auth.Root, Role: auth.Root},
		&pb.AuthRoleAddRequest{Name: sharedRole})
	for _, name := range a.users() {
		a.todo = append(a.todo, &pb.AuthUserAddRequest{Name: name, Password: name},
			&pb.AuthRoleAddRequest{Name: name}, a.grant(name), a.grant(name),
			&pb.AuthUserGrantRoleRequest{User: name, Role: name})
	}
	a.todo = append(a.todo, a.grant(sharedRole), &pb.AuthEnableRequest{})
	c.world.after(between(c.random, 0, time.Second), a.act)
	return a
}

// sharedRole is a role that several users may have.
const sharedRole = "shared"

// users are those with limited rights; each may have the role of its name.
func (a *admin) users() (all []string) {
	for number := 1; number <= a.client.world.options.Clients; number += 2 {
		all = append(all, a.client.world.userOf(number))
	}
	return all
}

func (a *admin) someone() string {
	all := a.users()
	return all[a.client.random.IntN(len(all))]
}

func (a *admin) someRole() string {
	if a.client.chance(3) {
		return sharedRole
	}
	return a.someone()
}

// area draws a range of keys in which clients have business.
func (a *admin) area() (key, end string) {
	areas := [...][2]string{{"k00", "k06"}, {"k03", "k09"}, {"k0", "k1"}, {"k", "l"}, {"j", "k"},
		{"k06", "\x00"}, {"k02", ""}, {"k11", ""}, {"\x00", "\x00"}, {"j", "k05"}}
	area := areas[a.client.random.IntN(len(areas))]
	return area[0], area[1]
}

func (a *admin) grant(role string) proto.Message {
	key, end := a.area()
	return &pb.AuthRoleGrantPermissionRequest{Name: role, Perm: &authpb.Permission{
		PermType: authpb.Permission_Type(a.client.random.IntN(3)),
		Key:      []byte(key), RangeEnd: []byte(end)}}
}

// change draws one change.
func (a *admin) change() proto.Message {
	key, end := a.area()
	switch name := a.someone(); a.client.random.IntN(16) {
	case 0:
		return &pb.AuthUserDeleteRequest{Name: name}
	case 1, 2:
		return &pb.AuthUserAddRequest{Name: name, Password: name}
	case 3:
		return &pb.AuthUserChangePasswordRequest{Name: name, Password: name}
	case 4:
		return &pb.AuthUserRevokeRoleRequest{Name: name, Role: a.someRole()}
	case 5, 6:
		return &pb.AuthUserGrantRoleRequest{User: name, Role: a.someRole()}
	case 7:
		return &pb.AuthRoleDeleteRequest{Role: a.someRole()}
	case 8:
		return &pb.AuthRoleAddRequest{Name: a.someRole()}
	case 9:
		return &pb.AuthRoleRevokePermissionRequest{Role: a.someRole(), Key: []byte(key),
			RangeEnd: []byte(end)}
	case 10:
		return &pb.AuthenticateRequest{Name: name, Password: name}
	case 11:
		return &pb.AuthDisableRequest{}
	}
	return a.grant(a.someRole())
}

// act does what is next; when nothing is, it looks at the rights, lets the others work under them
// for a while, looks whether they are the same still, and changes them.
func (a *admin) act() {
	if a.client.world.resting {
		return
	}
	a.client.reseed()
	if len(a.todo) > 0 {
		next := a.todo[0]
		a.todo = a.todo[1:]
		a.client.do(next, func(o *operation) {
			if o.err != nil || o.undecided {
				a.client.turn()
			}
			a.later(20*time.Millisecond, 200*time.Millisecond)
		})
		return
	}
	a.look()
}

func (a *admin) later(low, high time.Duration) {
	a.client.world.after(between(a.client.random, low, high), a.act)
}

// look begins or ends a time of which all rights are known. When the revision is the same at both
// ends, nothing was changed in between: not by a request either whose answer never came.
func (a *admin) look() {
	a.client.do(&pb.AuthStatusRequest{}, func(o *operation) {
		r, ok := o.response.(*pb.AuthStatusResponse)
		known := ok && o.err == nil && r.Enabled
		switch {
		case known && a.from == 0:
			a.from, a.asked, a.found = o.finished, r.AuthRevision, rights{}
			a.lookUp(a.users(), a.users(), []string{sharedRole})
			return
		case known && a.asked == r.AuthRevision:
			a.client.world.judge.held(a.from, o.call, a.found)
		}
		a.again()
	})
}

// again forgets what was looked up, and makes changes.
func (a *admin) again() {
	a.from = 0
	for range 1 + a.client.random.IntN(4) {
		a.todo = append(a.todo, a.change())
	}
	a.todo = append(a.todo, &pb.AuthEnableRequest{})
	a.client.turn()
	a.later(0, 100*time.Millisecond)
}

// lookUp asks for the roles of users, and for what the roles permit.
func (a *admin) lookUp(users, own, others []string) {
	a.client.reseed()
	if len(users) > 0 {
		a.client.do(&pb.AuthUserGetRequest{Name: users[0]}, func(o *operation) {
			r, ok := o.response.(*pb.AuthUserGetResponse)
			if ok && o.err == nil {
				a.found.roles = append(a.found.roles, granted{users[0], r.Roles})
			} else if !absent(o) {
				a.again()
				return
			}
			a.lookUp(users[1:], own, others)
		})
		return
	}
	roles := slices.Concat(own, others)
	if len(roles) == 0 {
		a.later(500*time.Millisecond, 3*time.Second)
		return
	}
	a.client.do(&pb.AuthRoleGetRequest{Role: roles[0]}, func(o *operation) {
		r, ok := o.response.(*pb.AuthRoleGetResponse)
		if ok && o.err == nil {
			for _, p := range r.Perm {
				a.found.permissions = append(a.found.permissions, permission{roles[0], p})
			}
		} else if !absent(o) {
			a.again()
			return
		}
		a.lookUp(nil, nil, roles[1:])
	})
}
