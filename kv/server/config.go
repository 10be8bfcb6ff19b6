package server

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/types"

	"detcd/kv/rpc"
)

// Config is everything that can be said about a member. Default has etcd's values.
//
// Many fields: it is the one place for settings; they are copied into no other struct.
type Config struct {
	Name    string // for people; need not be unique, but better is
	DataDir string // below it: member/wal, member/archive, member/checkpoint
	WALDir  string // the log is in it; empty: below DataDir

	ListenClientURLs    types.URLs
	ListenPeerURLs      types.URLs
	AdvertiseClientURLs types.URLs // where clients reach it from elsewhere
	AdvertisePeerURLs   types.URLs // where the other members reach it

	InitialCluster      types.URLsMap // the first members, for a new data directory
	InitialClusterGiven bool          // somebody chose them: say so if a used one knows others
	InitialClusterToken string
	Existing            bool // join a running cluster, for a new data directory
	NoPreVote           bool // campaign without asking first whether that could succeed

	HeartbeatInterval     time.Duration
	ElectionTimeout       time.Duration
	MaxRequestBytes       int
	MaxTxnOps             int
	MaxConcurrentStreams  uint32        // on one connection; math.MaxUint32: 65,536
	WatchProgressInterval time.Duration // between progress notifications
	UnsafeNoFsync         bool          // loses data when the machine fails
	QuotaBytes            int64         // of keys, values and history; negative: none
	SlowApply             time.Duration // a read or a command that takes longer is told of
	SlowRequest           time.Duration // and so is a request

	Members   MemberRules
	Discovery Discovery
	Sockets   Sockets
	Web       Web
	Upkeep    Upkeep
	Features  []Feature // what /metrics says of etcd's feature gates
	Keepalive Keepalive
	Auth      rpc.AuthOptions

	ClientTLS *tls.Config // for listening at https URLs
	PeerTLS   *tls.Config // for listening and dialling at https URLs
	Log       *slog.Logger
}

// Web is what can be said about HTTP.
type Web struct {
	ListenURLs   types.URLs // for HTTP only; none: it is served where gRPC is, else only here
	ObserverURLs types.URLs // for /metrics and /health only, besides
	Origins      []string   // who may read answers in a browser; none or "*": everyone
	Hosts        []string   // which names are known where there is no TLS; none or "*": any
	Profiling    bool       // serve /debug/pprof
	Extensive    bool       // /metrics tells how long requests took
	NoJSON       bool       // do not serve /v3
	NoV2         bool       // do not serve /v2
}

// Sockets are options of listeners.
type Sockets struct {
	ReusePort bool // another process may listen at the same port
}

// MemberRules are about changes of who is in the cluster.
type MemberRules struct {
	Lax         bool // changes are allowed that may cost the majority
	LearnersMax int  // at a time; 0: one
	ForceAlone  bool // a used data directory becomes a cluster of this member alone
}

// Upkeep is what the member does from time to time, unasked.
type Upkeep struct {
	Retention Retention // of history

	CheckAtStart     bool          // compare the history with those who run, before serving
	CheckEvery       time.Duration // the leader compares the members' histories; 0: never
	CheckCompactions time.Duration // and the hashes of the last compactions; 0: never
}

// Keepalive says how silent connections of clients are treated. A zero means what etcd does.
type Keepalive struct {
	MinTime  time.Duration // a client that pings more often is disconnected
	Interval time.Duration // a silent client is pinged after it; negative: never
	Timeout  time.Duration // and disconnected when it does not answer within it
}

// Default is what etcd does when it is told nothing.
func Default() Config {
	client := types.MustNewURLs([]string{"http://localhost:2379"})
	peer := types.MustNewURLs([]string{"http://localhost:2380"})
	return Config{
		Name:    "default",
		DataDir: "default.etcd",

		ListenClientURLs: client, AdvertiseClientURLs: client,
		ListenPeerURLs: peer, AdvertisePeerURLs: peer,

		InitialCluster:      types.URLsMap{"default": peer},
		InitialClusterToken: "etcd-cluster",

		HeartbeatInterval:     100 * time.Millisecond,
		ElectionTimeout:       time.Second,
		MaxRequestBytes:       3 << 19,
		MaxTxnOps:             128,
		MaxConcurrentStreams:  1<<32 - 1,
		WatchProgressInterval: 10 * time.Minute,
		QuotaBytes:            2 << 30,
		SlowApply:             100 * time.Millisecond,
		SlowRequest:           300 * time.Millisecond,

		Auth: rpc.AuthOptions{Token: rpc.TokenSimple, BcryptCost: 10},
	}
}

// electionTimeoutMax is etcd's.
const electionTimeoutMax = 50 * time.Second

// ErrAdvertise is etcd's error for client URLs that nobody could reach.
var ErrAdvertise = errors.New(
	"--advertise-client-urls is required when --listen-client-urls is set explicitly")

