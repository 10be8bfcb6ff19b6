package auth

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// formatVersion is the first byte of a checkpoint. Version 1:
//
//	┌────────────┬─────────┬──────────┬───────────────┬───────────────┐
//	│ version: 1 │ enabled │ revision │ users         │ roles         │
//	│ 1 byte     │ 1 byte  │ uvarint  │ list          │ list          │
//	└────────────┴─────────┴──────────┴───────────────┴───────────────┘
//	list:        uvarint n, n × element
//	user:        string name, string hash, 1 byte no password, list of strings: roles
//	role:        string name, list of permissions
//	permission:  varint access, string key, string end
//	string:      uvarint n, n bytes
//
// Names ascend.
const formatVersion = 1

// Checkpoint is all of the book. It is as long as the names, hashes, keys and a few bytes for each,
// and is made again only after a change. The caller must not change it.
func (b *Book) Checkpoint() []byte {
	if b.blob != nil {
		return b.blob
	}
	out := []byte{formatVersion, bit(b.enabled)}
	out = binary.AppendUvarint(out, uint64(b.revision))
	out = binary.AppendUvarint(out, uint64(b.users.Len()))
	b.users.Scan(func(_ string, user *User) bool {
		out = appendString(appendString(out, user.Name), string(user.Hash))
		out = binary.AppendUvarint(append(out, bit(user.NoPassword)), uint64(len(user.Roles)))
		for _, role := range user.Roles {
			out = appendString(out, role)
		}
		return true
	})
	out = binary.AppendUvarint(out, uint64(b.roles.Len()))
	b.roles.Scan(func(_ string, role *Role) bool {
		out = binary.AppendUvarint(appendString(out, role.Name), uint64(len(role.Permissions)))
		for _, p := range role.Permissions {
			out = binary.AppendVarint(out, int64(p.Access))
			out = appendString(appendString(out, p.Key), p.End)
		}
		return true
	})
	b.blob = out
	return out
}

func bit(set bool) byte {
	if set {
		return 1
	}
	return 0
}

func appendString(out []byte, s string) []byte {
	return append(binary.AppendUvarint(out, uint64(len(s))), s...)
}

// Restore gives the book of a checkpoint. Anything else is refused with ErrDamaged.
func Restore(blob []byte) (*Book, error) {
	r := reader{blob: blob}
	if version := r.byte(); version != formatVersion {
		return nil, fmt.Errorf("%w: version %d", ErrDamaged, version)
	}
	b := &Book{enabled: r.bit(), revision: Revision(r.uvarint())}
	for n := r.uvarint(); n > 0 && !r.bad; n-- {
		user := r.user()
		if last, _, some := b.users.Max(); some && last >= user.Name {
			r.bad = true
		}
		b.users.Set(user.Name, user)
	}
	for n := r.uvarint(); n > 0 && !r.bad; n-- {
		role := r.role()
		if last, _, some := b.roles.Max(); some && last >= role.Name {
			r.bad = true
		}
		b.roles.Set(role.Name, role)
	}
	if r.bad || len(r.blob) > 0 {
		return nil, fmt.Errorf("%w: %d bytes do not end where they should", ErrDamaged, len(blob))
	}
	if err := b.Check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	b.blob = slices.Clone(blob)
	return b, nil
}

// reader takes a checkpoint apart. Once bad, it gives nothing.
type reader struct {
	blob []byte
	bad  bool
}

func (r *reader) user() *User {
	user := &User{Name: r.string()}
	if hash := r.string(); hash != "" {
		user.Hash = []byte(hash)
	}
	user.NoPassword = r.bit()
	for n := r.uvarint(); n > 0 && !r.bad; n-- {
		user.Roles = append(user.Roles, r.string())
	}
	return user
}

func (r *reader) role() *Role {
	name := r.string()
	var all []Permission
	for n := r.uvarint(); n > 0 && !r.bad; n-- {
		access := r.uvarint()
		p := Permission{Access: Access(int64(access>>1) ^ -int64(access&1))}
		p.Key, p.End = r.string(), r.string()
		all = append(all, p)
	}
	return newRole(name, all)
}

func (r *reader) byte() byte {
	if len(r.blob) == 0 {
		r.bad = true
		return 0
	}
	first := r.blob[0]
	r.blob = r.blob[1:]
	return first
}

func (r *reader) bit() bool {
	b := r.byte()
	r.bad = r.bad || b > 1
	return b == 1
}

func (r *reader) uvarint() uint64 {
	value, n := binary.Uvarint(r.blob)
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.blob = r.blob[n:]
	return value
}

func (r *reader) string() string {
	n := r.uvarint()
	if n > uint64(len(r.blob)) {
		r.bad = true
	}
	if r.bad {
		return ""
	}
	s := string(r.blob[:n])
	r.blob = r.blob[n:]
	return s
}
