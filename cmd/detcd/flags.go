package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/types"

	"detcd/kv/server"
)

// settings are what flags and environment say.
type settings struct {
	config    server.Config
	logLevel  string
	logFormat string
	version   bool

	client, peer certificates
	tls          tlsRange

	flags   *flag.FlagSet
	initial string // --initial-cluster
	mode    string // --auto-compaction-mode
	retain  string // --auto-compaction-retention
	gates   string // --feature-gates
	file    string // --config-file
	out     output

	discovery discovery

	compactCheck time.Duration // --compact-hash-check-time
	notes        []func(*slog.Logger)
}

func newSettings() *settings {
	s := &settings{config: server.Default(), logLevel: "info", logFormat: "json"}
	s.config.DataDir = ""
	s.flags = flag.NewFlagSet("detcd", flag.ContinueOnError)
	s.flags.SetOutput(io.Discard)
	s.flags.Usage = func() {}
	s.registerMember()
	s.registerCluster()
	s.registerLimits()
	s.registerAuth()
	s.registerWeb()
	s.registerTLS()
	s.registerUpkeep()
	s.registerMembers()
	s.registerOutput()
	s.registerOthers()
	return s
}

var errParse = errors.New("parse error")

// errFlag says that a flag is unknown, or that what stands behind it cannot be its value: etcd ends
// with another status then than when it finds out later that values do not go together.
var errFlag = errors.New("bad flag")

// A flagError is one, in the words of package flag.
type flagError struct{ error }

// Is tells that it is errFlag.
func (flagError) Is(target error) bool { return target == errFlag }

// Unwrap gives the error.
func (e flagError) Unwrap() error { return e.error }

func (s *settings) registerMember() {
	f, c := s.flags, &s.config
	f.StringVar(&c.Name, "name", c.Name, "human-readable `name` of this member")
	f.StringVar(&c.DataDir, "data-dir", "", "`path` to the data directory (default <name>.etcd)")
	f.StringVar(&c.WALDir, "wal-dir", "",
		"`path` to a dedicated directory for the log (default <data-dir>/member/wal)")
	urls(f, &c.ListenPeerURLs, "listen-peer-urls", "where to listen for other members")
	urls(f, &c.ListenClientURLs, "listen-client-urls", "where to listen for clients")
	urls(f, &c.AdvertisePeerURLs, "initial-advertise-peer-urls", "where other members reach this one")
	urls(f, &c.AdvertiseClientURLs, "advertise-client-urls", "where clients reach this member")
	milliseconds(f, &c.HeartbeatInterval, "heartbeat-interval", "between two heartbeats of a leader")
	milliseconds(f, &c.ElectionTimeout, "election-timeout", "without a leader until an election")
	f.StringVar(&s.file, "config-file", "",
		"`path` of a file with all settings; no other flag counts then, and no variable")
	f.StringVar(&s.logLevel, "log-level", s.logLevel, "debug, info, warn, error, panic or fatal")
	f.StringVar(&s.logFormat, "log-format", s.logFormat, "json or console")
	f.BoolVar(&s.version, "version", false, "print the version and exit")
	f.BoolVar(&c.UnsafeNoFsync, "unsafe-no-fsync", false,
		"do not sync to disk: LOSES acknowledged writes when the machine fails")
}

func (s *settings) registerCluster() {
	f, c := s.flags, &s.config
	f.StringVar(&s.initial, "initial-cluster", "",
		"the first members of the cluster, as `name=url`,... (default <name>=<the advertised URLs>)")
	f.StringVar(&c.InitialClusterToken, "initial-cluster-token", c.InitialClusterToken,
		"`token` that tells clusters with the same members apart")
	f.Func("initial-cluster-state", "new, or existing to join a running cluster (default new)",
		func(value string) error {
			if value != "new" && value != "existing" {
				return errors.New("invalid value")
			}
			c.Existing = value == "existing"
			return nil
		})
}

func (s *settings) registerAuth() {
	f, c := s.flags, &s.config
	f.StringVar(&c.Auth.Token, "auth-token", c.Auth.Token,
		"`kind` of tokens: simple, or jwt,sign-method=RS256,priv-key=path,pub-key=path,ttl=10m")
	f.Func("auth-token-ttl",
		"`seconds` after which a simple token that is not used is over (default 300)",
		func(value string) error {
			n, err := strconv.ParseUint(value, 0, 31)
			if err != nil {
				return errParse
			}
			c.Auth.TokenTTL = time.Duration(n) * time.Second
			return nil
		})
	count(f, &c.Auth.BcryptCost, "bcrypt-cost", "of the hash of a password, 4 to 31")
}

func (s *settings) registerLimits() {
	f, c := s.flags, &s.config
	count(f, &c.MaxRequestBytes, "max-request-bytes", "largest request of a client, in bytes")
	count(f, &c.MaxTxnOps, "max-txn-ops", "most operations in a transaction")
	f.Func("max-concurrent-streams", "most streams on one connection of a client (default 65536)",
		func(value string) error {
			n, err := strconv.ParseUint(value, 0, 32)
			if err != nil {
				return errParse
			}
			c.MaxConcurrentStreams = uint32(n)
			return nil
		})
	f.Int64Var(&c.QuotaBytes, "quota-backend-bytes", 0, "`bytes` of keys, values and history, from "+
		"which on puts are refused; 0: 2 GiB, negative: no quota")
	f.DurationVar(&c.SlowApply, "warning-apply-duration", c.SlowApply,
		"a read, or the execution of a command, that takes longer is logged")
	f.DurationVar(&c.SlowRequest, "warning-unary-request-duration", c.SlowRequest,
		"a request that takes longer is logged")
	f.DurationVar(&c.WatchProgressInterval, "watch-progress-notify-interval",
		c.WatchProgressInterval, "between two progress notifications of a watch")
}

