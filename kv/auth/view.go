package auth

import "github.com/tidwall/btree"

// View is what a Book said at one moment. It never changes, and any goroutine may read it.
type View struct {
	users    *btree.Map[string, *User]
	roles    *btree.Map[string, *Role]
	enabled  bool
	revision Revision
}

// Enabled tells whether it matters at all who may do what.
func (v *View) Enabled() bool { return v.enabled }

// Revision is that of the last change.
func (v *View) Revision() Revision { return v.revision }

// User gives a user; nil: there is none of this name.
func (v *View) User(name string) *User {
	user, _ := v.users.Get(name)
	return user
}

// Role gives a role; nil: there is none of this name.
func (v *View) Role(name string) *Role {
	role, _ := v.roles.Get(name)
	return role
}

// Users are the names of all users, ascending.
func (v *View) Users() []string { return v.users.Keys() }

// Roles are the names of all roles, ascending.
func (v *View) Roles() []string { return v.roles.Keys() }

// open tells whether a caller may do anything without being asked.
func (v *View) open(c Caller) bool { return !v.enabled || c == Itself() }

// Somebody refuses, with ErrUserEmpty, a caller who is not known.
func (v *View) Somebody(c Caller) error {
	if v.enabled && !c.Known() {
		return ErrUserEmpty
	}
	return nil
}

// Admin refuses who has not the role Root: with ErrUserEmpty, ErrUserUnknown or ErrDenied. The
// caller's revision does not matter, as in etcd.
func (v *View) Admin(c Caller) error {
	if v.open(c) {
		return nil
	}
	user := v.User(c.User)
	switch {
	case c.User == "":
		return ErrUserEmpty
	case user == nil:
		return ErrUserUnknown
	case !user.Has(Root):
		return ErrDenied
	}
	return nil
}

// Fresh refuses, with ErrOldRevision, a known caller of another revision than this.
func (v *View) Fresh(c Caller) error {
	if !v.open(c) && c.Known() && c.Revision != v.revision {
		return ErrOldRevision
	}
	return nil
}

// May refuses an access to any key of a range: with ErrUserEmpty, with ErrOldRevision when users or
// roles were changed since the caller was found out, or with ErrDenied.
func (v *View) May(c Caller, access Access, key, end []byte) error {
	switch {
	case v.open(c):
		return nil
	case !c.Known():
		return ErrUserEmpty
	case c.Revision < v.revision:
		return ErrOldRevision
	}
	user := v.User(c.User)
	if user == nil {
		return ErrDenied
	}
	if user.Has(Root) {
		return nil
	}
	sets := make([]spans, 0, 8)
	for _, name := range user.Roles {
		role, ok := v.roles.Get(name)
		switch {
		case !ok:
		case access == Read:
			sets = append(sets, role.reads)
		default:
			sets = append(sets, role.writes)
		}
	}
	if covers(sets, spanOf(string(key), string(end))) {
		return nil
	}
	return ErrDenied
}
