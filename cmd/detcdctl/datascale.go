package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func (p *program) checkDatascaleCommand() *cobra.Command {
	var flags checking
	scale := func(count, clients int) load {
		return load{clients: clients, count: count, keyBytes: 512, valBytes: 512}
	}
	command := p.command(verb{
		use: "datascale [options]", short: "Write many keys, and print what memory they take",
		long: `Writes keys of 1 KiB with their values, deletes them, and prints by how much the memory of
the first endpoint's server grew, as its /metrics tell.

  small   10000 keys, 50 clients     large  1000000 keys, 500 clients
  medium 100000 keys, 200 clients    xLarge 3000000 keys, 1000 clients`,
		formats: asAny,
		flags:   func(f *pflag.FlagSet) { flags.register(f, "/etcdctl-check-datascale/") },
		run: func(s *session, _ []string) error {
			load, err := choose(flags.load, scale(10000, 50), scale(100000, 200),
				scale(1000000, 500), scale(3000000, 1000))
			if err != nil {
				return err
			}
			load.prefix = flags.prefix
			return s.datascale(load, flags)
		},
	})
	complete(command, "load", "small", "medium", "large", "xLarge")
	return command
}

// datascale runs the load between two looks at the memory.
func (s *session) datascale(load load, flags checking) error {
	ctx, stop := signal.NotifyContext(s.context, os.Interrupt, syscall.SIGTERM)
	defer stop()
	before, err := s.memory(ctx)
	if err != nil {
		return fmt.Errorf("FAIL: Could not read %s before the put operations: %w", residentMemory, err)
	}
	fmt.Fprintf(s.out, "Start data scale check for work load [%v key-value pairs, %v bytes per "+
		"key-value, %v concurrent clients].\n", load.count, load.keyBytes+load.valBytes, load.clients)
	progress := meter{program: s.program}
	after := 0.0
	outcome, err := s.burden(ctx, load, flags, func(count int) {
		progress.draw(int64(count), int64(load.count), fmt.Sprintf("%d keys", count))
	}, func() (err error) {
		after, err = s.memory(ctx)
		return err
	})
	progress.clear()
	if err != nil {
		return err
	}
	if !s.tellErrors(outcome) {
		return &failure{status: exitError}
	}
	fmt.Fprintf(s.out, "PASS: Approximate system memory used : %.2f MB.\n", (after-before)/(1<<20))
	return nil
}

// residentMemory is the metric that is read.
const residentMemory = "process_resident_memory_bytes"

// memory reads from the first endpoint how much memory its process has.
func (s *session) memory(ctx context.Context) (float64, error) {
	config, err := clientv3.NewClientConfig(s.spec, nil)
	if err != nil {
		return 0, err
	}
	url := s.spec.Endpoints[0]
	switch {
	case strings.Contains(url, "://"):
	case config.TLS != nil:
		url = "https://" + url
	default:
		url = "http://" + url
	}
	client := http.Client{Transport: &http.Transport{TLSClientConfig: config.TLS}}
	defer client.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	r, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	defer r.Body.Close()
	lines := bufio.NewScanner(r.Body)
	for lines.Scan() {
		if value, found := strings.CutPrefix(lines.Text(), residentMemory+" "); found {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, errors.Join(lines.Err(), fmt.Errorf("%s/metrics has no %s", url, residentMemory))
}