// urls registers a list of URLs. As in etcd an empty value is none, and the same one twice is one.
func urls(f *flag.FlagSet, target *types.URLs, name, usage string) {
	f.Func(name, fmt.Sprintf("%s, `urls` (default %s)", usage, target), func(value string) error {
		*target = nil
		if value == "" {
			return nil
		}
		parsed, err := types.NewURLs(strings.Split(value, ","))
		*target = slices.CompactFunc(parsed, func(a, b url.URL) bool { return a.String() == b.String() })
		return err
	})
}

// milliseconds registers a duration that is given as a whole number of milliseconds.
func milliseconds(f *flag.FlagSet, target *time.Duration, name, usage string) {
	f.Func(name, fmt.Sprintf("`ms` %s (default %d)", usage, target.Milliseconds()),
		func(value string) error {
			n, err := strconv.ParseUint(value, 0, 32)
			if err != nil {
				return errParse
			}
			*target = time.Duration(n) * time.Millisecond
			return nil
		})
}

// count registers a number that is not negative.
func count(f *flag.FlagSet, target *int, name, usage string) {
	f.Func(name, fmt.Sprintf("`n`, %s (default %d)", usage, *target), func(value string) error {
		n, err := strconv.ParseUint(value, 0, 31)
		if err != nil {
			return errParse
		}
		*target = int(n)
		return nil
	})
}

// parse reads flags, then the environment for what the flags left open, then fills in what follows
// from both.
func (s *settings) parse(args, environ []string) error {
	if err := s.flags.Parse(args); err != nil {
		return flagError{err}
	}
	if s.flags.NArg() > 0 {
		return wordError{s.flags.Arg(0), "%q is not a valid flag"} // in etcd's words
	}
	if s.file == "" {
		s.file = fileOf(environ)
	}
	err := error(nil)
	if s.file != "" && !s.version {
		err = s.readFile(s.file)
	} else {
		err = s.parseEnvironment(environ)
	}
	if err != nil {
		return err
	}
	s.noteIdle()
	return s.derive()
}

func (s *settings) isSet(name string) bool {
	set := false
	s.flags.Visit(func(f *flag.Flag) { set = set || f.Name == name })
	return set
}

func (s *settings) derive() error {
	c := &s.config
	if err := s.tls.check(); err != nil {
		return err
	}
	c.Auth.Certificates = s.client.ClientCertAuth
	if c.Keepalive.Interval <= 0 || c.Keepalive.Timeout <= 0 {
		c.Keepalive.Interval = -1
	}
	if err := errors.Join(s.deriveRetention(), s.deriveGates(), s.deriveDiscovery()); err != nil {
		return err
	}
	c.QuotaBytes = cmp.Or(c.QuotaBytes, server.Default().QuotaBytes)
	if c.DataDir == "" {
		c.DataDir = c.Name + ".etcd"
	}
	if s.isSet("listen-client-urls") && !s.isSet("advertise-client-urls") {
		c.AdvertiseClientURLs = nil
	}
	switch {
	case s.initial != "":
		cluster, err := types.NewURLsMap(s.initial)
		if err != nil {
			return fmt.Errorf("--initial-cluster: %w", err)
		}
		c.InitialCluster, c.InitialClusterGiven = cluster, true
	case c.Name != server.Default().Name:
		c.InitialCluster = types.URLsMap{c.Name: c.AdvertisePeerURLs}
	}
	return nil
}

// report logs what was noticed before there was a log.
func (s *settings) report(log *slog.Logger) {
	for _, note := range s.notes {
		note(log)
	}
}

// usage lists the flags that are served.
func (s *settings) usage(out io.Writer) {
	fmt.Fprint(out, "Usage:\n"+
		"  detcd [flags]                                            run a member\n"+
		"  detcd verify [--data-dir path] [--wal-dir path]          audit a stopped member's data\n"+
		"  detcd snapshot restore file --data-dir path [flags]      begin a cluster with a backup\n"+
		"  detcd help [verify|snapshot]                             this, or the help of a command\n"+
		"  detcd version                                            the versions, as --version\n\n"+
		"Each flag may also be given as a variable, as in ETCD_DATA_DIR for --data-dir.\n\nFlags:\n")
	s.flags.VisitAll(func(f *flag.Flag) {
		if _, ok := f.Value.(*idle); ok {
			return
		}
		if _, ok := f.Value.(*refused); ok {
			return
		}
		argument, text := flag.UnquoteUsage(f)
		if argument != "" {
			argument = " " + argument
		}
		if f.DefValue != "" && f.DefValue != "false" && !strings.Contains(text, "(default") {
			text += fmt.Sprintf(" (default %s)", f.DefValue)
		}
		fmt.Fprintf(out, "  --%s%s\n        %s\n", f.Name, argument, text)
	})
}
