package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func (p *program) roleCommand() *cobra.Command {
	return family("role", "What users may do",
		p.roleAddCommand(), p.roleDeleteCommand(), p.roleGetCommand(), p.roleListCommand(),
		p.roleGrantCommand(), p.roleRevokeCommand())
}

func (p *program) roleAddCommand() *cobra.Command {
	return p.command(verb{
		use: "add <role>", short: "Add a role that may do nothing yet",
		formats: asBoth, takes: exactly(1, "role add command requires role name as its argument"),
		run: func(s *session, args []string) error {
			ctx, cancel := s.brief()
			defer cancel()
			r, err := s.client.RoleAdd(ctx, args[0])
			if err != nil {
				return err
			}
			return p.show(done((*pb.AuthRoleAddResponse)(r), "Role %s created", args[0]))
		},
	})
}

func (p *program) roleDeleteCommand() *cobra.Command {
	return p.command(verb{
		use: "delete <role>", short: "Delete a role, also from its users",
		formats: asBoth, takes: exactly(1, "role delete command requires role name as its argument"),
		run: func(s *session, args []string) error {
			ctx, cancel := s.brief()
			defer cancel()
			r, err := s.client.RoleDelete(ctx, args[0])
			if err != nil {
				return err
			}
			return p.show(done((*pb.AuthRoleDeleteResponse)(r), "Role %s deleted", args[0]))
		},
	})
}

func (p *program) roleGetCommand() *cobra.Command {
	return p.command(verb{
		use: "get <role>", short: "Print what a role may do",
		formats: asBoth, takes: exactly(1, "role get command requires role name as its argument"),
		run: func(s *session, args []string) error {
			ctx, cancel := s.brief()
			defer cancel()
			r, err := s.client.RoleGet(ctx, args[0])
			if err != nil {
				return err
			}
			return p.show(roleAnswer(args[0], (*pb.AuthRoleGetResponse)(r)))
		},
	})
}

// roleAnswer is how a role looks. The role root may do everything, although nothing says so.
func roleAnswer(name string, r *pb.AuthRoleGetResponse) answer {
	permissions := r.GetPerm()
	if name == "root" && len(permissions) == 0 {
		permissions = []*authpb.Permission{{
			PermType: authpb.Permission_READWRITE, RangeEnd: []byte{0},
		}}
	}
	return answer{
		message: r,
		simple: func(p *page) {
			p.line("Role", name)
			p.line("KV Read:")
			p.permissions(permissions, authpb.Permission_READ)
			p.line("KV Write:")
			p.permissions(permissions, authpb.Permission_WRITE)
		},
		fields: func(p *page) {
			for _, perm := range r.GetPerm() {
				p.line(`"PermType" : `, perm.GetPermType().String())
				p.linef(`"Key" : %q`, perm.GetKey())
				p.linef(`"RangeEnd" : %q`, perm.GetRangeEnd())
			}
		},
	}
}

// permissions writes the ranges of one kind.
func (p *page) permissions(all []*authpb.Permission, kind authpb.Permission_Type) {
	for _, perm := range all {
		if perm.GetPermType() != kind && perm.GetPermType() != authpb.Permission_READWRITE {
			continue
		}
		key, end := string(perm.GetKey()), string(perm.GetRangeEnd())
		if end == "" {
			p.line("\t" + key)
			continue
		}
		of := ""
		if key != "" && end == clientv3.GetPrefixRangeEnd(key) {
			of = fmt.Sprintf(" (prefix %s)", key)
		}
		if end == "\x00" {
			p.linef("\t[%s, <open ended>%s", key, of)
		} else {
			p.linef("\t[%s, %s)%s", key, end, of)
		}
	}
}

