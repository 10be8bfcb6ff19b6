package server

import (
	"errors"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"detcd/consensus/replica"
)

// voters makes members from words, the first of which is this one: "up" for one that is connected
// long enough, "fresh" for not long enough, "down", "new" for one that never started, "learner".
func voters(words string) health {
	now := time.Now()
	h := health{self: 1, up: make(map[replica.MemberID]time.Time), settled: now.Add(-settleTime)}
	for i, word := range strings.Fields(words) {
		member := replica.Member{ID: replica.MemberID(i + 1), Name: "started"}
		switch word {
		case "new":
			member.Name = ""
		case "learner":
			member.Learner = true
			h.up[member.ID] = now.Add(-time.Hour)
		case "up":
			h.up[member.ID] = now.Add(-time.Hour)
		case "fresh":
			h.up[member.ID] = now
		}
		h.members = append(h.members, member)
	}
	return h
}

// The outcomes are those of etcd's --strict-reconfig-check.
func TestNoChangeMayCostTheMajority(t *testing.T) {
	few, ill := rpctypes.ErrMemberNotEnoughStarted, rpctypes.ErrGRPCUnhealthy
	for _, c := range []struct {
		voters                             string
		add, addLearner, remove2, promotes error
	}{
		{"up", nil, nil, nil, nil},
		{"up new", few, ill, nil, nil},
		{"up down", ill, ill, nil, nil},
		{"up fresh", ill, ill, ill, nil},
		{"up up", nil, nil, nil, nil},
		{"up up up", nil, nil, nil, nil},
		{"up up fresh", ill, ill, ill, nil},
		{"up up down", ill, ill, ill, nil},
		{"up down up", ill, ill, nil, nil},
		{"up up new", few, ill, few, nil},
		{"up new new", few, ill, few, few},
		{"up learner", nil, nil, nil, nil},
		{"up up up down", nil, nil, nil, nil},
		{"up up up up", nil, nil, nil, nil},
	} {
		h := voters(c.voters)
		for _, got := range []struct {
			what string
			err  error
			want error
		}{
			{"add", h.mayAdd(false), c.add},
			{"add a learner", h.mayAdd(true), c.addLearner},
			{"remove the second", h.mayRemove(2), c.remove2},
			{"promote", h.mayPromote(), c.promotes},
		} {
			if !errors.Is(got.err, got.want) || (got.err == nil) != (got.want == nil) {
				t.Errorf("%s: %s: %v, want %v", c.voters, got.what, got.err, got.want)
			}
		}
	}
}
