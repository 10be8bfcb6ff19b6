package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/etcd/client/pkg/v3/types"

	"detcd/consensus/replica"
	"detcd/consensus/transport"
)

// A member that joins a running cluster knows the addresses that were added for it, but neither its
// ID nor the cluster's: it asks the others.

// questionMembers asks a member who is in its cluster.
const questionMembers = "members"

// clusterAnswer is the answer to questionMembers, as JSON.
type clusterAnswer struct {
	Cluster uint64
	Members []memberAnswer
}

type memberAnswer struct {
	ID       replica.MemberID
	PeerURLs []string
}

// answer answers what is asked at the peer listener.
func (s *Server) answer(question []byte) []byte {
	n := s.node.Load()
	if n == nil {
		return nil
	}
	if string(question) != questionMembers {
		if answer := answerHash(n, question, s.front.incidents); answer != nil {
			return answer
		}
		return answerReadiness(n, question)
	}
	answer := clusterAnswer{Cluster: n.Status().Cluster}
	for _, member := range n.Members().Members {
		answer.Members = append(answer.Members, memberAnswer{member.ID, member.PeerURLs})
	}
	if len(answer.Members) == 0 {
		return nil
	}
	encoded, err := json.Marshal(answer)
	if err != nil {
		return nil
	}
	return encoded
}

// join asks the other members of the initial cluster, one after the other, and finds this member
// among those that the first answer names.
func (c *Config) join(ctx context.Context) (beginning, error) {
	others := c.InitialCluster.URLs()
	mine := c.InitialCluster[c.Name].StringSlice()
	others = slices.DeleteFunc(others, func(url string) bool { return slices.Contains(mine, url) })
	err := errors.New("the initial cluster names no other member")
	for _, url := range others {
		var answer clusterAnswer
		if answer, err = c.askMembers(ctx, url); err == nil {
			return c.joined(answer)
		}
	}
	return beginning{}, fmt.Errorf("cannot fetch cluster info from peer urls: %w", err)
}

func (c *Config) askMembers(ctx context.Context, url string) (clusterAnswer, error) {
	encoded, err := transport.Ask(ctx, url, c.PeerTLS, []byte(questionMembers))
	if err != nil {
		return clusterAnswer{}, err
	}
	var answer clusterAnswer
	if err := json.Unmarshal(encoded, &answer); err != nil {
		return clusterAnswer{}, fmt.Errorf("answer of %s: %w", url, err)
	}
	return answer, nil
}

// joined matches the initial cluster with the members that the cluster has: each must be in both,
// with the same peer URLs.
func (c *Config) joined(answer clusterAnswer) (beginning, error) {
	b := beginning{cluster: answer.Cluster, peers: make(map[replica.MemberID][]string)}
	if len(answer.Members) != len(c.InitialCluster) {
		return b, fmt.Errorf("error validating peerURLs %s: member count is unequal", answer)
	}
	for _, member := range answer.Members {
		name, ok := nameOf(c.InitialCluster, member.PeerURLs)
		if !ok {
			return b, fmt.Errorf("error validating peerURLs %s: PeerURLs: no match found for existing "+
				"member (%x, %v)", answer, member.ID, member.PeerURLs)
		}
		if name == c.Name {
			b.id = member.ID
		} else {
			b.peers[member.ID] = member.PeerURLs
		}
	}
	if b.id == 0 {
		return b, fmt.Errorf("error validating peerURLs %s: %q is not a member", answer, c.Name)
	}
	return b, nil
}

// nameOf finds who of the initial cluster has just these URLs.
func nameOf(cluster types.URLsMap, urls []string) (string, bool) {
	wanted := slices.Sorted(slices.Values(urls))
	// order-free: URLs are not shared
	for name, named := range cluster {
		if slices.Equal(slices.Sorted(slices.Values(named.StringSlice())), wanted) {
			return name, true
		}
	}
	return "", false
}

// String lists the members, for errors.
func (a clusterAnswer) String() string {
	text := fmt.Sprintf("{ClusterID:%x Members:[", a.Cluster)
	for i, member := range a.Members {
		if i > 0 {
			text += " "
		}
		text += fmt.Sprintf("%x:%v", member.ID, member.PeerURLs)
	}
	return text + "]}"
}
