package auth

import "slices"

// Root is the name of the user, and of the role, that may do everything.
const Root = "root"

// Revision counts the changes of users, roles and permissions. That of a new book is 1; 0 is that
// of a caller whom nobody knows.
type Revision uint64

// Caller is who makes a request, and as of which revision that was found out. The zero Caller is
// somebody who did not say who he is.
type Caller struct {
	User     string
	Revision Revision
}

// Itself is the caller of what a member does for the cluster of its own accord, which nobody needs
// to permit. No client can be it: no user's revision comes so far.
func Itself() Caller { return Caller{Revision: 1<<64 - 1} }

// Known tells whether it is known who the caller is.
func (c Caller) Known() bool { return c.Revision != 0 }

// Access is what a permission is for. The numbers are etcd's (authpb.Permission_Type); one that has
// no name here is kept, and permits nothing.
type Access int32

// The kinds of access.
const (
	Read Access = iota
	Write
	ReadWrite
)

// has tells whether the access includes another, Read or Write.
func (a Access) has(other Access) bool { return a == other || a == ReadWrite }

// with is what both permit together.
func (a Access) with(other Access) Access {
	if a == other {
		return a
	}
	return ReadWrite
}

// Permission is a range of keys and what may be done with it. End is as in a range request: empty
// means Key alone, a zero byte all keys from Key on.
type Permission struct {
	Access   Access
	Key, End string
}

// valid tells whether the permission is for any key.
func (p Permission) valid() bool {
	return p.Key != "" && (p.End == "" || p.End == "\x00" || p.Key < p.End)
}

// User is somebody who has a name, and is never changed. Hash is of bcrypt.
type User struct {
	Name       string
	Hash       []byte
	NoPassword bool     // is known by a certificate only
	Roles      []string // ascending; each is there, but perhaps Root
}

// Has tells whether the user was granted a role.
func (u *User) Has(role string) bool {
	_, found := slices.BinarySearch(u.Roles, role)
	return found
}

// without is the user after a role was taken away.
func (u *User) without(role string) *User {
	changed := *u
	changed.Roles = slices.DeleteFunc(slices.Clone(u.Roles),
		func(one string) bool { return one == role })
	return &changed
}

// Role is a set of permissions that has a name, and is never changed.
type Role struct {
	Name        string
	Permissions []Permission // ascending by Key; those of one Key in the order they were granted

	reads, writes spans // what the permissions come to
}

func newRole(name string, permissions []Permission) *Role {
	return &Role{name, permissions, spansOf(permissions, Read), spansOf(permissions, Write)}
}

// find gives the place of the permission for exactly this range.
func (r *Role) find(key, end string) (int, bool) {
	i := slices.IndexFunc(r.Permissions, func(p Permission) bool {
		return p.Key == key && p.End == end
	})
	return i, i >= 0
}

// granted is the role after a permission was granted, or, for a range that has one, replaced.
func (r *Role) granted(p Permission) *Role {
	all := slices.Clone(r.Permissions)
	i, found := r.find(p.Key, p.End)
	if found {
		all[i] = p
		return newRole(r.Name, all)
	}
	i = slices.IndexFunc(all, func(other Permission) bool { return other.Key > p.Key })
	if i < 0 {
		i = len(all)
	}
	return newRole(r.Name, slices.Insert(all, i, p))
}
