package auth

import (
	"fmt"
	"slices"
	"strings"
)

// Import makes a book of what etcd has stored, in any order. etcd may have several permissions of
// a role for one range; what they permit together becomes one. It refuses with ErrDamaged what
// would break an invariant.
func Import(users []User, roles []Role, enabled bool, revision Revision) (*Book, error) {
	b := &Book{enabled: enabled, revision: max(revision, 1)}
	for _, role := range roles {
		all := newRole(role.Name, nil)
		for _, p := range role.Permissions {
			if i, found := all.find(p.Key, p.End); found {
				p.Access = p.Access.with(all.Permissions[i].Access)
			}
			all = all.granted(p)
		}
		b.roles.Set(all.Name, all)
	}
	for _, user := range users {
		user.Roles = slices.Compact(slices.SortedFunc(slices.Values(user.Roles), strings.Compare))
		b.users.Set(user.Name, &user)
	}
	if err := b.Check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return b, nil
}
