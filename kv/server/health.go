package server

import (
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"detcd/consensus/replica"
)

// A health is what this member knows of the voters when it is asked to change who they are. A
// change that would leave too few of them able to agree is refused, by the rules of etcd's
// --strict-reconfig-check:
//
//	A, B and C are a cluster, and C is down. D is to replace it, and is added before C is removed.
//	Of four voters three must agree, and two are left: until D runs there is no majority, and if
//	D's address was mistyped there never will be.
type health struct {
	self    replica.MemberID
	members []replica.Member
	up      map[replica.MemberID]time.Time // since when a member is connected
	settled time.Time                      // a connection counts that is older
	lax     bool                           // everything is allowed
}

// settleTime is for how long a member must have been connected to count.
const settleTime = 5 * time.Second

func (a *adapter) health() health {
	h := health{
		self:    a.Node.Status().ID,
		members: a.Node.Members().Members,
		up:      make(map[replica.MemberID]time.Time),
		settled: time.Now().Add(-settleTime),
		lax:     a.config.Members.Lax,
	}
	for _, peer := range a.Node.Peers().Peers {
		if peer.Up {
			h.up[replica.MemberID(peer.ID)] = peer.Since
		}
	}
	return h
}

// count counts the voters but one, those of them that have ever started, and those that have been
// connected for a while; this member is.
func (h *health) count(without replica.MemberID) (voters, started, connected int) {
	for i := range h.members {
		member := &h.members[i]
		if member.Learner || member.ID == without {
			continue
		}
		voters++
		if member.Name != "" {
			started++
		}
		since, up := h.up[member.ID]
		if member.ID == h.self || up && since.Before(h.settled) {
			connected++
		}
	}
	return voters, started, connected
}

func majority(voters int) int { return voters/2 + 1 }

// mayAdd says why nobody may be added. A cluster of one may grow: it has to begin somewhere.
func (h *health) mayAdd(learner bool) error {
	if h.lax {
		return nil
	}
	voters, started, connected := h.count(0)
	alone := voters == 1 && started == 1
	if !learner && !alone && started < majority(voters+1) {
		return rpctypes.ErrMemberNotEnoughStarted
	}
	if voters > 1 && connected < majority(voters+1) {
		return rpctypes.ErrGRPCUnhealthy
	}
	return nil
}

// mayRemove says why a member may not be removed. One that is down has no part in any majority.
func (h *health) mayRemove(id replica.MemberID) error {
	if h.lax {
		return nil
	}
	for i := range h.members {
		if h.members[i].ID == id && h.members[i].Learner {
			return nil
		}
	}
	if left, started, _ := h.count(id); started < majority(left) {
		return rpctypes.ErrMemberNotEnoughStarted
	}
	if _, up := h.up[id]; !up && id != h.self {
		return nil
	}
	if voters, _, connected := h.count(0); connected-1 < 1+(voters-1)/2 {
		return rpctypes.ErrGRPCUnhealthy
	}
	return nil
}

// mayPromote says why no learner may become a voter.
func (h *health) mayPromote() error {
	if h.lax {
		return nil
	}
	if voters, started, _ := h.count(0); started+1 < majority(voters+1) {
		return rpctypes.ErrMemberNotEnoughStarted
	}
	return nil
}
