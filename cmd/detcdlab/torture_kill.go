package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/spf13/cobra"

	"detcd/faults/nemesis"
)

// tortureOptions are the flags of torture-kill.
type tortureOptions struct {
	binary     string
	members    int
	kills      int64
	every      time.Duration
	workers    int
	rate       float64
	size       int
	seed       uint64
	compact    time.Duration
	dir        string
	memberArgs []string
}

// A tortureReport is what a torture counted.
type tortureReport struct {
	counts
	Kills     int64         `json:"kills"`
	Elapsed   time.Duration `json:"elapsed_ns"`
	Revision  int64         `json:"revision"`
	Compacted int64         `json:"compacted"`
	Resumed   int64         `json:"watch_resumes"`

	Interruptions int           `json:"interruptions"` // of writes
	Median        time.Duration `json:"median_interruption_ns"`
	Longest       time.Duration `json:"longest_interruption_ns"`
}

// String returns the report as lines of text.
func (r *tortureReport) String() string {
	return fmt.Sprintf(`kills                     %d in %v (%.2f a second)
writes acknowledged       %d, all found
writes without an answer  %d, of which %d were applied, whole and once
linearizable reads        %d, none stale
watch events delivered    %d, none missed, none repeated, over %d resumptions
leases ended              %d, none too early; %d kept alive throughout
revision                  %d, compacted up to %d
interruptions of writes   %d of %v and more, median %v, longest %v
`,
		r.Kills, r.Elapsed.Round(time.Millisecond), float64(r.Kills)/r.Elapsed.Seconds(),
		r.Acknowledged, r.Unknown, r.Recovered, r.Reads, r.Delivered, r.Resumed,
		r.LeasesEnded, keptLeases, r.Revision, r.Compacted,
		r.Interruptions, gapMin, r.Median.Round(time.Millisecond),
		r.Longest.Round(time.Millisecond))
}

// fastElections are flags that make a cluster of one machine elect within a second.
func fastElections() []string {
	return []string{"--heartbeat-interval=50", "--election-timeout=500"}
}

// What flags mean that several commands have.
const (
	dirUsage       = "for data and logs, kept; default: temporary, kept on failure"
	memberArgUsage = "further flag for every member; repeatable"
)

// torture runs the kills. The report is of no use when there is an error.
func torture(ctx context.Context, o tortureOptions, say *speaker) (*tortureReport, error) {
	where, err := newPlace(o.dir)
	if err != nil {
		return nil, err
	}
	cluster, err := nemesis.Launch(ctx, nemesis.Options{
		Binary: o.binary, Members: o.members, Dir: where.dir,
		Args: append(fastElections(), o.memberArgs...),
	})
	if err != nil {
		return nil, where.leave(nil, err)
	}
	d := newDrill(cluster, drillOptions{
		workers: o.workers, rate: o.rate, size: o.size, seed: o.seed, compactEvery: o.compact,
		log: func(format string, arguments ...any) {},
	})
	stop := say.every(time.Second/2, func() string { return d.progress(o.kills) })
	begin := time.Now()
	var killing time.Duration
	err = d.run(ctx, func(ctx context.Context) error {
		k := &killer{drill: d, random: rand.New(rand.NewPCG(o.seed, 1<<33)), every: o.every}
		err := k.run(ctx, o.kills)
		killing = time.Since(begin)
		return err
	})
	stop()
	if err = where.leave(cluster, err); err != nil {
		return nil, err
	}
	return d.report(killing), nil
}

// progress is the line that is shown while a torture runs.
func (d *drill) progress(kills int64) string {
	c := d.ledger.tally()
	return fmt.Sprintf("%d of %d kills, %d writes acknowledged, %d watch events, revision %d, "+
		"no violation", d.kills.Load(), kills, c.Acknowledged, c.Delivered, d.ledger.position())
}

func (d *drill) report(killing time.Duration) *tortureReport {
	r := &tortureReport{
		counts: d.ledger.tally(), Kills: d.kills.Load(), Elapsed: killing,
		Revision: d.ledger.position(), Compacted: d.compacted.Load(), Resumed: d.resumed.Load(),
	}
	r.Interruptions, r.Median, r.Longest = d.acks.interruptions()
	return r
}

// tortureKillCommand is `detcdlab torture-kill`.
func tortureKillCommand() *cobra.Command {
	var o tortureOptions
	var asJSON bool
	command := &cobra.Command{
		Use:   "torture-kill",
		Short: "Kill members with SIGKILL, many times, under load, and check that nothing is lost",
		Long: `torture-kill starts a cluster on this machine and puts clients on it that put, delete,
compare and swap, read, hold leases and watch. Then it kills members with SIGKILL and starts them
again, over and over: mostly one, often the leader, now and then a majority or all of them.

Every answer and every watch event is checked while it runs, and at the end everything is read
back from every member:

  - no acknowledged write is lost, and one without an answer happened whole and once, or not at all;
  - no revision that a client was shown is ever taken back;
  - a watch that is resumed misses nothing and repeats nothing;
  - a lease does not end before its time, and one that is kept alive keeps its keys;
  - all members hold the same.

Exit status: 0 all of this holds, 1 it does not, and the evidence is shown, 2 wrong usage, 7 it
could not be tried: the cluster did not start, say, or a disk is full.`,
		Example: `  detcdlab torture-kill --binary bin/detcd --kills 1000
  detcdlab torture-kill --binary .cache/etcd/etcd --kills 100 --members 5 --every 300ms`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if o.workers < 1 || o.kills < 1 || o.rate <= 0 || o.every <= 0 || o.size < 0 || o.compact < 0 {
				return usagef("clients, kills, rate and every must be positive")
			}
			if err := checkServer(o.binary, o.members); err != nil {
				return err
			}
			say := newSpeaker(command.ErrOrStderr())
			report, err := torture(command.Context(), o, say)
			if err != nil {
				return err
			}
			return print(command.OutOrStdout(), report, asJSON)
		},
	}
	flags := command.Flags()
	flags.StringVar(&o.binary, "binary", "bin/detcd", "server to torture: detcd or etcd")
	flags.IntVar(&o.members, "members", 3, "size of the cluster")
	flags.Int64Var(&o.kills, "kills", 1000, "processes to kill")
	flags.DurationVar(&o.every, "every", 600*time.Millisecond, "mean time between two strikes")
	flags.IntVar(&o.workers, "clients", 8, "clients that write and read")
	flags.Float64Var(&o.rate, "rate", 1000, "requests a second of all clients together")
	flags.IntVar(&o.size, "val-size", 64, "bytes of a value")
	flags.Uint64Var(&o.seed, "seed", 1, "of the choices of clients and killer")
	flags.DurationVar(&o.compact, "compact-every", 5*time.Second, "time between compactions; 0: never")
	flags.StringVar(&o.dir, "dir", "", dirUsage)
	flags.StringArrayVar(&o.memberArgs, "member-arg", nil, memberArgUsage)
	flags.BoolVar(&asJSON, "json", false, "print the report as JSON")
	return command
}
