package main

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func (p *program) leaseCommand() *cobra.Command {
	return family("lease", "Keys that go away when nobody renews them",
		p.leaseGrantCommand(), p.leaseRevokeCommand(), p.leaseTimeToLiveCommand(),
		p.leaseListCommand(), p.leaseKeepAliveCommand())
}

// leaseID reads the identifier of a lease.
func leaseID(word string) (clientv3.LeaseID, error) {
	id, err := strconv.ParseInt(word, 16, 64)
	if err != nil {
		return 0, bad("bad lease ID arg (%w), expecting ID in Hex", err)
	}
	return clientv3.LeaseID(id), nil
}

func (p *program) leaseGrantCommand() *cobra.Command {
	return p.command(verb{
		use: "grant <ttl>", short: "Make a lease that lives for so many seconds",
		formats: asBoth, takes: exactly(1, "lease grant command needs TTL argument"),
		run: func(s *session, args []string) error {
			ttl, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil {
				return bad("bad TTL (%w)", err)
			}
			ctx, done := s.brief()
			defer done()
			r, err := s.client.Grant(ctx, ttl)
			if err != nil {
				return fmt.Errorf("failed to grant lease (%w)", err)
			}
			return p.show(answer{
				message: &pb.LeaseGrantResponse{
					Header: r.ResponseHeader, ID: int64(r.ID), TTL: r.TTL, Error: r.Error,
				},
				json: r,
				simple: func(p *page) {
					p.linef("lease %016x granted with TTL(%ds)", int64(r.ID), r.TTL)
				},
				fields: func(p *page) {
					p.lease("ID", r.ID)
					p.line(`"TTL" :`, r.TTL)
				},
			})
		},
	})
}

func (p *program) leaseRevokeCommand() *cobra.Command {
	return p.command(verb{
		use: "revoke <lease>", short: "End a lease and delete its keys",
		formats: asBoth, takes: exactly(1, "lease revoke command needs 1 argument"),
		run: func(s *session, args []string) error {
			id, err := leaseID(args[0])
			if err != nil {
				return err
			}
			ctx, done := s.brief()
			defer done()
			r, err := s.client.Revoke(ctx, id)
			if err != nil {
				return fmt.Errorf("failed to revoke lease (%w)", err)
			}
			return p.show(answer{
				message: (*pb.LeaseRevokeResponse)(r),
				simple:  func(p *page) { p.linef("lease %016x revoked", int64(id)) },
			})
		},
	})
}

func (p *program) leaseTimeToLiveCommand() *cobra.Command {
	var keys bool
	return p.command(verb{
		use: "timetolive <lease> [options]", short: "Print how long a lease still lives",
		formats: asBoth, takes: exactly(1, "lease timetolive command needs lease ID as argument"),
		flags: func(f *pflag.FlagSet) { f.BoolVar(&keys, "keys", false, "print its keys, too") },
		run: func(s *session, args []string) error {
			id, err := leaseID(args[0])
			if err != nil {
				return err
			}
			var options []clientv3.LeaseOption
			if keys {
				options = append(options, clientv3.WithAttachedKeys())
			}
			ctx, done := s.brief()
			defer done()
			r, err := s.client.TimeToLive(ctx, id, options...)
			if err != nil {
				return &failure{exitBadConnection, err}
			}
			return p.show(living(r, keys))
		},
	})
}

// living is how the state of a lease looks.
func living(r *clientv3.LeaseTimeToLiveResponse, keys bool) answer {
	return answer{
		message: &pb.LeaseTimeToLiveResponse{
			Header: r.ResponseHeader, ID: int64(r.ID), TTL: r.TTL, GrantedTTL: r.GrantedTTL,
			Keys: r.Keys,
		},
		json: r,
		simple: func(p *page) {
			if r.GrantedTTL == 0 && r.TTL == -1 {
				p.linef("lease %016x already expired", int64(r.ID))
				return
			}
			attached := ""
			if keys {
				attached = fmt.Sprintf(", attached keys(%s)", r.Keys)
			}
			p.linef("lease %016x granted with TTL(%ds), remaining(%ds)%s",
				int64(r.ID), r.GrantedTTL, r.TTL, attached)
		},
		fields: func(p *page) {
			p.lease("ID", r.ID)
			p.line(`"TTL" :`, r.TTL)
			p.line(`"GrantedTTL" :`, r.GrantedTTL)
			for _, key := range r.Keys {
				p.linef(`"Key" : %q`, key)
			}
		},
	}
}

func (p *program) leaseListCommand() *cobra.Command {
	return p.command(verb{
		use: "list", short: "List the leases", formats: asBoth,
		run: func(s *session, _ []string) error {
			ctx, done := s.brief()
			defer done()
			r, err := s.client.Leases(ctx)
			if err != nil {
				return &failure{exitBadConnection, err}
			}
			message := &pb.LeaseLeasesResponse{Header: r.ResponseHeader}
			for _, lease := range r.Leases {
				message.Leases = append(message.Leases, &pb.LeaseStatus{ID: int64(lease.ID)})
			}
			return p.show(answer{
				message: message,
				json:    r,
				simple: func(p *page) {
					p.linef("found %d leases", len(r.Leases))
					for _, lease := range r.Leases {
						p.linef("%016x", int64(lease.ID))
					}
				},
				fields: func(p *page) {
					for _, lease := range r.Leases {
						p.lease("ID", lease.ID)
					}
				},
			})
		},
	})
}

func (p *program) leaseKeepAliveCommand() *cobra.Command {
	var once bool
	return p.command(verb{
		use: "keep-alive [options] <lease>", short: "Renew a lease, again and again",
		formats: asBoth, takes: exactly(1, "lease keep-alive command needs lease ID as argument"),
		flags: func(f *pflag.FlagSet) { f.BoolVar(&once, "once", false, "renew it once and exit") },
		run: func(s *session, args []string) error {
			id, err := leaseID(args[0])
			if err != nil {
				return err
			}
			if once {
				ctx, done := s.brief()
				defer done()
				r, err := s.client.KeepAliveOnce(ctx, id)
				if err != nil {
					return &failure{exitBadConnection, err}
				}
				return p.show(renewed(r))
			}
			renewals, err := s.client.KeepAlive(s.context, id)
			if err != nil {
				return &failure{exitBadConnection, err}
			}
			for r := range renewals {
				if err := p.show(renewed(r)); err != nil {
					return err
				}
			}
			if p.settings.format == "simple" {
				_, err = fmt.Fprintf(p.out, "lease %016x expired or revoked.\n", int64(id))
			}
			return err
		},
	})
}

// renewed is how a renewal looks.
func renewed(r *clientv3.LeaseKeepAliveResponse) answer {
	return answer{
		message: &pb.LeaseKeepAliveResponse{Header: r.ResponseHeader, ID: int64(r.ID), TTL: r.TTL},
		json:    r,
		simple: func(p *page) {
			p.linef("lease %016x keepalived with TTL(%d)", int64(r.ID), r.TTL)
		},
		fields: func(p *page) {
			p.lease("ID", r.ID)
			p.line(`"TTL" :`, r.TTL)
		},
	}
}
