package main

import (
	"flag"
	"log/slog"
	"runtime"
	"strconv"
	"strings"

	"go.etcd.io/etcd/api/v3/version"
	"go.etcd.io/etcd/client/pkg/v3/types"

	"detcd/kv/server"
)

// effective is everything that counts, for one line of the log at the start, with etcd's keys.
// Flags without effect are in it only if they were given. Passwords are not.
func (s *settings) effective() []any {
	c := &s.config
	all := []slog.Attr{
		slog.String("detcd-version", detcdVersion),
		slog.String("etcd-version", version.Version),
		slog.String("go-version", runtime.Version()),
		slog.String("go-os", runtime.GOOS), slog.String("go-arch", runtime.GOARCH),
		slog.Int("max-cpu-set", runtime.GOMAXPROCS(0)),
		slog.Int("max-cpu-available", runtime.NumCPU()),
		slog.String("name", c.Name), slog.String("data-dir", c.DataDir),
		slog.String("wal-dir", c.WALDir), slog.Bool("force-new-cluster", c.Members.ForceAlone),
		slog.Duration("heartbeat-interval", c.HeartbeatInterval),
		slog.Duration("election-timeout", c.ElectionTimeout),
		urlsOf("initial-advertise-peer-urls", c.AdvertisePeerURLs),
		urlsOf("listen-peer-urls", c.ListenPeerURLs),
		urlsOf("advertise-client-urls", c.AdvertiseClientURLs),
		urlsOf("listen-client-urls", c.ListenClientURLs),
		urlsOf("listen-client-http-urls", c.Web.ListenURLs),
		urlsOf("listen-metrics-urls", c.Web.ObserverURLs),
		namesOf("cors", c.Web.Origins), namesOf("host-whitelist", c.Web.Hosts),
		slog.String("initial-cluster", c.InitialCluster.String()),
		slog.String("initial-cluster-state", stateOf(c)),
		slog.String("initial-cluster-token", c.InitialClusterToken),
		slog.Int64("quota-backend-bytes", c.QuotaBytes),
		slog.Int("max-request-bytes", c.MaxRequestBytes),
		slog.Int("max-txn-ops", c.MaxTxnOps),
		slog.Uint64("max-concurrent-streams", uint64(c.MaxConcurrentStreams)),
		slog.Bool("pre-vote", !c.NoPreVote), slog.Bool("strict-reconfig-check", !c.Members.Lax),
		slog.String("feature-gates", s.gates),
		slog.Bool("initial-corrupt-check", c.Upkeep.CheckAtStart),
		slog.Duration("corrupt-check-time-interval", c.Upkeep.CheckEvery),
		slog.Duration("compact-check-time-interval", c.Upkeep.CheckCompactions),
		slog.String("auto-compaction-mode", s.mode),
		slog.String("auto-compaction-retention", s.retain),
		slog.String("auth-token", strings.SplitN(c.Auth.Token, ",", 2)[0]),
		slog.Bool("client-cert-auth", s.client.ClientCertAuth),
		slog.Bool("peer-client-cert-auth", s.peer.ClientCertAuth),
		slog.Bool("unsafe-no-fsync", c.UnsafeNoFsync),
	}
	return s.idleOf(s.discoveryOf(all))
}

// discoveryOf adds how the other members are found, if they are.
func (s *settings) discoveryOf(all []slog.Attr) []slog.Attr {
	to := &s.config.Discovery
	if to.Domain != "" {
		all = append(all, slog.String("discovery-srv", to.Domain),
			slog.String("discovery-srv-name", to.Service))
	}
	if to.Token != "" {
		all = append(all, slog.String("discovery-token", to.Token),
			slog.String("discovery-endpoints", strings.Join(to.Client.Endpoints, ",")))
	}
	return all
}

// idleOf adds the flags without effect that were given. What they say of the store of v2 is as in
// etcd, whatever was given: it is not there.
func (s *settings) idleOf(all []slog.Attr) []any {
	s.flags.Visit(func(f *flag.Flag) {
		i, ok := f.Value.(*idle)
		if !ok || f.Name == flagV2 {
			return
		}
		value := slog.String(f.Name, i.value)
		if n, err := strconv.ParseInt(i.value, 0, 64); err == nil {
			value = slog.Int64(f.Name, n)
		}
		all = append(all, value)
	})
	all = append(all, slog.String(flagV2, "write-only"))
	anything := make([]any, len(all))
	for i := range all {
		anything[i] = all[i]
	}
	return anything
}

func urlsOf(key string, urls types.URLs) slog.Attr { return namesOf(key, urls.StringSlice()) }

func namesOf(key string, names []string) slog.Attr {
	return slog.Any(key, append([]string{}, names...))
}

func stateOf(c *server.Config) string {
	if c.Existing {
		return "existing"
	}
	return "new"
}
