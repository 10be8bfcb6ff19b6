package node

import (
	"cmp"
	"slices"
	"time"

	"detcd/consensus/replica"
	"detcd/consensus/transport"
)

func (n *Node) transportOptions(status replica.Status) transport.Options {
	return transport.Options{
		Cluster: status.Cluster, Self: uint64(status.ID), Incarnation: status.Incarnation,
		Listeners: n.options.Listeners, TLS: n.options.TLS,
		Deliver: n.deliver, Admit: n.admit, Refused: n.refused, Unreachable: n.unreachable,
		Answer: n.options.Answer, Other: n.options.Other, Name: n.nameOf,
		Log: n.options.Log, Bounds: n.options.Bounds,
	}
}

// setPeers makes the transport connect to the members. One that joins begins with those it was told
// of.
func (n *Node) setPeers(members *replica.Membership) {
	addresses := make(map[uint64][]string)
	for _, member := range members.Members {
		addresses[uint64(member.ID)] = member.PeerURLs
	}
	if len(members.Members) == 0 {
		for id, urls := range n.options.Peers {
			addresses[uint64(id)] = urls
		}
	}
	n.transport.SetPeers(addresses)
}

// nameOf is the name of a member; empty: it has none yet.
func (n *Node) nameOf(id uint64) string {
	member, _ := n.members.Load().Find(replica.MemberID(id))
	return member.Name
}

// alone says that this member is the only voter.
func (n *Node) alone() bool {
	var voters, own int
	for _, member := range n.members.Load().Members {
		if !member.Learner {
			voters++
			if member.ID == n.options.Replica.ID {
				own++
			}
		}
	}
	return voters == 1 && own == 1
}

// admit judges who connects. The replica looks at each message, too; but what a member that may not
// take part is to learn, it can be told here even when it is no peer any more.
//
// Who follows a leader learns from it who was added, and refuses others until then. Without a
// leader it may be far behind: while it was away the others may have been replaced one by one, and
// only those whom it does not know can tell. So then strangers are listened to.
func (n *Node) admit(from, incarnation uint64) (transport.Verdict, string) {
	members := n.members.Load()
	id := replica.MemberID(from)
	if _, removed := slices.BinarySearch(members.Removed, id); removed {
		return transport.RefusedRemoved, "the member has been permanently removed from the cluster"
	}
	member, ok := members.Find(id)
	if !ok && len(members.Members) > 0 && n.Status().Leader != 0 {
		return transport.RefusedBusy, "no such member is known here yet"
	}
	if ok && member.Incarnation != 0 && member.Incarnation != incarnation {
		return transport.RefusedIncarnation, "the member is known with another data directory: " +
			"remove it from the cluster and add it again"
	}
	return transport.Welcome, ""
}

// refused passes on what the replica must know of a refused connection.
func (n *Node) refused(id uint64, verdict transport.Verdict, reason string) {
	if verdict == transport.RefusedRemoved {
		n.removed.Store(true)
	}
	if verdict == transport.RefusedRemoved || verdict == transport.RefusedIncarnation {
		n.inbox.message(replica.Message{
			Kind: replica.MessageRefused, From: replica.MemberID(id), To: n.options.Replica.ID,
			Data: []byte(reason),
		}, len(reason))
	}
}

func (n *Node) unreachable(id uint64) {
	n.inbox.enqueueNoReply(replica.Input{Kind: replica.InputUnreachable, Member: replica.MemberID(id)})
}

// connected finds out since when this member can reach whom it needs: the leader, or, leading
// itself, a majority.
func (o *loop) connected() {
	since := o.connectedSince()
	if !since.Equal(o.status.ConnectedSince) {
		o.status.ConnectedSince = since
		published := o.status
		o.node.status.Store(&published)
	}
}

func (o *loop) connectedSince() time.Time {
	up := make(map[replica.MemberID]time.Time)
	for _, peer := range o.node.transport.Stats().Peers {
		if peer.Up {
			up[replica.MemberID(peer.ID)] = peer.Since
		}
	}
	if !o.status.Leading {
		return up[o.status.Leader]
	}
	up[o.status.ID] = o.start
	var voters int
	var times []time.Time
	for _, member := range o.node.members.Load().Members {
		if member.Learner {
			continue
		}
		voters++
		if since, ok := up[member.ID]; ok {
			times = append(times, since)
		}
	}
	if len(times) <= voters/2 {
		return time.Time{}
	}
	slices.SortFunc(times, time.Time.Compare)
	return times[voters/2]
}

// successor chooses who should lead when this member stops: the voter that was reachable longest.
func (n *Node) successor() (replica.MemberID, bool) {
	members := n.members.Load()
	peers := slices.DeleteFunc(n.transport.Stats().Peers, func(p transport.PeerStats) bool {
		member, ok := members.Find(replica.MemberID(p.ID))
		return !p.Up || !ok || member.Learner
	})
	if len(peers) == 0 {
		return 0, false
	}
	slices.SortFunc(peers, func(a, b transport.PeerStats) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID))
	})
	return replica.MemberID(peers[0].ID), true
}
