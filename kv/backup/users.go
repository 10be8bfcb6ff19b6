package backup

import (
	"encoding/binary"
	"fmt"

	bolt "go.etcd.io/bbolt"
	"go.etcd.io/etcd/api/v3/authpb"
	"google.golang.org/protobuf/proto"

	"detcd/kv/auth"
)

// stateRows say whether users and roles matter, and how often they were changed.
func stateRows(view *auth.View) []row {
	enabled := []byte{0}
	if view.Enabled() {
		enabled[0] = 1
	}
	return []row{{"authEnabled", enabled}, {"authRevision", number(uint64(view.Revision()))}}
}

// authRows are all users and all roles.
func authRows(view *auth.View) (users, roles []row, err error) {
	for _, name := range view.Users() {
		user := view.User(name)
		value, err := proto.Marshal(&authpb.User{Name: []byte(name), Password: user.Hash,
			Roles: user.Roles, Options: &authpb.UserAddOptions{NoPassword: user.NoPassword}})
		if err != nil {
			return nil, nil, err
		}
		users = append(users, row{name, value})
	}
	for _, name := range view.Roles() {
		role := &authpb.Role{Name: []byte(name)}
		for _, p := range view.Role(name).Permissions {
			role.KeyPermission = append(role.KeyPermission, &authpb.Permission{
				PermType: authpb.Permission_Type(p.Access), Key: []byte(p.Key), RangeEnd: []byte(p.End)})
		}
		value, err := proto.Marshal(role)
		if err != nil {
			return nil, nil, err
		}
		roles = append(roles, row{name, value})
	}
	return users, roles, nil
}

// Users are all users and roles. A file of an etcd that had none has nothing of them.
func (c *Contents) Users() (book *auth.Book, err error) {
	err = guard(func() error {
		users, err := c.users()
		if err != nil {
			return err
		}
		roles, err := c.roles()
		if err != nil {
			return err
		}
		enabled, revision := false, uint64(0)
		if state := c.tx.Bucket([]byte("auth")); state != nil {
			enabled = string(state.Get([]byte("authEnabled"))) == "\x01"
			if value := state.Get([]byte("authRevision")); len(value) == 8 {
				revision = binary.BigEndian.Uint64(value)
			}
		}
		if book, err = auth.Import(users, roles, enabled, auth.Revision(revision)); err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		return nil
	})
	return book, err
}

func (c *Contents) users() (all []auth.User, err error) {
	return all, each(c.tx.Bucket([]byte("authUsers")), func(value []byte) error {
		var user authpb.User
		if err := proto.Unmarshal(value, &user); err != nil {
			return err
		}
		all = append(all, auth.User{Name: string(user.Name), Hash: user.Password,
			NoPassword: user.GetOptions().GetNoPassword(), Roles: user.Roles})
		return nil
	})
}

func (c *Contents) roles() (all []auth.Role, err error) {
	return all, each(c.tx.Bucket([]byte("authRoles")), func(value []byte) error {
		var role authpb.Role
		if err := proto.Unmarshal(value, &role); err != nil {
			return err
		}
		one := auth.Role{Name: string(role.Name)}
		for _, p := range role.KeyPermission {
			one.Permissions = append(one.Permissions, auth.Permission{
				Access: auth.Access(p.PermType), Key: string(p.Key), End: string(p.RangeEnd)})
		}
		all = append(all, one)
		return nil
	})
}

// each reads every value of a bucket that may be missing.
func each(bucket *bolt.Bucket, read func(value []byte) error) error {
	if bucket == nil {
		return nil
	}
	return bucket.ForEach(func(key, value []byte) error {
		if err := read(value); err != nil {
			return fmt.Errorf("%w: %q: %w", ErrDamaged, key, err)
		}
		return nil
	})
}
