package main

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/client/pkg/v3/types"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func (p *program) alarmCommand() *cobra.Command {
	return family("alarm", "What keeps the cluster from taking writes",
		p.command(verb{
			use: "list", short: "List the alarms", formats: asBoth,
			takes: exactly(0, "alarm list command accepts no arguments"),
			run: func(s *session, _ []string) error {
				ctx, done := s.brief()
				defer done()
				r, err := s.client.AlarmList(ctx)
				if err != nil {
					return err
				}
				return p.show(alarms((*pb.AlarmResponse)(r)))
			},
		}),
		p.command(verb{
			use: "disarm", short: "End all alarms, once what caused them is gone", formats: asBoth,
			takes: exactly(0, "alarm disarm command accepts no arguments"),
			run: func(s *session, _ []string) error {
				ctx, done := s.brief()
				defer done()
				r, err := s.client.AlarmDisarm(ctx, &clientv3.AlarmMember{})
				if err != nil {
					return err
				}
				return p.show(alarms((*pb.AlarmResponse)(r)))
			},
		}))
}

// alarms is how alarms look.
func alarms(r *pb.AlarmResponse) answer {
	return answer{
		message: r,
		simple: func(p *page) {
			for _, a := range r.GetAlarms() {
				p.linef("memberID:%d alarm:%v", a.GetMemberID(), a.GetAlarm())
			}
		},
		fields: func(p *page) {
			for _, a := range r.GetAlarms() {
				p.id("MemberID", a.GetMemberID())
				p.line(`"AlarmType" :`, a.GetAlarm())
				p.line()
			}
		},
	}
}

func (p *program) defragCommand() *cobra.Command {
	var cluster bool
	command := p.command(verb{
		use: "defrag", short: "Give unused space back to the file system",
		long: `Defragments each server, one after the other. etcd does not answer while it does that;
detcd does so all the time in small steps, and answers at once.`,
		formats: asAny, apart: true,
		run: func(s *session, _ []string) error {
			endpoints, err := s.each(cluster)
			if err != nil {
				return err
			}
			failed := false
			for _, endpoint := range endpoints {
				took, err := s.defragment(endpoint)
				if err != nil {
					p.warn("Failed to defragment etcd member[%s]. took %s. (%v)", endpoint, took, err)
					failed = true
					continue
				}
				fmt.Fprintf(p.out, "Finished defragmenting etcd member[%s]. took %s\n", endpoint, took)
			}
			if failed {
				return &failure{status: exitError}
			}
			return nil
		},
	})
	clusterFlag(command.PersistentFlags(), &cluster)
	return command
}

// defragment defragments one server.
func (s *session) defragment(endpoint string) (time.Duration, error) {
	client, err := s.at(endpoint)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	ctx, done := s.brief()
	defer done()
	start := time.Now()
	_, err = client.Defragment(ctx, endpoint)
	return time.Since(start), err
}

func (p *program) moveLeaderCommand() *cobra.Command {
	return p.command(verb{
		use: "move-leader <id>", short: "Let another member lead",
		formats: asProtobuf, takes: exactly(1, "move-leader command needs 1 argument"), apart: true,
		run: func(s *session, args []string) error {
			target, err := strconv.ParseUint(args[0], 16, 64)
			if err != nil {
				return bad("%w", err)
			}
			client, leader, err := s.leader()
			if err != nil {
				return err
			}
			defer client.Close()
			ctx, done := s.brief()
			defer done()
			r, err := client.MoveLeader(ctx, target)
			if err != nil {
				return err
			}
			return p.show(answer{message: (*pb.MoveLeaderResponse)(r), simple: func(p *page) {
				p.linef("Leadership transferred from %s to %s", types.ID(leader), types.ID(target))
			}})
		},
	})
}

// leader finds the endpoint that leads. Those that do not answer are passed over.
func (s *session) leader() (*clientv3.Client, uint64, error) {
	var unanswered error
	for _, endpoint := range s.spec.Endpoints {
		client, err := s.at(endpoint)
		if err != nil {
			return nil, 0, err
		}
		ctx, done := s.brief()
		r, err := client.Status(ctx, endpoint)
		done()
		if err == nil && r.Header.GetMemberId() == r.Leader {
			return client, r.Leader, nil
		}
		_ = client.Close()
		unanswered = errors.Join(unanswered, err)
	}
	if unanswered != nil {
		return nil, 0, unanswered
	}
	return nil, 0, bad("no leader endpoint given at %v", s.spec.Endpoints)
}

func (p *program) downgradeCommand() *cobra.Command {
	return family("downgrade", "Go back to an older version",
		p.downgrade("validate <version>", "Ask whether it could be done", clientv3.DowngradeValidate),
		p.downgrade("enable <version>", "Begin it", clientv3.DowngradeEnable),
		p.downgrade("cancel", "End it, or what is left of it", clientv3.DowngradeCancel))
}

// downgrade makes one of the three commands.
func (p *program) downgrade(use, short string, action clientv3.DowngradeAction) *cobra.Command {
	cancel := action == clientv3.DowngradeCancel
	var command *cobra.Command
	command = p.command(verb{
		use: use, short: short, formats: asProtobuf,
		takes: func(args []string) error {
			switch {
			case cancel:
			case len(args) == 0:
				return bad("TARGET_VERSION not provided")
			case len(args) > 1:
				return bad("too many arguments")
			case args[0] == "":
				return bad("target version not provided")
			}
			return nil
		},
		run: func(s *session, args []string) error {
			version := ""
			if !cancel {
				version = args[0]
			}
			ctx, done := s.brief()
			defer done()
			r, err := s.client.Downgrade(ctx, action, version)
			if err != nil {
				return err
			}
			return p.show(answer{message: (*pb.DowngradeResponse)(r), simple: func(p *page) {
				p.linef("Downgrade %s success, cluster version %s", command.Name(),
					(*pb.DowngradeResponse)(r).GetVersion())
			}})
		},
	})
	return command
}
