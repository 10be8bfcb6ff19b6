package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"detcd/bench"
)

// benchCommand is `detcdlab bench` with all below it.
func benchCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "bench",
		Short: "Measure an endpoint, or detcd and etcd side by side",
		Long: `bench has a command for each load on an endpoint (put, range, ...), and commands that start
detcd and etcd themselves and compare them (compare, scale).

Exit status of all: 0 measured, 2 wrong usage, 7 it could not be measured, or something failed.`,
		Args: cobra.NoArgs, // else a word that is no command would print the help, with status 0
		RunE: func(command *cobra.Command, _ []string) error { return command.Help() },
	}
	for _, w := range loads() {
		command.AddCommand(loadCommand(w))
	}
	command.AddCommand(compareCommand(), scaleCommand(), renderCommand())
	command.AddCommand(diskCommand(), floorCommand())
	return command
}

// A loadText describes a workload as a command.
type loadText struct {
	workload bench.Workload
	keys     int // by default
	short    string
	long     string
}

// loads are the workloads that have a command.
func loads() []loadText {
	return []loadText{
		{bench.Put, 100_000, "Write keys",
			`put writes values to keys, in a closed loop: every client waits for its answer before it
sends the next request. With --rate, requests are sent at fixed times, and a latency is counted from
the time at which its request was due.`},
		{bench.Range, 10_000, "Read keys",
			`range reads one key a request, or --span of them, linearizably or, with --serializable, from
whatever the member that is asked has applied. The keys are written first, unless --skip-load says
that an earlier run with the same sizes has done so.`},
		{bench.Txn, 10_000, "Read and write keys in transactions",
			`txn asks in each transaction whether a key exists, and then reads it in every second one and
writes it in the others. The keys are written first, unless --skip-load is given.`},
		{bench.Grant, 100_000, "Grant leases",
			`grant makes leases that nothing is attached to. They live for ten minutes.`},
		{bench.KeepAlive, 10_000, "Renew leases",
			`keep-alive grants --key-space-size leases and renews them at random, on one stream for each
connection.`},
		{bench.Watch, 1, "Write keys and count the events that watchers get",
			`watch puts --watchers watchers on the keys, the same number on each, with one stream for each
connection, and writes keys. An operation is an event that arrived; its latency begins when the put
was due. Without --rate, at most as many puts as there are clients are unseen by some watcher.`},
		{bench.STM, 1000, "Run software transactions of etcd's own client",
			`stm reads two keys and writes both in each transaction, with etcd's client and its STM, which
begins again when somebody else was faster.`},
		{bench.Empty, 1, "Ask for the status",
			`empty sends requests for the status of the member, which are empty.`},
	}
}

// loadCommand is the command of one workload.
func loadCommand(text loadText) *cobra.Command {
	o := bench.Options{Workload: text.workload}
	var asJSON bool
	var transport string
	command := &cobra.Command{
		Use:   string(text.workload),
		Short: text.short,
		Long:  text.long,
		Example: fmt.Sprintf(`  detcdlab bench %[1]s --clients 100 --conns 10 --duration 10s
  detcdlab bench %[1]s --clients 1 --total 10000 --pid $(pidof detcd) --json`, text.workload),
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			o.Transport = bench.Transport(transport)
			if o.Total == 0 && o.Duration == 0 {
				o.Duration = 10 * time.Second
			}
			for i, endpoint := range o.Endpoints {
				plain, err := hostPort(endpoint)
				if err != nil {
					return usage(err)
				}
				o.Endpoints[i] = plain
			}
			say := newSpeaker(command.ErrOrStderr())
			o.Progress = func(p bench.Progress) { say.line(benchLine("", p)) }
			report, err := bench.Run(command.Context(), o)
			say.clear()
			if errors.Is(err, bench.ErrOptions) {
				return usage(err)
			}
			if err != nil {
				return err
			}
			if err := print(command.OutOrStdout(), report, asJSON); err != nil {
				return err
			}
			if failed := report.Failed(); failed > 0 {
				return fmt.Errorf("%d operations failed", failed)
			}
			return nil
		},
	}
	addLoadFlags(command, &o, text)
	flags := command.Flags()
	flags.StringVar(&transport, "transport", string(bench.Wire),
		"client: wire (own HTTP/2, cheap) or grpc (ordinary stubs)")
	flags.BoolVar(&asJSON, "json", false, "print the report as JSON")
	return command
}

// addLoadFlags adds the flags of a load. What only one workload has, only its command shows.
func addLoadFlags(command *cobra.Command, o *bench.Options, text loadText) {
	flags := command.Flags()
	flags.StringSliceVar(&o.Endpoints, "endpoints", []string{"127.0.0.1:2379"},
		"members to send to; connections are spread over them")
	flags.IntVar(&o.Clients, "clients", 1, "requests under way at once")
	flags.IntVar(&o.Connections, "conns", 1, "connections that the clients share")
	flags.IntVar(&o.KeySize, "key-size", 8, "bytes of a key")
	flags.IntVar(&o.ValueSize, "val-size", 8, "bytes of a value")
	flags.IntVar(&o.Keys, "key-space-size", text.keys, "number of different keys")
	flags.BoolVar(&o.Sequential, "sequential-keys", false, "keys in order instead of at random")
	flags.Int64Var(&o.Total, "total", 0, "requests to send, instead of --duration")
	flags.DurationVar(&o.Duration, "duration", 0, "how long to send (default 10s)")
	flags.DurationVar(&o.WarmUp, "warm-up", 0, "load before the measurement begins")
	flags.Float64Var(&o.Rate, "rate", 0,
		"requests a second of all clients; 0: as fast as answers come")
	flags.Uint64Var(&o.Seed, "seed", 1, "of keys and values")
	flags.IntSliceVar(&o.PIDs, "pid", nil, "server processes whose processor time and memory to read")
	command.MarkFlagsMutuallyExclusive("total", "duration")
	switch text.workload {
	case bench.Range:
		flags.BoolVar(&o.Serializable, "serializable", false, "read what the member has applied")
		flags.IntVar(&o.Span, "span", 1, "keys that one request reads")
		flags.BoolVar(&o.SkipLoad, "skip-load", false, "the keys are there already")
	case bench.Txn, bench.KeepAlive:
		flags.BoolVar(&o.SkipLoad, "skip-load", false, "the keys or leases are there already")
	case bench.Watch:
		flags.IntVar(&o.Watchers, "watchers", 1, "watchers of all keys together")
	}
}

// hostPort takes an endpoint as etcdctl does, with or without a scheme.
func hostPort(endpoint string) (string, error) {
	plain := strings.TrimSuffix(strings.TrimPrefix(endpoint, "http://"), "/")
	switch {
	case strings.HasPrefix(endpoint, "https://"):
		return "", fmt.Errorf("endpoint %s: bench speaks no TLS", endpoint)
	case strings.Contains(plain, "/") || !strings.Contains(plain, ":"):
		return "", fmt.Errorf("endpoint %s: want host:port", endpoint)
	}
	return plain, nil
}

// benchLine is the line that is shown while something is measured.
func benchLine(what string, p bench.Progress) string {
	return fmt.Sprintf("%s%-8s %s %3.0f%%  %.0f/s  %d done", what, p.Phase,
		bar(p.Fraction, 20), 100*p.Fraction, p.PerSecond, p.Operations)
}
