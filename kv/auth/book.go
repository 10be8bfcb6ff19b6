package auth

import (
	"encoding/base64"
	"slices"

	"github.com/tidwall/btree"
)

// Book is what all members of a cluster agree on: users, roles, and whether they matter.
type Book struct {
	users    btree.Map[string, *User]
	roles    btree.Map[string, *Role]
	enabled  bool
	revision Revision
	view     *View  // nil: something changed since the last one
	blob     []byte // the same of Checkpoint
}

// New gives the book of a new cluster.
func New() *Book { return &Book{revision: 1} }

// View is the present state. It is the same one as long as nothing changes.
func (b *Book) View() *View {
	if b.view == nil {
		b.view = &View{b.users.Copy(), b.roles.Copy(), b.enabled, b.revision}
	}
	return b.view
}

// changed notes a change.
func (b *Book) changed() error {
	b.revision++
	b.view, b.blob = nil, nil
	return nil
}

// Enable makes users and roles matter. It refuses with ErrNoRootUser or ErrNoRootRole where nobody
// could turn it off again. As in etcd it is no change that the revision counts.
func (b *Book) Enable() error {
	root, found := b.users.Get(Root)
	switch {
	case b.enabled:
		return nil
	case !found:
		return ErrNoRootUser
	case !root.Has(Root):
		return ErrNoRootRole
	}
	b.enabled, b.view, b.blob = true, nil, nil
	return nil
}

// Disable lets everybody do everything.
func (b *Book) Disable() {
	if b.enabled {
		b.enabled = false
		_ = b.changed()
	}
}

// AddUser adds a user without roles. The hash is in base64, as etcd's protocol has it. It refuses
// with ErrUserEmpty, ErrUserExists, or, when the hash is no base64, ErrNoPassword.
func (b *Book) AddUser(name, hash string, noPassword bool) error {
	if name == "" {
		return ErrUserEmpty
	}
	if _, exists := b.users.Get(name); exists {
		return ErrUserExists
	}
	user := &User{Name: name, NoPassword: noPassword}
	return b.setPassword(user, hash)
}

// ChangePassword gives a user another password. One who has none does not get one. It refuses with
// ErrUserUnknown, or ErrNoPassword as AddUser does.
func (b *Book) ChangePassword(name, hash string) error {
	user, found := b.users.Get(name)
	if !found {
		return ErrUserUnknown
	}
	changed := *user
	return b.setPassword(&changed, hash)
}

func (b *Book) setPassword(user *User, hash string) error {
	user.Hash = nil
	if !user.NoPassword {
		bytes, err := base64.StdEncoding.DecodeString(hash)
		if err != nil {
			return ErrNoPassword
		}
		user.Hash = bytes
	}
	b.users.Set(user.Name, user)
	return b.changed()
}

// DeleteUser removes a user: ErrUserUnknown, or ErrManagement for Root while the book is enabled.
func (b *Book) DeleteUser(name string) error {
	if b.enabled && name == Root {
		return ErrManagement
	}
	if _, found := b.users.Delete(name); !found {
		return ErrUserUnknown
	}
	return b.changed()
}

// GrantRole gives a user a role; there need be none of the name Root. What he has already is no
// change. It refuses with ErrUserUnknown or ErrRoleUnknown.
func (b *Book) GrantRole(name, role string) error {
	user, found := b.users.Get(name)
	if !found {
		return ErrUserUnknown
	}
	if _, found := b.roles.Get(role); !found && role != Root {
		return ErrRoleUnknown
	}
	i, has := slices.BinarySearch(user.Roles, role)
	if has {
		return nil
	}
	changed := *user
	changed.Roles = slices.Insert(slices.Clone(user.Roles), i, role)
	b.users.Set(name, &changed)
	return b.changed()
}

// RevokeRole takes a role from a user: ErrUserUnknown, ErrRoleNotGranted, or ErrManagement for Root
// from Root while the book is enabled.
func (b *Book) RevokeRole(name, role string) error {
	if b.enabled && name == Root && role == Root {
		return ErrManagement
	}
	user, found := b.users.Get(name)
	switch {
	case !found:
		return ErrUserUnknown
	case !user.Has(role):
		return ErrRoleNotGranted
	}
	b.users.Set(name, user.without(role))
	return b.changed()
}

// AddRole adds a role without permissions: ErrRoleEmpty, ErrRoleExists.
func (b *Book) AddRole(name string) error {
	if name == "" {
		return ErrRoleEmpty
	}
	if _, exists := b.roles.Get(name); exists {
		return ErrRoleExists
	}
	b.roles.Set(name, newRole(name, nil))
	return b.changed()
}

// DeleteRole removes a role, also from all users: ErrRoleUnknown, or ErrManagement for Root while
// the book is enabled.
func (b *Book) DeleteRole(name string) error {
	if b.enabled && name == Root {
		return ErrManagement
	}
	if _, found := b.roles.Delete(name); !found {
		return ErrRoleUnknown
	}
	var changed []*User
	b.users.Scan(func(_ string, user *User) bool {
		if user.Has(name) {
			changed = append(changed, user.without(name))
		}
		return true
	})
	for _, user := range changed {
		b.users.Set(user.Name, user)
	}
	return b.changed()
}

// GrantPermission adds a permission to a role, in place of one for the same range: ErrNoPermission
// for nil, ErrManagement for a range without keys, ErrRoleUnknown.
func (b *Book) GrantPermission(name string, p *Permission) error {
	switch {
	case p == nil:
		return ErrNoPermission
	case !p.valid():
		return ErrManagement
	}
	role, found := b.roles.Get(name)
	if !found {
		return ErrRoleUnknown
	}
	b.roles.Set(name, role.granted(*p))
	return b.changed()
}

// RevokePermission takes the permission for exactly this range from a role: ErrRoleUnknown,
// ErrNotGranted.
func (b *Book) RevokePermission(name, key, end string) error {
	role, found := b.roles.Get(name)
	if !found {
		return ErrRoleUnknown
	}
	i, found := role.find(key, end)
	if !found {
		return ErrNotGranted
	}
	b.roles.Set(name, newRole(name, slices.Delete(slices.Clone(role.Permissions), i, i+1)))
	return b.changed()
}
