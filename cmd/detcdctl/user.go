package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/protobuf/proto"
)

func (p *program) userCommand() *cobra.Command {
	return family("user", "Who may ask",
		p.userAddCommand(), p.userDeleteCommand(), p.userGetCommand(), p.userListCommand(),
		p.userPasswordCommand(), p.userGrantCommand(), p.userRevokeCommand())
}

// done is how a response looks that says nothing but that something was done.
func done(r proto.Message, format string, values ...any) answer {
	return answer{message: r, simple: func(p *page) { p.linef(format, values...) }}
}

// newUser is what user add is told on the command line.
type newUser struct {
	asked, none bool
	password    string
}

// complete finds the name and the password.
func (u newUser) complete(p *program, word string) (name, password string, err error) {
	name, password, found := strings.Cut(word, ":")
	switch {
	case u.none:
		return word, "", nil
	case u.password != "":
		return word, u.password, nil
	case found && name == "":
		return "", "", bad("empty user name is not allowed")
	case found:
		return name, password, nil
	case u.asked:
		password, err = p.newPassword(word)
	default:
		password, err = p.readWord()
	}
	return word, password, err
}

func (p *program) userAddCommand() *cobra.Command {
	var given newUser
	return p.command(verb{
		use: "add <name>[:password] [options]", short: "Add a user",
		long: `Adds a user. Without a password it is asked for twice; with --interactive=false it is the
first word of standard input.`,
		formats: asBoth, takes: exactly(1, "user add command requires user name as its argument"),
		flags: func(f *pflag.FlagSet) {
			f.BoolVar(&given.asked, "interactive", true, "ask for the password, twice")
			f.StringVar(&given.password, "new-user-password", "", "the password")
			f.BoolVar(&given.none, "no-password", false, "a user that is known by its certificate only")
		},
		run: func(s *session, args []string) error {
			name, password, err := given.complete(p, args[0])
			if err != nil {
				return err
			}
			ctx, cancel := s.brief()
			defer cancel()
			r, err := s.client.UserAddWithOptions(ctx, name, password,
				&clientv3.UserAddOptions{NoPassword: given.none})
			if err != nil {
				return err
			}
			return p.show(done((*pb.AuthUserAddResponse)(r), "User %s created", name))
		},
	})
}

func (p *program) userDeleteCommand() *cobra.Command {
	return p.command(verb{
		use: "delete <name>", short: "Delete a user",
		formats: asBoth, takes: exactly(1, "user delete command requires user name as its argument"),
		run: func(s *session, args []string) error {
			ctx, cancel := s.brief()
			defer cancel()
			r, err := s.client.UserDelete(ctx, args[0])
			if err != nil {
				return err
			}
			return p.show(done((*pb.AuthUserDeleteResponse)(r), "User %s deleted", args[0]))
		},
	})
}

func (p *program) userGetCommand() *cobra.Command {
	var detail bool
	return p.command(verb{
		use: "get <name> [options]", short: "Print the roles of a user",
		formats: asProtobuf, takes: exactly(1, "user get command requires user name as its argument"),
		flags: func(f *pflag.FlagSet) {
			f.BoolVar(&detail, "detail", false, "print what the roles may do, too")
		},
		run: func(s *session, args []string) error {
			ctx, cancel := s.brief()
			defer cancel()
			answered, err := s.client.UserGet(ctx, args[0])
			if err != nil {
				return err
			}
			r := (*pb.AuthUserGetResponse)(answered)
			if !detail {
				return p.show(done(r, "User: %s\nRoles:%s", args[0], spaced(r.GetRoles())))
			}
			fmt.Fprintf(p.out, "User: %s\n", args[0])
			for _, name := range r.GetRoles() {
				role, err := s.client.RoleGet(ctx, name)
				if err != nil {
					return err
				}
				fmt.Fprintln(p.out)
				if err := p.show(roleAnswer(name, (*pb.AuthRoleGetResponse)(role))); err != nil {
					return err
				}
			}
			return nil
		},
	})
}

// spaced puts a space before each word.
func spaced(words []string) string {
	var text strings.Builder
	for _, word := range words {
		text.WriteString(" " + word)
	}
	return text.String()
}

func (p *program) userListCommand() *cobra.Command {
	return p.command(verb{
		use: "list", short: "List the users",
		formats: asProtobuf, takes: exactly(0, "user list command requires no arguments"),
		run: func(s *session, _ []string) error {
			ctx, cancel := s.brief()
			defer cancel()
			answered, err := s.client.UserList(ctx)
			if err != nil {
				return err
			}
			r := (*pb.AuthUserListResponse)(answered)
			return p.show(answer{message: r, simple: func(p *page) {
				for _, name := range r.GetUsers() {
					p.line(name)
				}
			}})
		},
	})
}

func (p *program) userPasswordCommand() *cobra.Command {
	var asked bool
	return p.command(verb{
		use: "passwd <name> [options]", short: "Change the password of a user",
		formats: asBoth, takes: exactly(1, "user passwd command requires user name as its argument"),
		flags: func(f *pflag.FlagSet) {
			f.BoolVar(&asked, "interactive", true, "ask for the password, twice")
		},
		run: func(s *session, args []string) error {
			_, password, err := newUser{asked: asked}.complete(p, args[0])
			if err != nil {
				return err
			}
			ctx, cancel := s.brief()
			defer cancel()
			r, err := s.client.UserChangePassword(ctx, args[0], password)
			if err != nil {
				return err
			}
			return p.show(done((*pb.AuthUserChangePasswordResponse)(r), "Password updated"))
		},
	})
}

func (p *program) userGrantCommand() *cobra.Command {
	return p.command(verb{
		use: "grant-role <name> <role>", short: "Give a role to a user", formats: asBoth,
		takes: exactly(2, "user grant command requires user name and role name as its argument"),
		run: func(s *session, args []string) error {
			ctx, cancel := s.brief()
			defer cancel()
			r, err := s.client.UserGrantRole(ctx, args[0], args[1])
			if err != nil {
				return err
			}
			return p.show(done((*pb.AuthUserGrantRoleResponse)(r),
				"Role %s is granted to user %s", args[1], args[0]))
		},
	})
}

func (p *program) userRevokeCommand() *cobra.Command {
	return p.command(verb{
		use: "revoke-role <name> <role>", short: "Take a role from a user", formats: asBoth,
		takes: exactly(2, "user revoke-role requires user name and role name as its argument"),
		run: func(s *session, args []string) error {
			ctx, cancel := s.brief()
			defer cancel()
			r, err := s.client.UserRevokeRole(ctx, args[0], args[1])
			if err != nil {
				return err
			}
			return p.show(done((*pb.AuthUserRevokeRoleResponse)(r),
				"Role %s is revoked from user %s", args[1], args[0]))
		},
	})
}
