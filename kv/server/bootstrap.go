package server

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"

	"go.etcd.io/etcd/client/pkg/v3/types"

	"detcd/consensus/replica"
	"detcd/kv"
	"detcd/kv/rpc"
	"detcd/storage/wal"
)

// A beginning is who this member is and whom it knows.
type beginning struct {
	id      replica.MemberID
	cluster uint64
	members []replica.Member              // of a new cluster
	peers   map[replica.MemberID][]string // of a cluster that it joins
	used    bool                          // there is a data directory already
}

// begin finds out who this member is: from its data directory when that was used before, whatever
// the flags of a new cluster say (as etcd does); from the initial cluster when it is new; from the
// other members when it joins them.
func (c *Config) begin(ctx context.Context, store *storage) (beginning, error) {
	stored, used, err := replica.Identify(store.parts())
	if err != nil {
		return beginning{}, store.wrong(err)
	}
	if used {
		c.compare(stored)
		return beginning{id: stored.ID, cluster: stored.Cluster, used: true}, nil
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

// compare warns where the flags of a new cluster were given and say something else than a used data
// directory, which counts: they may have become out of date, or the directory may be in the wrong
// place.
func (c *Config) compare(stored replica.Identity) {
	var all, own []string
	for _, member := range stored.Members.Members {
		all = append(all, member.PeerURLs...)
		if member.ID == stored.ID {
			own = member.PeerURLs
		}
	}
	differ := func(flag string, given types.URLs, stored []string) bool {
		if len(stored) == 0 || sameURLs(given.StringSlice(), stored) {
			return false
		}
		c.Log.Warn("the data directory was used before: a flag for new ones says something else and "+
			"is ignored", slog.String("flag", flag), slog.String("given", given.String()),
			slog.String("stored", strings.Join(stored, ",")))
		return true
	}
	if c.InitialClusterGiven {
		var named types.URLs
		// order-free: the URLs are sorted before they are compared
		for _, urls := range c.InitialCluster {
			named = append(named, urls...)
		}
		named.Sort()
		differ("--initial-cluster", named, all)
	}
	mine := c.AdvertisePeerURLs
	if sameURLs(mine.StringSlice(), Default().AdvertisePeerURLs.StringSlice()) {
		return // nobody said so
	}
	if differ("--initial-advertise-peer-urls", mine, own) {
		c.Log.Warn("the other members look for this one where it is stored to be; to change that: " +
			"etcdctl member update " + hex(uint64(stored.ID)) + " --peer-urls=" + mine.String())
	}
}

func sameURLs(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// forceAlone makes a cluster of this member alone out of a used data directory, if it was told to.
func (c *Config) forceAlone(b beginning, options replica.Options) error {
	if !c.Members.ForceAlone || !b.used {
		return nil
	}
	c.Log.Warn("forcing a new cluster: every other member is removed, and what only they know is lost")
	options.Machine = kv.New(kv.Options{ElectionTimeout: c.ElectionTimeout})
	return replica.ForceNewCluster(options)
}

// replicaOptions describe this member to its replica.
func (c *Config) replicaOptions(b beginning, store *storage) replica.Options {
	return replica.Options{
		ID: b.id, Cluster: b.cluster, Members: b.members,
		Incarnation: rand.Uint64N(1<<64-1) + 1,
		Self: replica.Member{
			ID: b.id, Name: c.Name,
			PeerURLs:   c.AdvertisePeerURLs.StringSlice(),
			ClientURLs: c.AdvertiseClientURLs.StringSlice(),
		},
		FS: store.dir, WAL: timedFS{store.log, &store.clocks}, WALDir: store.logDir,
		Tick:           c.HeartbeatInterval,
		ElectionTicks:  int(c.ElectionTimeout / c.HeartbeatInterval),
		HeartbeatTicks: 1,
		RequestTimeout: rpc.Patience(c.ElectionTimeout),
		NoPreVote:      c.NoPreVote,
		WALOptions:     wal.Options{SegmentSize: logSegmentBytes},
	}
}

// logSegmentBytes is how much of the log is reserved on the device at a time. A checkpoint is due
// every two segments, so a quiet member keeps little more than one, and a spare.
const logSegmentBytes = 16 << 20