// Validate checks what can be checked without touching anything. The errors are etcd's.
func (c *Config) Validate() error {
	if err := checkBind(c.ListenPeerURLs); err != nil {
		return err
	}
	for _, urls := range []types.URLs{
		c.ListenClientURLs, c.Web.ListenURLs, c.Web.ObserverURLs,
	} {
		if err := checkBind(urls); err != nil {
			return err
		}
	}
	if err := checkHosts(c.AdvertisePeerURLs); err != nil {
		return fmt.Errorf(`--initial-advertise-peer-urls %q must be "host:port" (%w)`,
			c.AdvertisePeerURLs.String(), err)
	}
	if err := checkHosts(c.AdvertiseClientURLs); err != nil {
		return fmt.Errorf(`--advertise-client-urls %q must be in the format "host:port", `+
			`"unix:/path/to/socket" or "unixs:/path/to/socket" (%w)`,
			c.AdvertiseClientURLs.String(), err)
	}
	tick, election := c.HeartbeatInterval.Milliseconds(), c.ElectionTimeout.Milliseconds()
	switch {
	case tick <= 0:
		return fmt.Errorf("--heartbeat-interval must be >0 (set to %dms)", tick)
	case election <= 0:
		return fmt.Errorf("--election-timeout must be >0 (set to %dms)", election)
	case 5*tick > election:
		return fmt.Errorf("--election-timeout[%vms] should be at least as 5 times as "+
			"--heartbeat-interval[%vms]", election, tick)
	case c.ElectionTimeout > electionTimeoutMax:
		return fmt.Errorf("--election-timeout[%vms] is too long, and should be set less than %vms",
			election, electionTimeoutMax.Milliseconds())
	case len(c.AdvertiseClientURLs) == 0:
		return ErrAdvertise
	}
	return errors.Join(c.Upkeep.Retention.check(), c.checkTLS())
}

// requestTime is how long a request may take that needs the other members; etcd's.
func (c *Config) requestTime() time.Duration { return 5*time.Second + 2*c.ElectionTimeout }

func checkBind(urls types.URLs) error {
	for _, url := range urls {
		if isUnix(url.Scheme) {
			continue
		}
		host, _, err := net.SplitHostPort(url.Host)
		if err != nil {
			return err
		}
		if host != "localhost" && net.ParseIP(host) == nil {
			return fmt.Errorf("expected IP in URL for binding (%s)", url.String())
		}
	}
	return nil
}

func checkHosts(urls types.URLs) error {
	for _, url := range urls {
		if isUnix(url.Scheme) {
			continue
		}
		host, _, err := net.SplitHostPort(url.Host)
		if err != nil {
			return err
		}
		if host == "" {
			return fmt.Errorf("unexpected empty host (%s)", url.String())
		}
	}
	return nil
}

func isUnix(scheme string) bool   { return scheme == "unix" || scheme == "unixs" }
func isSecure(scheme string) bool { return scheme == "https" || scheme == "unixs" }

// What is said of a place where TLS is to be spoken without a certificate; etcd's.
const (
	bareClients = "TLS key/cert (--cert-file, --key-file) must be provided for client url %s " +
		"with HTTPS scheme"
	bareObservers = "client TLS key/cert (--cert-file, --key-file) must be provided for metrics " +
		"secure url (%s)"
	barePeers = "cannot listen on TLS for %s: KeyFile and CertFile are not presented"
)

// checkTLS refuses to listen securely without a certificate. Only gRPC's port speaks with and
// without TLS.
func (c *Config) checkTLS() error {
	for _, side := range []struct {
		urls   types.URLs
		config *tls.Config
		text   string
		either bool
	}{
		{c.ListenClientURLs, c.ClientTLS, bareClients, true},
		{c.Web.ListenURLs, c.ClientTLS, bareClients, false},
		{c.Web.ObserverURLs, c.ClientTLS, bareObservers, false},
		{c.ListenPeerURLs, c.PeerTLS, barePeers, false},
	} {
		for _, p := range places(side.urls) {
			switch {
			case p.secure && !hasCertificate(side.config):
				return fmt.Errorf(side.text, p.address)
			case p.secure && p.plain && !side.either:
				return fmt.Errorf("only --listen-client-urls may have http and https at one address (%s)",
					p.address)
			}
		}
	}
	return nil
}

// hasCertificate tells whether one can listen with a configuration, not only call others.
func hasCertificate(config *tls.Config) bool {
	return config != nil && (len(config.Certificates) > 0 || config.GetCertificate != nil ||
		config.GetConfigForClient != nil)
}

// checkBootstrap checks what a new data directory is to begin with. The errors are etcd's.
func (c *Config) checkBootstrap() error {
	mine, ok := c.InitialCluster[c.Name]
	if !ok {
		return fmt.Errorf("couldn't find local name %q in the initial cluster configuration", c.Name)
	}
	seen := make(map[string]bool)
	for _, urls := range c.InitialCluster {
		for _, url := range urls.StringSlice() {
			if seen[url] {
				return fmt.Errorf("initial cluster %s has duplicate url", c.InitialCluster)
			}
			seen[url] = true
		}
	}
	if c.Existing {
		return nil
	}
	if missing := without(mine, c.AdvertisePeerURLs); len(missing) > 0 {
		return fmt.Errorf("--initial-cluster has %s but missing from --initial-advertise-peer-urls=%s",
			named(c.Name, missing), c.AdvertisePeerURLs)
	}
	if missing := without(c.AdvertisePeerURLs, mine); len(missing) > 0 {
		return fmt.Errorf("--initial-advertise-peer-urls has %s but missing from --initial-cluster=%s",
			strings.Join(missing, ","), named(c.Name, c.AdvertisePeerURLs.StringSlice()))
	}
	return nil
}

// without returns the URLs that are not among the others.
func without(urls, others types.URLs) []string {
	known := others.StringSlice()
	return slices.DeleteFunc(urls.StringSlice(), func(url string) bool {
		return slices.Contains(known, url)
	})
}

func named(name string, urls []string) string {
	pairs := make([]string, 0, len(urls))
	for _, url := range urls {
		pairs = append(pairs, name+"="+url)
	}
	return strings.Join(pairs, ",")
}
