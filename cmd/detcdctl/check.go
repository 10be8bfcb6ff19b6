package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func (p *program) checkCommand() *cobra.Command {
	return family("check", "Whether a cluster is up to a load",
		p.checkPerfCommand(), p.checkDatascaleCommand())
}

// checking is what both checks are told.
type checking struct {
	load, prefix    string
	compact, defrag bool
}

func (c *checking) register(f *pflag.FlagSet, prefix string) {
	f.StringVar(&c.load, "load", "s", "s(small), m(medium), l(large) or xl(xLarge)")
	f.StringVar(&c.prefix, "prefix", prefix, "of all keys that are written, and deleted afterwards")
	f.BoolVar(&c.compact, "auto-compact", false, "compact afterwards")
	f.BoolVar(&c.defrag, "auto-defrag", false, "defragment afterwards")
}

// choose finds the load that is meant.
func choose(name string, small, medium, large, xLarge load) (load, error) {
	switch name {
	case "s", "small":
		return small, nil
	case "m", "medium":
		return medium, nil
	case "l", "large":
		return large, nil
	case "xl", "xLarge":
		return xLarge, nil
	}
	return load{}, fail(exitBadFeature, "unknown load option %v", name)
}

// perfDuration is how long check perf takes.
const perfDuration = time.Minute

func (p *program) checkPerfCommand() *cobra.Command {
	var flags checking
	perf := func(rate, clients int) load {
		return load{
			clients: clients, rate: rate, duration: perfDuration, keyBytes: 256, valBytes: 1024,
		}
	}
	command := p.command(verb{
		use: "perf [options]", short: "Write for a minute, and judge how fast that was",
		long: `Writes keys for a minute at the rate of a load, from many clients at once, and deletes
them. It passes if nine tenths of the rate are reached, no write takes more than half a second,
and the standard deviation is no more than a tenth.

  small   150 writes/s, 50 clients     large   8000 writes/s, 500 clients
  medium 1000 writes/s, 200 clients    xLarge 15000 writes/s, 1000 clients`,
		formats: asAny, flags: func(f *pflag.FlagSet) { flags.register(f, "/etcdctl-check-perf/") },
		run: func(s *session, _ []string) error {
			load, err := choose(flags.load, perf(150, 50), perf(1000, 200), perf(8000, 500),
				perf(15000, 1000))
			if err != nil {
				return err
			}
			load.prefix = flags.prefix
			return s.perf(load, flags)
		},
	})
	complete(command, "load", "small", "medium", "large", "xLarge")
	return command
}

// perf runs the load, cleans up and judges.
func (s *session) perf(load load, flags checking) error {
	ctx, stop := signal.NotifyContext(s.context, os.Interrupt, syscall.SIGTERM)
	defer stop()
	progress := meter{program: s.program}
	start := time.Now()
	outcome, err := s.burden(ctx, load, flags, func(count int) {
		progress.draw(int64(time.Since(start)), int64(load.duration), fmt.Sprintf("%d writes", count))
	}, func() error { return nil })
	progress.clear()
	if err != nil {
		return err
	}
	passed := s.judge(outcome, load.rate)
	if !passed {
		fmt.Fprintln(s.out, "FAIL")
		return &failure{status: exitError}
	}
	fmt.Fprintln(s.out, "PASS")
	return nil
}

// burden checks that the place is free, runs the load and takes it away again. It tells done after
// each put, and calls peak when everything is there.
func (s *session) burden(
	ctx context.Context, load load, flags checking, done func(int), peak func() error,
) (*outcome, error) {
	r, err := s.client.Get(ctx, load.prefix, clientv3.WithPrefix(), clientv3.WithLimit(1))
	switch {
	case err != nil:
		return nil, err
	case len(r.Kvs) > 0:
		return nil, fail(exitInvalidInput, "prefix %q has keys. Delete with 'detcdctl del --prefix "+
			"%s' first", load.prefix, load.prefix)
	}
	outcome, err := load.run(ctx, s, done)
	err = errors.Join(err, peak())
	s.cleanUp(load.prefix, flags)
	switch {
	case err != nil:
		return nil, err
	case ctx.Err() != nil:
		return nil, errors.New("interrupted; what was written is deleted")
	}
	return outcome, nil
}

// cleanUpTimeout bounds each step of cleaning up.
const cleanUpTimeout = 30 * time.Second

// cleanUp deletes what was written, and more if that is wanted.
func (s *session) cleanUp(prefix string, flags checking) {
	ctx, done := context.WithTimeout(s.context, cleanUpTimeout)
	defer done()
	r, err := s.client.Delete(ctx, prefix, clientv3.WithPrefix())
	if err != nil {
		fmt.Fprintf(s.out, "FAIL: Cleanup failed during key deletion: ERROR(%v)\n", err)
		return
	}
	if flags.compact {
		revision := r.Header.GetRevision()
		fmt.Fprintf(s.out, "Compacting with revision %d\n", revision)
		if _, err := s.client.Compact(ctx, revision, clientv3.WithCompactPhysical()); err != nil {
			s.warn("Error: %v", err)
			return
		}
		fmt.Fprintf(s.out, "Compacted with revision %d\n", revision)
	}
	for _, endpoint := range s.client.Endpoints() {
		if !flags.defrag {
			continue
		}
		fmt.Fprintf(s.out, "Defragmenting %q\n", endpoint)
		if _, err := s.client.Defragment(ctx, endpoint); err != nil {
			s.warn("Error: %v", err)
			return
		}
		fmt.Fprintf(s.out, "Defragmented %q\n", endpoint)
	}
}

// The limits of check perf.
const (
	rateShare    = 0.9 // of the rate that was asked for
	slowestMax   = 0.5 // seconds
	deviationMax = 0.1 // seconds
)

// judge prints a line for each limit, and whether all were kept.
func (s *session) judge(o *outcome, rate int) bool {
	passed := s.tellErrors(o)
	line := func(good bool, pass, fail string, value any) {
		passed = passed && good
		if good {
			fmt.Fprintf(s.out, "PASS: "+pass+"\n", value)
		} else {
			fmt.Fprintf(s.out, fail+"\n", value)
		}
	}
	line(o.perSecond()/float64(rate) > rateShare, "Throughput is %d writes/s",
		"FAIL: Throughput too low: %d writes/s", int(o.perSecond())+1)
	line(o.slowest <= slowestMax, "Slowest request took %fs",
		"Slowest request took too long: %fs", o.slowest)
	line(o.deviation() <= deviationMax, "Stddev is %fs", "Stddev too high: %fs", o.deviation())
	return passed
}

// tellErrors prints the errors of a load, and whether there were none.
func (s *session) tellErrors(o *outcome) bool {
	if len(o.errors) > 0 {
		fmt.Fprintln(s.out, "FAIL: too many errors")
	}
	for _, text := range slices.Sorted(maps.Keys(o.errors)) {
		fmt.Fprintf(s.out, "FAIL: ERROR(%v) -> %d\n", text, o.errors[text])
	}
	return len(o.errors) == 0
}
