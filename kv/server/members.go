package server

import (
	"log/slog"
	"slices"

	"detcd/consensus/replica"
)

// toldOfBeginning logs who is in the cluster when the member starts, in etcd's words.
func (c *Config) toldOfBeginning(b beginning, members replica.Membership) {
	if !b.used {
		c.toldOfMembers(uint64(b.id), b.cluster, replica.Membership{}, members)
		return
	}
	for i := range members.Members {
		m := &members.Members[i]
		c.Log.Info("recovered/added member from store", slog.String("cluster-id", hex(b.cluster)),
			slog.String("local-member-id", hex(uint64(b.id))),
			slog.String("recovered-remote-peer-id", hex(uint64(m.ID))),
			slog.String("recovered-remote-peer-name", m.Name),
			slog.Any("recovered-remote-peer-urls", m.PeerURLs),
			slog.Bool("recovered-remote-peer-is-learner", m.Learner))
	}
}

// toldOfMembers logs a change of who is in the cluster, in etcd's words.
func (c *Config) toldOfMembers(self, cluster uint64, before, after replica.Membership) {
	log := c.Log.With(slog.String("cluster-id", hex(cluster)),
		slog.String("local-member-id", hex(self)))
	for i := range after.Members {
		m := &after.Members[i]
		old, known := before.Find(m.ID)
		if !known {
			log.Info("added member", slog.String("added-peer-id", hex(uint64(m.ID))),
				slog.Any("added-peer-peer-urls", m.PeerURLs),
				slog.Bool("added-peer-is-learner", m.Learner))
			continue
		}
		c.toldOfMember(log, &old, m)
	}
	for i := range before.Members {
		m := &before.Members[i]
		if _, stays := after.Find(m.ID); !stays {
			log.Info("removed member", slog.String("removed-remote-peer-id", hex(uint64(m.ID))),
				slog.String("removed-remote-peer-name", m.Name),
				slog.Any("removed-remote-peer-urls", m.PeerURLs),
				slog.Bool("removed-remote-peer-is-learner", m.Learner))
		}
	}
}

// toldOfMember logs what has changed about a member that stays.
func (c *Config) toldOfMember(log *slog.Logger, before, after *replica.Member) {
	id := hex(uint64(after.ID))
	if before.Learner && !after.Learner {
		log.Info("promote member", slog.String("promoted-member-id", id),
			slog.String("promoted-member-name", after.Name))
	}
	if !slices.Equal(before.PeerURLs, after.PeerURLs) {
		log.Info("updated member", slog.String("updated-remote-peer-id", id),
			slog.String("updated-remote-peer-name", after.Name),
			slog.Any("old-remote-peer-urls", before.PeerURLs),
			slog.Any("updated-remote-peer-urls", after.PeerURLs),
			slog.Bool("updated-remote-peer-is-learner", after.Learner))
	}
	if before.Name != after.Name || !slices.Equal(before.ClientURLs, after.ClientURLs) {
		log.Info("a member has published itself", slog.String("peer-id", id),
			slog.String("peer-name", after.Name), slog.Any("client-urls", after.ClientURLs))
	}
}
