package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func (p *program) memberCommand() *cobra.Command {
	return family("member", "Who belongs to the cluster",
		p.memberListCommand(), p.memberAddCommand(), p.memberRemoveCommand(),
		p.memberUpdateCommand(), p.memberPromoteCommand())
}

// memberID reads the identifier of a member.
func memberID(word string) (uint64, error) {
	id, err := strconv.ParseUint(word, 16, 64)
	if err != nil {
		return 0, bad("bad member ID arg (%w), expecting ID in Hex", err)
	}
	return id, nil
}

func (p *program) memberListCommand() *cobra.Command {
	var consistency string
	command := p.command(verb{
		use: "list", short: "List the members",
		long: `Prints the members: ID, status, name, addresses for peers, addresses for clients, and
whether it is a learner.`,
		formats: asBoth | asTable,
		flags: func(f *pflag.FlagSet) {
			f.StringVar(&consistency, "consistency", "l",
				"l: as the cluster has it; s: as this member has it, also without a leader")
		},
		run: func(s *session, _ []string) error {
			local, err := serializable(consistency)
			if err != nil {
				return err
			}
			var options []clientv3.OpOption
			if local {
				options = append(options, clientv3.WithSerializable())
			}
			ctx, done := s.brief()
			defer done()
			r, err := s.client.MemberList(ctx, options...)
			if err != nil {
				return err
			}
			return p.show(listed((*pb.MemberListResponse)(r), p.settings.hex))
		},
	})
	complete(command, "consistency", "l", "s")
	return command
}

// listed is how the list of members looks.
func listed(r *pb.MemberListResponse, inHex bool) answer {
	shown := answer{
		message: r,
		fields: func(p *page) {
			for _, m := range r.GetMembers() {
				p.id("ID", m.GetID())
				p.linef(`"Name" : %q`, m.GetName())
				for _, url := range m.GetPeerURLs() {
					p.linef(`"PeerURL" : %q`, url)
				}
				for _, url := range m.GetClientURLs() {
					p.linef(`"ClientURL" : %q`, url)
				}
				p.line(`"IsLearner" :`, m.GetIsLearner())
				p.line()
			}
		},
		rows: func() ([]string, [][]string) {
			var rows [][]string
			for _, m := range r.GetMembers() {
				status := "started"
				if m.GetName() == "" {
					status = "unstarted"
				}
				rows = append(rows, []string{
					fmt.Sprintf("%x", m.GetID()), status, m.GetName(),
					strings.Join(m.GetPeerURLs(), ","), strings.Join(m.GetClientURLs(), ","),
					strconv.FormatBool(m.GetIsLearner()),
				})
			}
			return []string{"ID", "Status", "Name", "Peer Addrs", "Client Addrs", "Is Learner"}, rows
		},
	}
	if inHex {
		shown.json = inHexadecimal(r.GetHeader(), nil, r.GetMembers())
	}
	return shown
}

func (p *program) memberAddCommand() *cobra.Command {
	var urls string
	var learner bool
	return p.command(verb{
		use: "add <name> [options]", short: "Add a member, and print how to start it",
		long: `Adds a member to the cluster. It counts from then on: start it soon. A learner does not
count until it is promoted, which is the safer way.`,
		example: `  detcdctl member add m4 --peer-urls http://10.0.0.4:2380 --learner`,
		formats: asProtobuf, takes: newMember,
		flags: func(f *pflag.FlagSet) {
			f.StringVar(&urls, "peer-urls", "", "where the others reach it, separated by commas")
			f.BoolVar(&learner, "learner", false, "it does not vote until it is promoted")
		},
		run: func(s *session, args []string) error {
			if urls == "" {
				return bad("member peer urls not provided")
			}
			add := s.client.MemberAdd
			if learner {
				add = s.client.MemberAddAsLearner
			}
			ctx, done := s.brief()
			defer done()
			r, err := add(ctx, strings.Split(urls, ","))
			if err != nil {
				return err
			}
			return p.show(added((*pb.MemberAddResponse)(r), args[0], urls, p.settings.hex))
		},
	})
}

