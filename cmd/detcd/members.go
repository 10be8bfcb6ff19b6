package main

import (
	"errors"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// registerMembers registers what concerns who is in the cluster.
func (s *settings) registerMembers() {
	f, rules := s.flags, &s.config.Members
	f.BoolVar(&rules.ForceAlone, "force-new-cluster", false, "make a cluster of this member alone "+
		"of its data directory: for a cluster that has LOST its majority for good")
	f.IntVar(&rules.LearnersMax, "max-learners", 1, "most learners at a time")
	f.BoolFunc("strict-reconfig-check", "refuse changes of the membership that may cost the "+
		"majority (default true)", func(value string) error {
		strict, err := parseBool(value)
		rules.Lax = !strict
		return err
	})
	f.BoolFunc("pre-vote", "ask the others before an election whether it could be won, so that a "+
		"member that was cut off disturbs nobody when it is back (default true)",
		func(value string) error {
			ask, err := parseBool(value)
			s.config.NoPreVote = !ask
			return err
		})
	s.registerDiscovery()
}

// A discovery is what flags say of the cluster where members register.
type discovery struct {
	secure         clientv3.SecureConfig
	user, password string
	endpoints      string
}

func (s *settings) registerDiscovery() {
	f, d, client := s.flags, &s.discovery, &s.config.Discovery.Client
	f.StringVar(&s.config.Discovery.Domain, "discovery-srv", "",
		"`domain` whose SRV records are the first members")
	f.StringVar(&s.config.Discovery.Service, "discovery-srv-name", "",
		"`suffix` of the name of the service, as in etcd-server-<suffix>")
	f.StringVar(&s.config.Discovery.Token, "discovery-token", "",
		"`token` under which the first members register in another cluster")
	f.StringVar(&d.endpoints, "discovery-endpoints", "", "`endpoints` of that cluster")
	f.DurationVar(&client.DialTimeout, "discovery-dial-timeout", 2*time.Second,
		"to connect to it")
	f.DurationVar(&client.RequestTimeout, "discovery-request-timeout", 5*time.Second,
		"of a request to it")
	f.DurationVar(&client.KeepAliveTime, "discovery-keepalive-time", 2*time.Second,
		"after which a silent connection to it is tried")
	f.DurationVar(&client.KeepAliveTimeout, "discovery-keepalive-timeout", 6*time.Second,
		"after which it is given up")
	f.BoolVar(&d.secure.InsecureTransport, "discovery-insecure-transport", true,
		"connect to it without TLS")
	f.BoolVar(&d.secure.InsecureSkipVerify, "discovery-insecure-skip-tls-verify", false,
		"accept any certificate of it")
	f.StringVar(&d.secure.Cert, "discovery-cert", "", "`file` with a certificate for it")
	f.StringVar(&d.secure.Key, "discovery-key", "", "`file` with the key of that")
	f.StringVar(&d.secure.Cacert, "discovery-cacert", "", "`file` with the CAs that it is trusted by")
	f.StringVar(&d.user, "discovery-user", "", "`name` of a user of it, or name:password")
	f.StringVar(&d.password, "discovery-password", "", "`password` of that user")
}

// Errors of etcd's.
var (
	errBootstraps = errors.New("multiple discovery or bootstrap flags are set. Choose one of " +
		`"initial-cluster", "discovery-endpoints" or "discovery-srv"`)
	errDiscoveryHalf  = errors.New("both --discovery-token and --discovery-endpoints must be set")
	errDiscoveryEmpty = errors.New("--discovery-endpoints must not contain empty endpoints")
)

// deriveDiscovery makes a client of the flags.
func (s *settings) deriveDiscovery() error {
	d, to := &s.discovery, &s.config.Discovery
	set := 0
	for _, given := range []string{s.initial, to.Domain, d.endpoints} {
		if given != "" {
			set++
		}
	}
	switch {
	case set > 1:
		return errBootstraps
	case (to.Token != "") != (d.endpoints != ""):
		return errDiscoveryHalf
	case d.endpoints == "":
		return nil
	}
	for _, endpoint := range strings.Split(d.endpoints, ",") {
		if endpoint = strings.TrimSpace(endpoint); endpoint == "" {
			return errDiscoveryEmpty
		}
		to.Client.Endpoints = append(to.Client.Endpoints, endpoint)
	}
	to.Client.Secure = &d.secure
	name, password, both := strings.Cut(d.user, ":")
	if !both {
		password = d.password
	}
	if name != "" {
		to.Client.Auth = &clientv3.AuthConfig{Username: name, Password: password}
	}
	return nil
}
