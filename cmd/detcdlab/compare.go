package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"detcd/bench"
	"detcd/faults/nemesis"
)

// launchTimeout bounds the start of a cluster.
const launchTimeout = 60 * time.Second

// system starts clusters of a binary in new directories that are gone when the cluster stops.
func system(name, binary, dir string, memberArgs []string) bench.System {
	start := func(ctx context.Context, members int) (bench.Running, error) {
		ctx, cancel := context.WithTimeout(ctx, launchTimeout)
		defer cancel()
		place, err := os.MkdirTemp(dir, "detcdlab-"+name+"-")
		if err != nil {
			return bench.Running{}, err
		}
		cluster, err := nemesis.Launch(ctx, nemesis.Options{
			Binary: binary, Members: members, Dir: place, Args: memberArgs,
		})
		if err != nil {
			return bench.Running{}, errors.Join(err, os.RemoveAll(place))
		}
		running := bench.Running{Endpoints: cluster.Endpoints()}
		for _, m := range cluster.Members() {
			running.PIDs = append(running.PIDs, m.PID())
		}
		running.Stop = func() error {
			return errors.Join(cluster.Exited(), cluster.Close(), os.RemoveAll(place))
		}
		return running, nil
	}
	return bench.System{Name: name, Start: start}
}

// compareCommand is `detcdlab bench compare`.
func compareCommand() *cobra.Command {
	var etcd, detcd, dir, transport string
	var only, memberArgs []string
	var strict, asJSON bool
	c := bench.Comparing{}
	command := &cobra.Command{
		Use:   "compare",
		Short: "Measure etcd and detcd in turn and hold the ratios against the goals",
		Long: `compare starts a new cluster of etcd and one of detcd, in turn, for every workload and
round, puts the same load on both and prints medians and ratios next to the goals P1 to P5. A ratio
is the median of those of the rounds: the two runs of a round are neighbours in time, and a machine
drifts.`,
		Example: `  detcdlab bench compare --etcd .cache/etcd/etcd --detcd bin/detcd
  detcdlab bench compare --etcd .cache/etcd/etcd --detcd bin/detcd --only P1,P3 --rounds 5`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if c.Rounds < 1 || c.Duration <= 0 {
				return errors.New("rounds and duration must be positive")
			}
			cases, err := chooseCases(only)
			if err != nil {
				return err
			}
			c.Cases, c.Transport = cases, bench.Transport(transport)
			c.Peer = system("etcd", etcd, dir, memberArgs)
			c.Candidate = system("detcd", detcd, dir, memberArgs)
			say := newSpeaker(command.ErrOrStderr())
			var head string
			c.Begin = func(step, steps int, what string) {
				head = fmt.Sprintf("[%d/%d] %s  ", step, steps, what)
				say.line(head)
			}
			c.Progress = func(p bench.Progress) { say.line(benchLine(head, p)) }
			result, err := bench.Compare(command.Context(), c)
			say.clear()
			if err == nil || result != nil && len(result.Cases[0].Candidate) > 0 {
				err = errors.Join(err, print(command.OutOrStdout(), result, asJSON))
			}
			if err != nil {
				return err
			}
			if missed := result.Missed(); strict && missed > 0 {
				return fmt.Errorf("%d goals were missed", missed)
			}
			return nil
		},
	}
	flags := command.Flags()
	flags.StringVar(&etcd, "etcd", ".cache/etcd/etcd", "the etcd server")
	flags.StringVar(&detcd, "detcd", "bin/detcd", "the detcd server")
	flags.StringSliceVar(&only, "only", nil, "goals to measure, such as P1,P3 (default all)")
	flags.IntVar(&c.Rounds, "rounds", 3, "how often each is measured")
	flags.DurationVar(&c.Duration, "duration", 5*time.Second, "of each measurement")
	flags.StringVar(&dir, "dir", "", "where the clusters keep their data; it should be on a real disk")
	flags.StringVar(&transport, "transport", string(bench.Wire), "client: wire or grpc")
	flags.StringArrayVar(&memberArgs, "member-arg", nil, memberArgUsage)
	flags.BoolVar(&strict, "strict", false, "end with status 1 when a goal is missed")
	flags.BoolVar(&asJSON, "json", false, "print all reports as JSON")
	return command
}

// chooseCases returns the cases of the named goals, all when none is named.
func chooseCases(only []string) ([]bench.Case, error) {
	all := bench.Goals()
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
			return nil, fmt.Errorf("no goal %q; there are %s", name,
				strings.Join(slices.Compact(names), ", "))
		}
	}
	return chosen, nil
}
