package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"
)

func (p *program) endpointCommand() *cobra.Command {
	var cluster bool
	command := family("endpoint", "How each server is",
		p.endpointHealthCommand(&cluster), p.endpointStatusCommand(&cluster),
		p.endpointHashKVCommand(&cluster))
	clusterFlag(command.PersistentFlags(), &cluster)
	return command
}

// clusterFlag declares --cluster.
func clusterFlag(f *pflag.FlagSet, cluster *bool) {
	f.BoolVar(cluster, "cluster", false, "go to every member that the cluster lists")
}

// each returns the endpoints to go to: those that are given, or with --cluster those that the
// cluster lists.
func (s *session) each(cluster bool) ([]string, error) {
	if !cluster {
		return s.spec.Endpoints, nil
	}
	client, err := s.dial(s.spec)
	if err != nil {
		return nil, &failure{exitError, err}
	}
	defer client.Close()
	ctx, done := s.brief()
	defer done()
	r, err := client.MemberList(ctx)
	if err != nil {
		return nil, fmt.Errorf("failed to fetch endpoints from etcd cluster member list: %w", err)
	}
	var all []string
	for _, m := range r.Members {
		all = append(all, m.GetClientURLs()...)
	}
	return all, nil
}

// A health is whether a server takes part in decisions.
type health struct {
	Endpoint string `json:"endpoint"`
	Health   bool   `json:"health"`
	Took     string `json:"took"`
	Error    string `json:"error,omitempty"`
}

func (p *program) endpointHealthCommand(cluster *bool) *cobra.Command {
	return p.command(verb{
		use: "health", short: "Ask each server whether it can read and write",
		formats: asFields | asTable, apart: true,
		run: func(s *session, _ []string) error {
			endpoints, err := s.each(*cluster)
			if err != nil {
				return err
			}
			all := make([]health, len(endpoints))
			var group errgroup.Group
			for i, endpoint := range endpoints {
				group.Go(func() error {
					all[i] = s.health(endpoint)
					return nil
				})
			}
			_ = group.Wait()
			if err := p.show(healthy(p, all)); err != nil {
				return err
			}
			for _, h := range all {
				if h.Error != "" {
					return errUnhealthy
				}
			}
			return nil
		},
	})
}

// health asks one server: a linearizable read goes through consensus, and a refusal by the rules of
// authentication does too.
func (s *session) health(endpoint string) health {
	client, err := s.at(endpoint)
	if err != nil {
		return health{Endpoint: endpoint, Error: err.Error()}
	}
	defer client.Close()
	ctx, done := s.brief()
	defer done()
	start := time.Now()
	_, err = client.Get(ctx, "health")
	h := health{Endpoint: endpoint, Took: time.Since(start).String()}
	if err != nil && !errors.Is(err, rpctypes.ErrPermissionDenied) {
		h.Error = err.Error()
		return h
	}
	r, err := client.AlarmList(ctx)
	switch {
	case err != nil:
		h.Error = "Unable to fetch the alarm list"
	case len(r.Alarms) > 0:
		h.Error = "Active Alarm(s): "
		for _, alarm := range r.Alarms {
			name, known := pb.AlarmType_name[int32(alarm.GetAlarm())]
			if !known {
				name = "UNKNOWN"
			}
			h.Error += name + " "
		}
	}
	h.Health = h.Error == ""
	return h
}

// healthy is how the health of servers looks. What is ill is told to the person.
func healthy(p *program, all []health) answer {
	return answer{
		json: all,
		simple: func(page *page) {
			for _, h := range all {
				if h.Error == "" {
					page.linef("%s is healthy: successfully committed proposal: took = %v",
						h.Endpoint, h.Took)
				} else {
					p.warn("%s is unhealthy: failed to commit proposal: %v", h.Endpoint, h.Error)
				}
			}
		},
		fields: func(p *page) {
			for _, h := range all {
				p.linef(`"Endpoint" : %q`, h.Endpoint)
				p.line(`"Health" :`, h.Health)
				p.line(`"Took" :`, h.Took)
				p.line(`"Error" :`, h.Error)
				p.line()
			}
		},
		rows: func() ([]string, [][]string) {
			var rows [][]string
			for _, h := range all {
				rows = append(rows, []string{h.Endpoint, fmt.Sprint(h.Health), h.Took, h.Error})
			}
			return []string{"endpoint", "health", "took", "error"}, rows
		},
	}
}

// visit makes a request to each server. One that does not answer is told to the person, and the
// others are asked all the same; failed is the last such error.
func visit[R any](s *session, endpoints []string, what string,
	request func(context.Context, *clientv3.Client, string) (R, error),
) (answered []string, all []R, failed error) {
	for _, endpoint := range endpoints {
		r, err := visitOne(s, endpoint, request)
		if err != nil {
			s.warn("Failed to get the %s of endpoint %s (%v)", what, endpoint, err)
			s.explain(endpoint, err)
			failed = err
			continue
		}
		answered, all = append(answered, endpoint), append(all, r)
	}
	return answered, all, failed
}

// visitOne makes a request to a server.
func visitOne[R any](s *session, endpoint string,
	request func(context.Context, *clientv3.Client, string) (R, error)) (r R, err error) {
	client, err := s.at(endpoint)
	if err != nil {
		return r, err
	}
	defer client.Close()
	ctx, done := s.brief()
	defer done()
	return request(ctx, client, endpoint)
}

// endpointStatus is the JSON of the status of a server.
type endpointStatus struct {
	Endpoint string
	Status   *clientv3.StatusResponse
}

func (p *program) endpointStatusCommand(cluster *bool) *cobra.Command {
	return p.command(verb{
		use: "status", short: "Print the state of each server",
		long: `Prints for each server: endpoint, ID, version, storage version, size of the database and
how much of it is in use, percentage not in use, quota, whether it leads, whether it is a learner,
raft's term, index and applied index, errors, and the downgrade that is under way.`,
		formats: asFields | asTable, apart: true,
		run: func(s *session, _ []string) error {
			endpoints, err := s.each(*cluster)
			if err != nil {
				return err
			}
			answered, responses, failed := visit(s, endpoints, "status",
				func(ctx context.Context, c *clientv3.Client, at string) (
					*clientv3.StatusResponse, error) {
					return c.Status(ctx, at)
				})
			var all []endpointStatus
			for i, endpoint := range answered {
				all = append(all, endpointStatus{endpoint, responses[i]})
			}
			if err := p.show(statuses(all)); err != nil || failed == nil {
				return err
			}
			return &failure{status: exitError}
		},
	})
}

// endpointHash is the JSON of the hash of a server.
type endpointHash struct {
	Endpoint string
	HashKV   *clientv3.HashKVResponse
}

func (p *program) endpointHashKVCommand(cluster *bool) *cobra.Command {
	var revision int64
	return p.command(verb{
		use: "hashkv", short: "Print the hash of all keys and their history on each server",
		formats: asFields | asTable, apart: true,
		flags: func(f *pflag.FlagSet) {
			f.Int64Var(&revision, "rev", 0, "up to this revision (0: all)")
		},
		run: func(s *session, _ []string) error {
			endpoints, err := s.each(*cluster)
			if err != nil {
				return err
			}
			answered, responses, failed := visit(s, endpoints, "hash",
				func(ctx context.Context, c *clientv3.Client, at string) (
					*clientv3.HashKVResponse, error) {
					return c.HashKV(ctx, at, revision)
				})
			var all []endpointHash
			for i, endpoint := range answered {
				all = append(all, endpointHash{endpoint, responses[i]})
			}
			return errors.Join(p.show(hashes(all)), failed)
		},
	})
}
