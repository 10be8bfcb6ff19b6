package node

import (
	"testing"

	"detcd/consensus/replica"
	"detcd/consensus/transport"
)

// Who follows a leader is told of new members by it. Who has none may be the last of a membership
// that was replaced while it was away, and has to listen to whom it does not know.
func TestStrangersAreListenedToOnlyWithoutALeader(t *testing.T) {
	two := []replica.Member{{ID: 1, Incarnation: 100}, {ID: 2, Incarnation: 200}}
	for _, c := range []struct {
		name        string
		members     []replica.Member
		leader      replica.MemberID
		from        uint64
		incarnation uint64
		want        transport.Verdict
	}{
		{"a member", two, 1, 2, 200, transport.Welcome},
		{"a member with another directory", two, 1, 2, 201, transport.RefusedIncarnation},
		{"one that was removed", two, 0, 9, 900, transport.RefusedRemoved},
		{"a stranger, beside a leader", two, 1, 3, 300, transport.RefusedBusy},
		{"a stranger, without one", two, 0, 3, 300, transport.Welcome},
		{"anybody, before the members are known", nil, 1, 3, 300, transport.Welcome},
	} {
		n := &Node{}
		n.members.Store(&replica.Membership{Members: c.members, Removed: []replica.MemberID{9}})
		n.status.Store(&Status{Status: replica.Status{ID: 1, Leader: c.leader}})
		if got, why := n.admit(c.from, c.incarnation); got != c.want || got != 0 && why == "" {
			t.Errorf("%s: verdict %d, %q; want %d", c.name, got, why, c.want)
		}
	}
}
