package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"detcd/sim"
)

// simOptions are the flags of sim.
type simOptions struct {
	runFlags
	seeds    string
	jobs     int
	shard    string
	trace    string
	failures string
	json     bool
	twice    bool
	coverage bool

	mayLose bool // the plans have no budget: a run may end in proof that too much was lost
}

// jobsMax bounds the processes that run at a time.
const jobsMax = 1024

func simCommand() *cobra.Command {
	o := &simOptions{}
	cmd := &cobra.Command{
		Use:   "sim",
		Short: "Run whole clusters in a deterministic world, one for each seed",
		Long: `sim runs clusters of the real code (consensus, storage, keys, leases, watches) in virtual
time, with simulated networks, disks, clocks and clients, breaks them as each seed's plan says,
and judges every run. The same seed gives the same run, event for event, on every machine.

One line a seed: seed, profile, verdict, events, operations, virtual and wall time, speed, hash.

What the seed draws can be said instead: with flags, or with a file (--plan). A file with a seed is
a whole run; one without is a part of it, and the rest is drawn. A flag goes before a line.

Exit status: 0 all green, 1 a promise was broken (safety), 2 wrong usage, 3 a cluster did not come
back after everything healed (liveness), 4 the program crashed, or two runs of a seed differed
(--twice), 5 a kind of fault or a state was cold (--coverage), 7 something could not be written.`,
		Example: `  detcdlab sim --seed 17
  detcdlab sim --seeds 1-1000 --profile everything --jobs 2
  detcdlab sim --seeds 1-200 --coverage
  detcdlab sim --seed 6 --bug deposed-read      # plant a bug and see it found`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runSim(cmd.Context(), o, cmd.OutOrStdout())
		},
	}
	o.define(cmd)
	f := cmd.Flags()
	f.StringVar(&o.seeds, "seeds", "", "range of seeds: 1-1000, or 1000, the same; 1- never ends")
	f.IntVar(&o.jobs, "jobs", 1, "processes to run at a time; 0: as many as there are processors")
	f.StringVar(&o.shard, "shard", "", "run part i of n of the seeds, as in 2/8; job/8: "+
		"in a pod of an Indexed Job of Kubernetes, the part of its index")
	f.StringVar(&o.failures, "failures", "", "append failing seeds to this file")
	f.BoolVar(&o.json, "json", false, "one JSON object a line")
	f.BoolVar(&o.twice, "twice", false, "run each seed twice and compare every event")
	f.BoolVar(&o.coverage, "coverage", false, "print how often each fault fired and field was set")
	f.StringVar(&o.trace, "trace", "", "write every event of one seed to this file")
	cmd.MarkFlagsMutuallyExclusive("seed", "seeds")
	return cmd
}

// A simLine is what one seed came to.
type simLine struct {
	Seed       uint64         `json:"seed"`
	Profile    string         `json:"profile"`
	Verdict    string         `json:"verdict"`
	Reason     string         `json:"reason,omitempty"`
	Stack      string         `json:"stack,omitempty"`
	Events     uint64         `json:"events"`
	Operations uint64         `json:"operations"`
	Virtual    float64        `json:"virtual_seconds"`
	Wall       float64        `json:"wall_seconds"`
	Leader     float64        `json:"leader_timeouts"`      // after healing, in election time-outs
	Undecided  bool           `json:"undecided,omitempty"`  // by the checker
	NoOpinion  bool           `json:"no_opinion,omitempty"` // of porcupine
	Hash       string         `json:"hash"`
	Fired      map[string]int `json:"fired,omitempty"`
	Fields     map[string]int `json:"fields,omitempty"`
	States     map[string]int `json:"states,omitempty"`
}

func (l *simLine) String() string {
	speed := ""
	if l.Wall > 0 {
		speed = fmt.Sprintf(" in %6.2fs %6.0fx", l.Wall, l.Virtual/l.Wall)
	}
	return fmt.Sprintf("seed %-7d %-11s %-8s %8d events %6d ops %7.1fs%s  %s",
		l.Seed, l.Profile, l.Verdict, l.Events, l.Operations, l.Virtual, speed, l.Hash) + l.open()
}

