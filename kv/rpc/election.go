package rpc

import (
	"context"
	"errors"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
	"google.golang.org/protobuf/types/descriptorpb"
)

// errLeaderMissing is etcd's error for a request that does not say whose leadership it is about.
var errLeaderMissing = errors.New(`"leader" field must be provided`)

func electionFile() *descriptorpb.FileDescriptorProto {
	const header = "header:etcdserverpb.ResponseHeader"
	return describe("v3election.proto", "v3electionpb", "Election",
		[]string{
			"Campaign CampaignRequest CampaignResponse", "Proclaim ProclaimRequest ProclaimResponse",
			"Leader LeaderRequest LeaderResponse", "Observe LeaderRequest LeaderResponse stream",
			"Resign ResignRequest ResignResponse",
		}, []string{
			"CampaignRequest name lease:int64 value",
			"CampaignResponse " + header + " leader:v3electionpb.LeaderKey",
			"LeaderKey name key rev:int64 lease:int64",
			"LeaderRequest name",
			"LeaderResponse " + header + " kv:mvccpb.KeyValue",
			"ResignRequest leader:v3electionpb.LeaderKey",
			"ResignResponse " + header,
			"ProclaimRequest leader:v3electionpb.LeaderKey value",
			"ProclaimResponse " + header,
		})
}

func (s *Recipes) electionRecipes() []Recipe {
	const service, path = "v3electionpb.Election", "/v3/election/"
	return []Recipe{
		{Service: service, Name: "Campaign", HTTPPath: path + "campaign", answer: s.campaign},
		{Service: service, Name: "Proclaim", HTTPPath: path + "proclaim", answer: s.proclaim},
		{Service: service, Name: "Leader", HTTPPath: path + "leader", answer: s.leader},
		{Service: service, Name: "Observe", HTTPPath: path + "observe", stream: s.observe},
		{Service: service, Name: "Resign", HTTPPath: path + "resign", answer: s.resign},
	}
}

// campaign waits until the lease of the request is elected.
func (s *Recipes) campaign(ctx context.Context, r message) (fields, error) {
	session, err := s.session(ctx, r.number("lease"))
	if err != nil {
		return nil, err
	}
	election := concurrency.NewElection(session, r.text("name"))
	if err := election.Campaign(ctx, r.text("value")); err != nil {
		return nil, err
	}
	return fields{"header": election.Header(), "leader": fields{
		"name": r.text("name"), "key": election.Key(), "rev": election.Rev(),
		"lease": int64(session.Lease()),
	}}, nil
}

// resumed is the election that a request's leader has won.
func (s *Recipes) resumed(ctx context.Context, r message) (*concurrency.Election, error) {
	leader := r.inner("leader")
	if leader == nil {
		return nil, errLeaderMissing
	}
	session, err := s.session(ctx, leader.number("lease"))
	if err != nil {
		return nil, err
	}
	return concurrency.ResumeElection(
		session, leader.text("name"), leader.text("key"), leader.number("rev")), nil
}

// proclaim says something else as the leader.
func (s *Recipes) proclaim(ctx context.Context, r message) (fields, error) {
	election, err := s.resumed(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := election.Proclaim(ctx, r.text("value")); err != nil {
		return nil, err
	}
	return fields{"header": election.Header()}, nil
}

// resign lets the next one lead.
func (s *Recipes) resign(ctx context.Context, r message) (fields, error) {
	election, err := s.resumed(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := election.Resign(ctx); err != nil {
		return nil, err
	}
	return fields{"header": election.Header()}, nil
}

// looking is an election that one looks at without a lease.
func (s *Recipes) looking(ctx context.Context, r message) (*concurrency.Election, error) {
	const noLease = -1
	session, err := s.session(ctx, noLease)
	if err != nil {
		return nil, err
	}
	return concurrency.NewElection(session, r.text("name")), nil
}

func leading(now *clientv3.GetResponse) fields {
	return fields{"header": now.Header, "kv": now.Kvs[0]}
}

// leader says who leads.
func (s *Recipes) leader(ctx context.Context, r message) (fields, error) {
	election, err := s.looking(ctx, r)
	if err != nil {
		return nil, err
	}
	now, err := election.Leader(ctx)
	if err != nil {
		return nil, err
	}
	return leading(now), nil
}

// observe says who leads, and whenever that changes.
func (s *Recipes) observe(ctx context.Context, r message, send func(fields) error) error {
	election, err := s.looking(ctx, r)
	if err != nil {
		return err
	}
	for now := range election.Observe(ctx) {
		if err := send(leading(now)); err != nil {
			return err
		}
	}
	return ctx.Err()
}
