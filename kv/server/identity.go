package server

import (
	"crypto/sha1"
	"encoding/binary"
	"slices"
	"strings"

	"go.etcd.io/etcd/client/pkg/v3/types"

	"detcd/consensus/replica"
)

// memberID derives a member's ID as etcd does: from its peer URLs and, for the first members of a
// cluster, the cluster's token; for later ones, the second in which they were added.
// (etcdserver/api/membership, computeMemberID.)
func memberID(peerURLs []string, token string) replica.MemberID {
	sorted := slices.Sorted(slices.Values(peerURLs))
	sum := sha1.Sum([]byte(strings.Join(sorted, "") + token))
	return replica.MemberID(binary.BigEndian.Uint64(sum[:]))
}

// clusterID derives a cluster's ID as etcd does: from the IDs of its first members.
func clusterID(members []replica.Member) uint64 {
	ids := make([]replica.MemberID, 0, len(members))
	for _, member := range members {
		ids = append(ids, member.ID)
	}
	slices.Sort(ids)
	var all []byte
	for _, id := range ids {
		all = binary.BigEndian.AppendUint64(all, uint64(id))
	}
	sum := sha1.Sum(all)
	return binary.BigEndian.Uint64(sum[:])
}

// firstMembers are the members that an initial cluster names, ascending by ID.
func firstMembers(cluster types.URLsMap, token string) []replica.Member {
	var members []replica.Member
	// order-free: sorted below
	for _, urls := range cluster {
		peers := urls.StringSlice()
		members = append(members, replica.Member{ID: memberID(peers, token), PeerURLs: peers})
	}
	slices.SortFunc(members, func(a, b replica.Member) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return members
}