// open says which of the checkers could not decide.
func (l *simLine) open() (text string) {
	if l.Undecided {
		text = "  undecided"
	}
	if l.NoOpinion {
		text += "  no opinion"
	}
	return text
}

func lineOf(r sim.Result, wall time.Duration, details bool) *simLine {
	l := &simLine{Seed: r.Seed, Profile: r.Profile, Verdict: r.Verdict.String(), Reason: r.Reason,
		Stack: r.Stack, Events: r.Events, Operations: r.Operations, Virtual: r.Virtual.Seconds(),
		Wall: wall.Seconds(), Leader: r.Leader.Seconds() / r.ElectionTimeout.Seconds(),
		Undecided: r.Undecided, NoOpinion: r.NoOpinion,
		Hash: fmt.Sprintf("%016x", r.Hash)}
	if details {
		l.Fields, l.States, l.Fired = r.Fields, r.States, map[string]int{}
		for kind, n := range r.Fired {
			l.Fired[kind.String()] = n
		}
	}
	return l
}

// check refuses what cannot be honoured.
func (o *simOptions) check() (*seedSpan, error) {
	if err := o.prepare(); err != nil {
		return nil, err
	}
	span, err := o.span()
	switch {
	case err != nil:
		return nil, usage(err)
	case o.jobs < 0 || o.jobs > jobsMax:
		return nil, usagef("--jobs %d: want 0 to %d", o.jobs, jobsMax)
	case o.trace != "" && span.count() != 1:
		return nil, usagef("--trace is for one seed, not for %d", span.count())
	}
	first, err := o.options(span.first())
	if err != nil {
		return nil, err
	}
	o.mayLose = first.Unbudgeted
	return span, writable(o.trace, o.failures)
}

// runSim runs the seeds, here or in processes of their own.
func runSim(ctx context.Context, o *simOptions, out io.Writer) error {
	span, err := o.check()
	if err != nil {
		return err
	}
	if o.jobs == 0 {
		o.jobs = runtime.GOMAXPROCS(0)
	}
	sum := newSimSum(o, out, span)
	if o.jobs > 1 && span.count() != 1 {
		err = runJobs(ctx, o, span, sum.add)
	} else {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
		debug.SetGCPercent(gcPercent)
		err = runSeeds(ctx, o, span, sum.add)
	}
	sum.end()
	if err != nil && ctx.Err() == nil {
		return err
	}
	return errors.Join(sum.verdict(), ctx.Err(), sum.unwritten)
}

// gcPercent trades memory, of which a world needs little, for speed. A world is one goroutine, so a
// second processor would only collect garbage, at a tenth more of the time of both.
const gcPercent = 800

// runSeeds runs seeds one after the other in this process.
func runSeeds(ctx context.Context, o *simOptions, span *seedSpan, each func(*simLine)) error {
	for seed := range span.all() {
		if err := ctx.Err(); err != nil {
			return err
		}
		run, err := o.options(seed)
		if err != nil {
			return err
		}
		line, err := runSeed(o, run)
		if err != nil {
			return err
		}
		each(line)
	}
	return nil
}

func runSeed(o *simOptions, run sim.Options) (line *simLine, err error) {
	if o.trace != "" {
		file, err := os.Create(o.trace)
		if err != nil {
			return nil, err
		}
		buffered := bufio.NewWriter(file)
		defer func() { err = errors.Join(err, buffered.Flush(), file.Close()) }()
		run.Listen = func(l sim.Line) { fmt.Fprintf(buffered, "%016x %v\n", l.Hash, l) }
	}
	start := time.Now()
	result := sim.Run(run)
	wall := time.Since(start)
	if o.twice {
		if at, first, second := sim.Diverge(run); at != 0 {
			return nil, exitError{exitCrash, fmt.Sprintf(
				"seed %d is not deterministic: event %d differs\n  %v\n  %v", run.Seed, at, first, second)}
		}
	}
	return lineOf(result, wall, o.coverage), nil
}

// writeJSON writes a line as an object.
func writeJSON(out io.Writer, l *simLine) error { return json.NewEncoder(out).Encode(l) }