// newMember wants a name, and helps who has put the addresses behind it.
func newMember(args []string) error {
	if len(args) == 0 {
		return bad("member name not provided")
	}
	if len(args) == 1 {
		return nil
	}
	text := "too many arguments"
	for _, word := range args {
		if strings.HasPrefix(strings.ToLower(word), "http") {
			text += ", did you mean --peer-urls=" + word
		}
	}
	return bad("%s", text)
}

// added is how a new member looks: with the variables to start it with.
func added(r *pb.MemberAddResponse, name, urls string, inHex bool) answer {
	shown := answer{message: r, simple: func(p *page) {
		as := " "
		if r.GetMember().GetIsLearner() {
			as = " as learner "
		}
		p.linef("Member %16x added%sto cluster %16x", r.GetMember().GetID(), as,
			r.GetHeader().GetClusterId())
		var cluster []string
		for _, m := range r.GetMembers() {
			called := m.GetName()
			if m.GetID() == r.GetMember().GetID() {
				called = name
			}
			for _, url := range m.GetPeerURLs() {
				cluster = append(cluster, called+"="+url)
			}
		}
		p.linef("\nETCD_NAME=%q", name)
		p.linef("ETCD_INITIAL_CLUSTER=%q", strings.Join(cluster, ","))
		p.linef("ETCD_INITIAL_ADVERTISE_PEER_URLS=%q", urls)
		p.line(`ETCD_INITIAL_CLUSTER_STATE="existing"`)
	}}
	if inHex {
		shown.json = inHexadecimal(r.GetHeader(), r.GetMember(), r.GetMembers())
	}
	return shown
}

func (p *program) memberRemoveCommand() *cobra.Command {
	return p.ofMember("remove <id>", "Remove a member for good", "removed from",
		func(ctx context.Context, s *session, id uint64) (membership, error) {
			r, err := s.client.MemberRemove(ctx, id)
			return (*pb.MemberRemoveResponse)(r), err
		})
}

// ofMember is a command that does something to a member which is named by its ID.
func (p *program) ofMember(use, short, done string,
	act func(ctx context.Context, s *session, id uint64) (membership, error),
) *cobra.Command {
	return p.command(verb{
		use: use, short: short,
		formats: asProtobuf, takes: exactly(1, "member ID is not provided"),
		run: func(s *session, args []string) error {
			id, err := memberID(args[0])
			if err != nil {
				return err
			}
			ctx, cancel := s.brief()
			defer cancel()
			r, err := act(ctx, s, id)
			if err != nil {
				return err
			}
			return p.show(member(done, id, r, p.settings.hex))
		},
	})
}

func (p *program) memberUpdateCommand() *cobra.Command {
	var urls string
	return p.command(verb{
		use: "update <id> [options]", short: "Change where a member is reached by the others",
		formats: asProtobuf, takes: exactly(1, "member ID is not provided"),
		flags: func(f *pflag.FlagSet) {
			f.StringVar(&urls, "peer-urls", "", "where the others reach it, separated by commas")
		},
		run: func(s *session, args []string) error {
			id, err := memberID(args[0])
			switch {
			case err != nil:
				return err
			case urls == "":
				return bad("member peer urls not provided")
			}
			ctx, done := s.brief()
			defer done()
			r, err := s.client.MemberUpdate(ctx, id, strings.Split(urls, ","))
			if err != nil {
				return err
			}
			return p.show(member("updated in", id, (*pb.MemberUpdateResponse)(r), p.settings.hex))
		},
	})
}

func (p *program) memberPromoteCommand() *cobra.Command {
	return p.ofMember("promote <id>", "Let a learner vote", "promoted in",
		func(ctx context.Context, s *session, id uint64) (membership, error) {
			r, err := s.client.MemberPromote(ctx, id)
			return (*pb.MemberPromoteResponse)(r), err
		})
}