func (p *program) roleListCommand() *cobra.Command {
	return p.command(verb{
		use: "list", short: "List the roles",
		formats: asBoth, takes: exactly(0, "role list command requires no arguments"),
		run: func(s *session, _ []string) error {
			ctx, cancel := s.brief()
			defer cancel()
			answered, err := s.client.RoleList(ctx)
			if err != nil {
				return err
			}
			r := (*pb.AuthRoleListResponse)(answered)
			return p.show(answer{
				message: r,
				simple: func(p *page) {
					for _, name := range r.GetRoles() {
						p.line(name)
					}
				},
				fields: func(p *page) {
					quoted := make([]string, len(r.GetRoles()))
					for i, name := range r.GetRoles() {
						quoted[i] = fmt.Sprintf("%q", name)
					}
					p.linef(`"Roles" :%s`, spaced(quoted))
				},
			})
		},
	})
}

// A region is the keys that a permission is about.
type region struct{ prefix, fromKey bool }

func (r *region) register(f *pflag.FlagSet) {
	f.BoolVar(&r.prefix, "prefix", false, "all keys that begin with the key")
	f.BoolVar(&r.fromKey, "from-key", false, "the key and all behind it, byte by byte")
}

// span says which keys are meant. The empty key stands for the smallest one that is possible.
func (r *region) span(words []string) (key, end string, err error) {
	key = words[0]
	switch {
	case r.prefix && r.fromKey:
		err = bad("--from-key and --prefix flags are mutually exclusive")
	case len(words) > 1 && r.prefix:
		err = bad("unexpected endkey argument with --prefix flag")
	case len(words) > 1 && r.fromKey:
		err = bad("unexpected endkey argument with --from-key flag")
	case len(words) > 1:
		end = words[1]
	case r.fromKey, r.prefix && key == "":
		end = "\x00"
	case r.prefix:
		end = clientv3.GetPrefixRangeEnd(key)
	}
	if key == "" {
		key = "\x00"
	}
	return key, end, err
}

func (p *program) roleGrantCommand() *cobra.Command {
	var region region
	return p.command(verb{
		use:     "grant-permission [options] <role> <read|write|readwrite> <key> [range_end]",
		short:   "Let a role read or write keys",
		example: `  detcdctl role grant-permission worker readwrite --prefix jobs/`,
		formats: asBoth, flags: region.register,
		takes: between(3, 4, "role grant command requires role name, permission type, "+
			"and key [endkey] as its argument"),
		run: func(s *session, args []string) error {
			kind, err := clientv3.StrToPermissionType(args[1])
			if err != nil {
				return bad("%w", err)
			}
			key, end, err := region.span(args[2:])
			if err != nil {
				return err
			}
			ctx, cancel := s.brief()
			defer cancel()
			r, err := s.client.RoleGrantPermission(ctx, args[0], key, end, kind)
			if err != nil {
				return err
			}
			return p.show(done((*pb.AuthRoleGrantPermissionResponse)(r), "Role %s updated", args[0]))
		},
	})
}

func (p *program) roleRevokeCommand() *cobra.Command {
	var region region
	return p.command(verb{
		use:     "revoke-permission [options] <role> <key> [range_end]",
		short:   "Take a permission from a role, as it was granted",
		formats: asBoth, flags: region.register,
		takes: between(2, 3, "role revoke-permission command requires role name and "+
			"key [endkey] as its argument"),
		run: func(s *session, args []string) error {
			key, end, err := region.span(args[1:])
			if err != nil {
				return err
			}
			ctx, cancel := s.brief()
			defer cancel()
			r, err := s.client.RoleRevokePermission(ctx, args[0], key, end)
			if err != nil {
				return err
			}
			message := (*pb.AuthRoleRevokePermissionResponse)(r)
			switch end {
			case "":
				return p.show(done(message, "Permission of key %s is revoked from role %s",
					args[1], args[0]))
			case "\x00":
				return p.show(done(message,
					"Permission of range [%s, <open ended> is revoked from role %s", args[1], args[0]))
			}
			return p.show(done(message, "Permission of range [%s, %s) is revoked from role %s",
				args[1], end, args[0]))
		},
	})
}
