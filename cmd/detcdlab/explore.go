package main

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"detcd/sim/explore"
)

// exploreOptions are the flags of explore.
type exploreOptions struct {
	explore.Options
	limit  time.Duration
	replay string
}

func exploreCommand() *cobra.Command {
	o := &exploreOptions{}
	cmd := &cobra.Command{
		Use:   "explore",
		Short: "Follow every order of events in a small world, up to a bound",
		Long: `explore follows every order of deliveries, losses, time-outs, crashes, slow writes
and requests of a small cluster, with the real consensus and its real log on a disk in memory, and
judges each state. Of states that differ only in which member is which, one is followed. What it
does not find within its bounds is not there.

A choice is written as t2 (m2 waits in vain and campaigns), b2 (m2, who leads, ticks), p2 and r2 (m2
is asked for a command, for a read), c2 (m2 crashes and starts again; k2: when its disk has done
what it was at), w2 (the slow disk of m2 is done), or 1>2 (the oldest message from m1 to m2
arrives; 1>2#2: the one behind it; 1>>2: and will again; 1>2!: when m2 has not heard of its leader
for an election time-out). A ~ behind it says that its disk is slow.

Exit status: 0 everything holds, 1 something does not, 2 wrong usage.`,
		Example: `  detcdlab explore --depth 100 --terms 2 --ordered --in-flight 1
  detcdlab explore --depth 8
  detcdlab explore --replay "t1 1>2 2>1"`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("replay") {
				return replayExplored(o, cmd.OutOrStdout())
			}
			return runExplore(cmd.Context(), o, cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.Members, "members", 3, "members, 1 to 5")
	f.IntVar(&o.Depth, "depth", 8, "choices in a run, behind --from")
	f.IntVar(&o.Terms, "terms", 3, "nobody campaigns beyond this term; they begin with 1")
	f.IntVar(&o.Crashes, "crashes", 1, "crashes in a run, each with a start right behind it")
	f.IntVar(&o.Proposals, "proposals", 1, "commands of clients in a run")
	f.IntVar(&o.Reads, "reads", 1, "linearizable reads of clients in a run")
	f.IntVar(&o.Beats, "beats", 0, "ticks of leaders in a run")
	f.IntVar(&o.SlowWrites, "slow-writes", 0, "writes in a run that do not end at once")
	f.IntVar(&o.Duplicates, "duplicates", 0, "messages in a run that arrive twice")
	f.IntVar(&o.InFlight, "in-flight", 2, "messages on one link; beyond it the oldest is lost")
	f.BoolVar(&o.Ordered, "ordered", false, "links keep the order of messages; they may lose any")
	f.BoolVar(&o.PreVote, "pre-vote", false, "members ask whether they could win before they campaign")
	f.BoolVar(&o.Asymmetric, "asymmetric", false, "follow states that differ only in who is who, too")
	f.IntVar(&o.States, "states", 8_000_000, "end when there are so many states; 0: no bound")
	f.DurationVar(&o.limit, "time", 0, "end after this time; 0: no bound")
	f.StringVar(&o.From, "from", "", "choices that come before all others; they count for the bounds")
	f.StringVar(&o.replay, "replay", "", "play these choices and tell them, instead")
	return cmd
}

func runExplore(ctx context.Context, o *exploreOptions, out io.Writer) error {
	debug.SetGCPercent(gcPercent)
	start := time.Now()
	o.Stop = func() bool { return ctx.Err() != nil || o.limit > 0 && time.Since(start) > o.limit }
	tell := func(r explore.Result) {
		wall := time.Since(start).Seconds()
		fmt.Fprintf(out, "depth %-3d %9d states %10d edges %7d states of members %7.1fs %8.0f edges/s\n",
			r.Depth, r.States, r.Edges, r.Locals, wall, float64(r.Edges)/wall)
	}
	o.Tell = tell
	r, err := explore.Run(o.Options)
	switch {
	case err != nil:
		return exitError{exitUsage, err.Error()}
	case r.Broken != "":
		if err := o.story(out, r.Path); err != nil {
			return err
		}
		return exitError{exitViolated, fmt.Sprintf("%s\n  detcdlab explore %s--replay %q",
			r.Broken, o.bounds(), r.Path)}
	case r.Why != "":
		tell(r)
		fmt.Fprintf(out, "everything holds up to depth %d; %s before the next was done\n", r.Depth, r.Why)
		return ctx.Err()
	case r.Complete:
		tell(r)
		fmt.Fprintln(out, "everything holds; nothing more can happen within the other bounds")
	default:
		fmt.Fprintf(out, "everything holds up to depth %d\n", r.Depth)
	}
	return nil
}

// bounds are the flags without which a path may not be played again: what a choice is called hangs
// on the links, and what can be chosen on how often it may be.
func (o *exploreOptions) bounds() string {
	text := fmt.Sprintf("--members %d --terms %d --crashes %d --proposals %d --reads %d --beats %d "+
		"--slow-writes %d --duplicates %d --in-flight %d ", o.Members, o.Terms, o.Crashes, o.Proposals,
		o.Reads, o.Beats, o.SlowWrites, o.Duplicates, o.InFlight)
	if o.Ordered {
		text += "--ordered "
	}
	if o.PreVote {
		text += "--pre-vote "
	}
	return text
}

// story prints the choices of a path in words.
func (o *exploreOptions) story(out io.Writer, path string) error {
	lines, _, err := explore.Story(o.Options, path)
	fmt.Fprintln(out, strings.Join(lines, "\n"))
	if err != nil {
		return exitError{exitUsage, err.Error()}
	}
	return nil
}

func replayExplored(o *exploreOptions, out io.Writer) error {
	lines, broken, err := explore.Story(o.Options, o.replay)
	fmt.Fprintln(out, strings.Join(lines, "\n"))
	switch {
	case err != nil:
		return exitError{exitUsage, err.Error()}
	case broken != "":
		return exitError{exitViolated, broken}
	}
	return nil
}
