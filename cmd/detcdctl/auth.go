package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

func (p *program) authCommand() *cobra.Command {
	return family("auth", "Whether users must say who they are",
		p.authEnableCommand(), p.authDisableCommand(), p.authStatusCommand())
}

func (p *program) authEnableCommand() *cobra.Command {
	return p.command(verb{
		use: "enable", short: "Begin to ask who wants something; there must be a user root",
		formats: asAny, takes: exactly(0, "auth enable command does not accept any arguments"),
		run: func(s *session, _ []string) error {
			ctx, done := s.brief()
			defer done()
			if err := s.enableAuth(ctx); err != nil {
				return err
			}
			_, err := fmt.Fprintln(p.out, "Authentication Enabled")
			return err
		},
	})
}

// enableAuth enables authentication. A root without its role is given it first.
func (s *session) enableAuth(ctx context.Context) error {
	_, err := s.client.AuthEnable(ctx)
	if !errors.Is(err, rpctypes.ErrRootRoleNotExist) {
		return err
	}
	_, err = s.client.RoleAdd(ctx, "root")
	if err != nil && !errors.Is(err, rpctypes.ErrRoleAlreadyExist) {
		return err
	}
	if _, err := s.client.UserGrantRole(ctx, "root", "root"); err != nil {
		return err
	}
	_, err = s.client.AuthEnable(ctx)
	return err
}

func (p *program) authDisableCommand() *cobra.Command {
	return p.command(verb{
		use: "disable", short: "Let everybody do everything",
		formats: asAny, takes: exactly(0, "auth disable command does not accept any arguments"),
		run: func(s *session, _ []string) error {
			ctx, done := s.brief()
			defer done()
			if _, err := s.client.AuthDisable(ctx); err != nil {
				return err
			}
			_, err := fmt.Fprintln(p.out, "Authentication Disabled")
			return err
		},
	})
}

func (p *program) authStatusCommand() *cobra.Command {
	return p.command(verb{
		use: "status", short: "Print whether it is on",
		formats: asProtobuf, takes: exactly(0, "auth status command does not accept any arguments"),
		run: func(s *session, _ []string) error {
			ctx, done := s.brief()
			defer done()
			answered, err := s.client.AuthStatus(ctx)
			if err != nil {
				return err
			}
			r := (*pb.AuthStatusResponse)(answered)
			return p.show(answer{message: r, simple: func(p *page) {
				p.line("Authentication Status:", r.GetEnabled())
				p.line("AuthRevision:", r.GetAuthRevision())
			}})
		},
	})
}
