package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/client/pkg/v3/logutil"
	"go.etcd.io/etcd/client/pkg/v3/srv"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/grpclog"
)

// A session is a command that knows whom to ask.
type session struct {
	*program
	command *cobra.Command
	context context.Context
	spec    *clientv3.ConfigSpec
	client  *clientv3.Client // for all endpoints; nil for a verb that goes to each by itself
}

// open completes the settings. Nothing is sent yet.
func (p *program) open(command *cobra.Command) (*session, error) {
	p.trace(command)
	spec, err := p.specify(command)
	if err != nil {
		return nil, err
	}
	p.session = &session{program: p, command: command, context: command.Context(), spec: spec}
	return p.session, nil
}

// trace tells with --debug which settings are in force, and lets gRPC tell all that it does.
// Otherwise gRPC tells of errors only.
func (p *program) trace(command *cobra.Command) {
	if !p.settings.debug {
		return
	}
	for _, line := range variables(command.InheritedFlags()) {
		p.warn("%s", line)
	}
	grpclog.SetLoggerV2(grpclog.NewLoggerV2WithVerbosity(p.errors, p.errors, p.errors, 4))
}

// specify completes the settings: who asks, and where.
func (p *program) specify(command *cobra.Command) (*clientv3.ConfigSpec, error) {
	for name, value := range map[string]string{
		"cert": p.settings.secure.Cert, "key": p.settings.secure.Key,
		"cacert": p.settings.secure.Cacert,
	} {
		if value == "" && command.Flags().Changed(name) {
			return nil, bad("empty string is passed to --%s option", name)
		}
	}
	endpoints, err := p.endpoints()
	if err != nil {
		return nil, err
	}
	spec := p.settings.client
	spec.Endpoints = endpoints
	secure := p.settings.secure
	if !p.settings.discovery.insecure {
		secure.ServerName = p.settings.discovery.domain
	}
	spec.Secure = &secure
	spec.Auth, err = p.credentials(p.settings.auth, "Password: ")
	return &spec, err
}

// credentials completes a name by its password, from behind the colon or from the person.
func (p *program) credentials(
	given clientv3.AuthConfig, prompt string,
) (*clientv3.AuthConfig, error) {
	switch {
	case given.Token != "":
		return &clientv3.AuthConfig{Token: given.Token}, nil
	case given.Username == "":
		return nil, nil
	case given.Password != "":
		return &given, nil
	}
	name, password, found := strings.Cut(given.Username, ":")
	if !found {
		var err error
		if password, err = p.askPassword(prompt); err != nil {
			return nil, err
		}
	}
	return &clientv3.AuthConfig{Username: name, Password: password}, nil
}

// endpoints returns the addresses, from DNS if a domain is given.
func (p *program) endpoints() ([]string, error) {
	var found []string
	if d := p.settings.discovery; d.domain != "" {
		clients, err := srv.GetClient("etcd-client", d.domain, d.service)
		if err != nil {
			return nil, err
		}
		for _, endpoint := range clients.Endpoints {
			if !d.insecure && strings.HasPrefix(endpoint, "http://") {
				p.warn("ignoring discovered insecure endpoint %q", endpoint)
				continue
			}
			found = append(found, endpoint)
		}
	}
	if len(found) > 0 {
		return found, nil
	}
	for _, endpoint := range p.settings.client.Endpoints {
		found = append(found, strings.TrimSpace(endpoint))
	}
	return found, nil
}

// dial makes a client. It connects when it is used; a password is exchanged for a token at once.
func (p *program) dial(spec *clientv3.ConfigSpec) (*clientv3.Client, error) {
	log, err := p.log()
	if err != nil {
		return nil, err
	}
	config, err := clientv3.NewClientConfig(spec, log)
	if err != nil {
		return nil, bad("%w", err)
	}
	config.Logger = log
	config.DialOptions = append(config.DialOptions, grpc.WithChainUnaryInterceptor(p.blame.intercept))
	client, err := clientv3.New(*config)
	if err != nil {
		return nil, &failure{exitBadConnection, err}
	}
	return client, nil
}

// log is where clientv3 says what it does. What it says of failed attempts is in the errors, too.
func (p *program) log() (*zap.Logger, error) {
	if !p.settings.debug {
		return zap.NewNop(), nil
	}
	return logutil.CreateDefaultZapLogger(zap.DebugLevel)
}

// at makes a client for one endpoint only.
func (s *session) at(endpoint string) (*clientv3.Client, error) {
	spec := s.spec.Clone()
	spec.Endpoints = []string{endpoint}
	return s.dial(spec)
}

// brief returns the context of a request that is soon answered or not at all.
func (s *session) brief() (context.Context, context.CancelFunc) {
	return context.WithTimeout(s.context, s.settings.commandTimeout)
}

// close ends the connection.
func (s *session) close() {
	if s.client != nil {
		_ = s.client.Close()
	}
}
