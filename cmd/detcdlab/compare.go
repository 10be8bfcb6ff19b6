package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"detcd/bench"
	"detcd/faults/nemesis"
)

// launchTimeout bounds the start of a cluster.
const launchTimeout = 60 * time.Second

// system starts clusters of a binary in new directories that are gone when the cluster stops.
func system(name, binary, dir string, memberArgs []string) bench.System {
	start := func(
		ctx context.Context, members int, distance bench.Distance,
	) (bench.Running, error) {
		ctx, cancel := context.WithTimeout(ctx, launchTimeout)
		defer cancel()
		place, err := os.MkdirTemp(dir, "detcdlab-"+name+"-")
		if err != nil {
			return bench.Running{}, err
		}
		options := nemesis.Options{Binary: binary, Members: members, Dir: place, Args: memberArgs}
		if options.Distance = nemesis.Distance(distance); distance != (bench.Distance{}) {
			options.Network = nemesis.Relayed
		}
		cluster, err := nemesis.Launch(ctx, options)
		if err != nil {
			return bench.Running{}, errors.Join(err, os.RemoveAll(place))
		}
		running := bench.Running{Endpoints: cluster.Endpoints()}
		for _, m := range cluster.Members() {
			running.PIDs = append(running.PIDs, m.PID())
			running.Members = append(running.Members, m)
		}
		running.Stop = func() error {
			return errors.Join(cluster.Exited(), cluster.Close(), os.RemoveAll(place))
		}
		return running, nil
	}
	return bench.System{Name: name, Start: start}
}

// A comparison is the command's flags.
type comparison struct {
	bench.Comparing
	etcd, detcd, dir, transport string
	only, memberArgs            []string
	strict                      bool
	output                      output
}

// compareCommand is `detcdlab bench compare`.
func compareCommand() *cobra.Command {
	c := &comparison{}
	command := &cobra.Command{
		Use:   "compare",
		Short: "Measure etcd and detcd in turn and hold the ratios against the goals",
		Long: `compare starts a new cluster of etcd and one of detcd, in turn, for every workload and
round, puts the same load on both and prints medians and ratios next to the goals P1 to P11. A ratio
is the median of those of the rounds: the two runs of a round are neighbours in time, and a machine
drifts. It says first how long it will take; --limit ends it earlier, after a whole round.`,
		Example: `  detcdlab bench compare --html report.html
  detcdlab bench compare --only P1,P3 --rounds 3
  detcdlab bench compare --limit 15m --markdown table.md --json all.json`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error { return c.run(command) },
	}
	flags := command.Flags()
	c.addFlags(flags)
	flags.StringSliceVar(&c.only, "only", nil,
		"goals to measure, such as P1,P3; + is what has no goal (default all)")
	flags.IntVar(&c.Rounds, "rounds", 5, "how often each is measured")
	flags.DurationVar(&c.Duration, "duration", 3*time.Second, "of each measurement")
	flags.BoolVar(&c.strict, "strict", false, "end with status 1 when a goal is missed")
	return command
}

// addFlags adds the flags of every comparison.
func (c *comparison) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&c.etcd, "etcd", ".cache/etcd/etcd", "the etcd server")
	flags.StringVar(&c.detcd, "detcd", "bin/detcd", "the detcd server")
	flags.StringVar(&c.dir, "dir", "",
		"where the clusters keep their data; it should be on a real disk (default: temporary files)")
	flags.StringArrayVar(&c.memberArgs, "member-arg", []string{"--quota-backend-bytes=17179869184"},
		memberArgUsage)
	flags.StringVar(&c.transport, "transport", string(bench.Wire), "client: wire or grpc")
	flags.DurationVar(&c.Limit, "limit", 0, "begin no round that would end later than this")
	c.output.addFlags(flags)
}

// check refuses what cannot be measured or written, before anything is started.
func (c *comparison) check() error {
	if c.Rounds < 1 || c.Duration <= 0 || c.Limit < 0 {
		return usagef("rounds and duration must be positive, and limit not negative")
	}
	if c.transport != string(bench.Wire) && c.transport != string(bench.GRPC) {
		return usagef("--transport %s: want %s or %s", c.transport, bench.Wire, bench.GRPC)
	}
	for flag, binary := range map[string]string{"etcd": c.etcd, "detcd": c.detcd} {
		if _, err := exec.LookPath(binary); err != nil {
			return usagef("--%s: %v", flag, err)
		}
	}
	if _, err := chooseCases(bench.Goals(""), c.only); err != nil {
		return usage(err)
	}
	return c.output.check()
}

func (c *comparison) run(command *cobra.Command) error {
	if err := c.check(); err != nil {
		return err
	}
	stop, err := c.choose()
	if err != nil {
		return err
	}
	defer stop()
	result, err := c.measure(command)
	if err == nil || result != nil && len(result.Cases[0].Ratios) > 0 {
		err = errors.Join(err, c.output.write(command.OutOrStdout(), result))
	}
	if err != nil {
		return err
	}
	if len(result.Failures) > 0 {
		return fmt.Errorf("%d measurements failed", len(result.Failures))
	}
	if kept, all := result.Claims(); c.strict && kept < all {
		return exitError{exitViolated, fmt.Sprintf("%d goals of %d were missed", all-kept, all)}
	}
	return nil
}

// choose sets the cases, and starts the server of empty calls if one of them wants it.
func (c *comparison) choose() (stop func(), err error) {
	if c.Cases, err = chooseCases(bench.Goals(""), c.only); err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(c.Cases, func(one bench.Case) bool { return one.Name == floorGoal }) {
		return func() {}, nil
	}
	floor, _, stop, err := launchFloor()
	if err != nil {
		return nil, err
	}
	c.Cases, err = chooseCases(bench.Goals(floor), c.only)
	return stop, err
}

// floorGoal is the goal that is held against an empty call.
const floorGoal = "P10"

// measure says how long it will take and measures the cases.
func (c *comparison) measure(command *cobra.Command) (*bench.Comparison, error) {
	c.Transport = bench.Transport(c.transport)
	c.Peer = system("etcd", c.etcd, c.dir, c.memberArgs)
	c.Candidate = system("detcd", c.detcd, c.dir, c.memberArgs)
	say := newSpeaker(command.ErrOrStderr())
	c.report(say)
	command.PrintErrf("about %v in %d rounds\n", c.Takes().Round(time.Minute), c.Rounds)
	defer say.clear()
	return bench.Compare(command.Context(), c.Comparing)
}

// report makes the comparison say how far it is.
func (c *comparison) report(say *speaker) {
	var head string
	c.Begin = func(step, steps int, what string) {
		head = fmt.Sprintf("[%d/%d] %s  ", step, steps, what)
		say.line(head)
	}
	c.Progress = func(p bench.Progress) { say.line(benchLine(head, p)) }
}

// chooseCases returns the cases of the named goals, all when none is named.
func chooseCases(all []bench.Case, only []string) ([]bench.Case, error) {
	if len(only) == 0 {
		return all, nil
	}
	var chosen []bench.Case
	for _, name := range only {
		before := len(chosen)
		for _, one := range all {
			if strings.EqualFold(one.Name, strings.TrimSpace(name)) {
				chosen = append(chosen, one)
			}
		}
		if len(chosen) == before {
			var names []string
			for _, one := range all {
				names = append(names, one.Name)
			}
			slices.Sort(names)
			return nil, fmt.Errorf("no goal %q; there are %s", name,
				strings.Join(slices.Compact(names), ", "))
		}
	}
	return chosen, nil
}
