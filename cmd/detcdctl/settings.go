package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// settings is what every command knows: where the servers are, who asks, and how to answer.
type settings struct {
	client         clientv3.ConfigSpec
	secure         clientv3.SecureConfig
	auth           clientv3.AuthConfig
	discovery      discovery
	commandTimeout time.Duration
	format         string
	hex            bool
	debug          bool
}

// discovery is where to look up the endpoints.
type discovery struct {
	domain, service string
	insecure        bool
}

// formatNames are the values of --write-out.
const formatNames = "fields json protobuf simple table"

// register declares the flags of all commands.
func (s *settings) register(f *pflag.FlagSet) {
	f.StringSliceVar(&s.client.Endpoints, "endpoints", []string{"127.0.0.1:2379"},
		"addresses of the servers, separated by commas")
	f.StringVarP(&s.format, "write-out", "w", "simple",
		"how to print: simple, json, fields, protobuf or table")
	f.BoolVar(&s.hex, "hex", false, "print keys and values, or IDs, in hexadecimal")
	f.BoolVar(&s.debug, "debug", false, "tell on standard error what the client does")

	f.DurationVar(&s.client.DialTimeout, "dial-timeout", 2*time.Second,
		"time to reach a server for a password")
	f.DurationVar(&s.commandTimeout, "command-timeout", 5*time.Second,
		"time for one request; watches and the like have no limit")
	f.DurationVar(&s.client.KeepAliveTime, "keepalive-time", 2*time.Second,
		"ask a silent connection after this time whether it is alive")
	f.DurationVar(&s.client.KeepAliveTimeout, "keepalive-timeout", 6*time.Second,
		"and give it up when it has not answered for this time")
	f.IntVar(&s.client.MaxCallSendMsgSize, "max-request-bytes", 0,
		"largest request, in bytes (0: 2 MiB)")
	f.IntVar(&s.client.MaxCallRecvMsgSize, "max-recv-bytes", 0,
		"largest response, in bytes (0: 2 GiB)")

	f.BoolVar(&s.secure.InsecureTransport, "insecure-transport", true,
		"plain text where no certificate is given")
	f.BoolVar(&s.secure.InsecureSkipVerify, "insecure-skip-tls-verify", false,
		"take any certificate of the server; for tests only")
	f.StringVar(&s.secure.Cert, "cert", "", "file with the certificate to show to the server")
	f.StringVar(&s.secure.Key, "key", "", "file with the key of that certificate")
	f.StringVar(&s.secure.Cacert, "cacert", "", "file with the authorities to trust")

	f.StringVar(&s.auth.Username, "user", "",
		"name[:password]; the password is asked for where it is missing")
	f.StringVar(&s.auth.Password, "password", "", "password of --user, which then has none")
	f.StringVar(&s.auth.Token, "auth-jwt-token", "", "token instead of user and password")

	f.StringVarP(&s.discovery.domain, "discovery-srv", "d", "",
		"domain whose SRV records name the servers")
	f.StringVar(&s.discovery.service, "discovery-srv-name", "",
		"suffix of the service in those records")
	f.BoolVar(&s.discovery.insecure, "insecure-discovery", true,
		"take servers without TLS from those records, too")
}

const environmentPrefix = "ETCDCTL_"

// variable is the environment variable of a flag.
func variable(flag string) string {
	return environmentPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// otherVariables begin like those of flags, and are none. ETCDCTL_API selected one of two APIs in
// etcdctl before 3.6 and is in many profiles still.
const otherVariables = "ETCDCTL_WATCH_KEY ETCDCTL_WATCH_RANGE_END ETCDCTL_API"

// takeEnvironment sets from the environment what no flag has set, and that is not empty.
func (p *program) takeEnvironment(command *cobra.Command) error {
	flags := map[string]*pflag.Flag{}
	command.InheritedFlags().VisitAll(func(f *pflag.Flag) { flags[variable(f.Name)] = f })
	all := map[string]bool{}
	command.Root().PersistentFlags().VisitAll(func(f *pflag.Flag) { all[variable(f.Name)] = true })
	for _, entry := range p.environ {
		key, value, _ := strings.Cut(entry, "=")
		flag := flags[key]
		switch {
		case !strings.HasPrefix(key, environmentPrefix) || value == "":
		case key == "ETCDCTL_API" && value != "3":
			p.warn("Warning: there is no API but 3; %s is ignored", entry)
		case flag != nil && !flag.Changed:
			if err := command.Flags().Set(flag.Name, value); err != nil {
				return bad("invalid value %q for %s: %v", value, key, err)
			}
		case flag == nil && !all[key] && !slices.Contains(strings.Fields(otherVariables), key):
			p.warn("Warning: the variable %s belongs to no flag", key)
		}
	}
	return nil
}

// variables returns what is in force, as lines of the environment. Secrets are not shown.
func variables(flags *pflag.FlagSet) []string {
	lines := map[string]string{}
	flags.VisitAll(func(f *pflag.Flag) {
		value := f.Value.String()
		switch f.Name {
		case "user":
			value, _, _ = strings.Cut(value, ":")
		case "password", "auth-jwt-token":
			if value != "" {
				value = "…"
			}
		}
		lines[f.Name] = fmt.Sprintf("%s=%s", variable(f.Name), value)
	})
	return slices.Sorted(maps.Values(lines))
}
