package auth

import (
	"cmp"
	"fmt"
	"slices"
)

// Check tests the invariants that the package comment numbers, and says which one is broken.
func (b *Book) Check() (err error) {
	if b.revision == 0 {
		return fmt.Errorf("auth: invariant 1: revision 0")
	}
	b.users.Scan(func(name string, user *User) bool {
		switch {
		case name == "" || user.Name != name:
			err = fmt.Errorf("auth: invariant 2: user %q is filed under %q", user.Name, name)
		case user.NoPassword && len(user.Hash) > 0:
			err = fmt.Errorf("auth: invariant 3: user %q has none, and a hash", name)
		}
		for i, role := range user.Roles {
			if _, found := b.roles.Get(role); !found && role != Root {
				err = fmt.Errorf("auth: invariant 4: user %q has role %q, which is not there", name, role)
			}
			if i > 0 && user.Roles[i-1] >= role {
				err = fmt.Errorf("auth: invariant 4: the roles of user %q do not ascend", name)
			}
		}
		return err == nil
	})
	if err != nil {
		return err
	}
	b.roles.Scan(func(name string, role *Role) bool {
		if name == "" || role.Name != name {
			err = fmt.Errorf("auth: invariant 2: role %q is filed under %q", role.Name, name)
			return false
		}
		err = role.check()
		return err == nil
	})
	if root, found := b.users.Get(Root); err == nil && b.enabled && (!found || !root.Has(Root)) {
		err = fmt.Errorf("auth: invariant 7: it is enabled, and nobody could disable it")
	}
	return err
}

func (r *Role) check() error {
	seen := make(map[[2]string]bool)
	for i, p := range r.Permissions {
		which := [...]string{p.Key, p.End}
		if !p.valid() || seen[which] {
			return fmt.Errorf("auth: invariant 5: role %q, permission %d: %q to %q",
				r.Name, i, p.Key, p.End)
		}
		seen[which] = true
	}
	ascends := func(a, b Permission) int { return cmp.Compare(a.Key, b.Key) }
	if !slices.IsSortedFunc(r.Permissions, ascends) {
		return fmt.Errorf("auth: invariant 5: the permissions of role %q do not ascend", r.Name)
	}
	if !slices.Equal(r.reads, spansOf(r.Permissions, Read)) ||
		!slices.Equal(r.writes, spansOf(r.Permissions, Write)) {
		return fmt.Errorf("auth: invariant 6: role %q permits other keys than it should", r.Name)
	}
	return nil
}
