package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"

	"detcd/consensus/replica"
	"detcd/kv"
	"detcd/storage/vfs"
	"detcd/storage/wal"
)

// ErrOtherCluster says that a data directory has nothing to do with the cluster that was named.
var ErrOtherCluster = errors.New("the data directory belongs to another cluster")

// A beginning is who this member is and whom it knows.
type beginning struct {
	id      replica.MemberID
	cluster uint64
	members []replica.Member              // of a new cluster
	peers   map[replica.MemberID][]string // of a cluster that it joins
	used    bool                          // there is a data directory already
}

// begin finds out who this member is: from its data directory when that was used before, whatever
// the initial cluster says (as etcd does); from the initial cluster when it is new; from the other
// members when it joins them.
func (c *Config) begin(ctx context.Context, dir vfs.FS) (beginning, error) {
	stored, used, err := replica.Identify(dir)
	if err != nil {
		return beginning{}, fmt.Errorf("data directory %s: %w", c.DataDir, err)
	}
	if used {
		return c.resume(stored)
	}
	if err := c.discover(ctx); err != nil {
		return beginning{}, err
	}
	if err := c.checkBootstrap(); err != nil {
		return beginning{}, err
	}
	if c.Existing {
		return c.join(ctx)
	}
	members := firstMembers(c.InitialCluster, c.InitialClusterToken)
	return beginning{
		id:      memberID(c.InitialCluster[c.Name].StringSlice(), c.InitialClusterToken),
		cluster: clusterID(members), members: members,
	}, nil
}

// resume takes the identity of a data directory. The initial cluster may have become out of date,
// by a change of peer URLs for example; only when it has no address at all in common with what is
// stored, the directory is a mistake.
func (c *Config) resume(stored replica.Identity) (beginning, error) {
	b := beginning{id: stored.ID, cluster: stored.Cluster, used: true}
	named := firstMembers(c.InitialCluster, c.InitialClusterToken)
	if c.Existing || len(stored.Members.Members) == 0 || clusterID(named) == stored.Cluster {
		return b, nil
	}
	known := make(map[string]bool)
	for _, member := range stored.Members.Members {
		for _, url := range member.PeerURLs {
			known[url] = true
		}
	}
	shares := func(member replica.Member) bool {
		return slices.ContainsFunc(member.PeerURLs, func(url string) bool { return known[url] })
	}
	if !slices.ContainsFunc(named, shares) {
		return b, fmt.Errorf("%w: %s is of member %x of cluster %x, and none of its members is in "+
			"--initial-cluster=%s", ErrOtherCluster, c.DataDir, stored.ID, stored.Cluster,
			c.InitialCluster)
	}
	c.Log.Warn("the initial cluster differs from what the data directory knows; it is ignored",
		slog.String("cluster-id", hex(stored.Cluster)))
	return b, nil
}

// forceAlone makes a cluster of this member alone out of a used data directory, if it was told to.
func (c *Config) forceAlone(b beginning, options replica.Options) error {
	if !c.Members.ForceAlone || !b.used {
		return nil
	}
	c.Log.Warn("forcing a new cluster: every other member is removed, and what only they know is lost")
	options.Machine = kv.New(kv.Options{ElectionTimeout: c.ElectionTimeout})
	return replica.MakeAlone(options)
}

// replicaOptions describe this member to its replica.
func (c *Config) replicaOptions(b beginning, dir, log vfs.FS) replica.Options {
	return replica.Options{
		ID: b.id, Cluster: b.cluster, Members: b.members,
		Incarnation: rand.Uint64N(1<<64-1) + 1,
		Self: replica.Member{
			ID: b.id, Name: c.Name,
			PeerURLs:   c.AdvertisePeerURLs.StringSlice(),
			ClientURLs: c.AdvertiseClientURLs.StringSlice(),
		},
		FS: dir, WAL: log,
		Tick:           c.HeartbeatInterval,
		ElectionTicks:  int(c.ElectionTimeout / c.HeartbeatInterval),
		HeartbeatTicks: 1,
		NoPreVote:      c.NoPreVote,
		WALOptions:     wal.Options{SegmentSize: logSegmentBytes},
	}
}

// logSegmentBytes is how much of the log is reserved on the device at a time. A checkpoint is due
// every two segments, so a quiet member keeps little more than one, and a spare.
const logSegmentBytes = 16 << 20
