package main

import (
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

	"detcd/faults"
	"detcd/sim"
)

// simOptions are the flags of sim, replay and shrink that say what to run.
type simOptions struct {
	seed         uint64
	seeds        string
	jobs         int
	members      int
	clients      int
	rate         int
	duration     time.Duration
	surroundings string
	profile      string
	plan         string
	trace        string
	bug          string
	shard        string
	failures     string
	json         bool
	twice        bool
	coverage     bool
}

// The exit statuses of sim.
const (
	exitSafety   = 1
	exitUsage    = 2
	exitLiveness = 3
	exitCrash    = 4
	exitCold     = 5
)

// exitError ends the program with a status of its own.
type exitError struct {
	status int
	text   string
}

func (e exitError) Error() string { return e.text }

func simCommand() *cobra.Command {
	o := &simOptions{}
	cmd := &cobra.Command{
		Use:   "sim",
		Short: "Run whole clusters in a deterministic world, one for each seed",
		Long: `sim runs clusters of the real code (consensus, storage, keys, leases, watches) in virtual
time, with simulated networks, disks, clocks and clients, breaks them as each seed's plan says,
and judges every run. The same seed gives the same run, event for event, on every machine.

One line a seed: seed, profile, verdict, events, operations, virtual and wall time, speed, hash.

Exit status: 0 all green, 1 a promise was broken (safety), 3 a cluster did not come back after
everything healed (liveness), 4 the program crashed, 5 a kind of fault was cold (--coverage), 2
wrong usage.`,
		Example: `  detcdlab sim --seed 17
  detcdlab sim --seeds 1-1000 --profile everything --jobs 2
  detcdlab sim --seeds 1-200 --coverage
  detcdlab sim --seed 6 --bug deposed-read      # plant a bug and see it found`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runSim(cmd.Context(), o, cmd.OutOrStdout())
		},
	}
	o.world(cmd)
	f := cmd.Flags()
	f.StringVar(&o.seeds, "seeds", "", "range of seeds: 1-1000, or 1000, the same; 1- never ends")
	f.IntVar(&o.jobs, "jobs", 1, "processes to run at a time; 0: as many as there are processors")
	f.StringVar(&o.shard, "shard", "", "run part i of n of the seeds, as in 2/8")
	f.StringVar(&o.failures, "failures", "", "append failing seeds to this file")
	f.BoolVar(&o.json, "json", false, "one JSON object a line")
	f.BoolVar(&o.twice, "twice", false, "run each seed twice and compare every event")
	f.BoolVar(&o.coverage, "coverage", false, "print how often each fault fired and field was set")
	f.StringVar(&o.trace, "trace", "", "write every event to this file")
	return cmd
}

// world adds the flags that say what to run.
func (o *simOptions) world(cmd *cobra.Command) {
	f := cmd.Flags()
	f.Uint64Var(&o.seed, "seed", 1, "the seed of the run")
	f.IntVar(&o.members, "members", 0, "members at the start; 0: drawn by the seed, mostly 3")
	f.IntVar(&o.clients, "clients", 5, "clients")
	f.IntVar(&o.rate, "rate", 0, "operations of all clients in a virtual second; 0: drawn")
	f.StringVar(&o.surroundings, "world", "", "links, disks, settings and load, as in "+
		`"delay=40ms sync=5ms"; plain: one rack; empty: drawn by the seed`)
	f.DurationVar(&o.duration, "duration", time.Minute, "virtual time until everything heals")
	f.StringVar(&o.profile, "profile", string(faults.Everything),
		"what goes wrong: calm, lossy, partition, disk, clock, membership, lease, everything, "+
			"unbudgeted")
	f.StringVar(&o.plan, "plan", "", "read the plan, or a whole scenario, from this file instead")
	f.StringVar(&o.bug, "bug", "", "plant a bug: ack-before-sync, volatile-vote, "+
		"deposed-read, undying-lease")
}

// options returns the run of a seed.
func (o *simOptions) options(seed uint64) (sim.Options, error) {
	run := sim.Options{Seed: seed, Members: o.members, Clients: o.clients, Rate: o.rate,
		Duration: o.duration, Profile: o.profile}
	profile, err := faults.ParseProfile(o.profile)
	if err != nil {
		return run, err
	}
	run.Users, run.NoPreVote = sim.UsersOf(seed), sim.NoPreVoteOf(seed)
	if o.members == 0 {
		run.Members = sim.MembersOf(seed)
	}
	switch o.surroundings {
	case "":
		run.World = sim.SurroundingsOf(seed)
	case "plain":
		run.World = sim.PlainSurroundings()
	default:
		if run.World, err = sim.ParseSurroundings(o.surroundings); err != nil {
			return run, fmt.Errorf("--world: %w", err)
		}
	}
	if o.bug != "" {
		if run.Bug, err = sim.ParseBug(o.bug); err != nil {
			return run, err
		}
	}
	run.Unbudgeted = profile == faults.Unbudgeted
	if o.plan == "" {
		run.Plan = faults.Draw(profile, seed, o.duration)
		return run, nil
	}
	text, err := os.ReadFile(o.plan)
	if err != nil {
		return run, err
	}
	scenario, err := sim.ParseScenario(string(text))
	if err != nil {
		return run, fmt.Errorf("%s: %w", o.plan, err)
	}
	if scenario.Options.Seed != 0 {
		scenario.Options.Profile = o.plan
		return scenario.Options, nil
	}
	run.Plan, run.Profile = scenario.Options.Plan, o.plan
	return run, nil
}

// A line is what one seed came to.
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
		l.Seed, l.Profile, l.Verdict, l.Events, l.Operations, l.Virtual, speed, l.Hash)
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

// runSim runs the seeds, here or in processes of their own.
func runSim(ctx context.Context, o *simOptions, out io.Writer) error {
	span, err := o.span()
	if err != nil {
		return exitError{exitUsage, err.Error()}
	}
	if _, err := o.options(span.first()); err != nil {
		return exitError{exitUsage, err.Error()}
	}
	if o.jobs == 0 {
		o.jobs = runtime.GOMAXPROCS(0)
	}
	sum := newSimSum(o, out, span)
	if o.jobs > 1 && span.count() != 1 {
		err = runJobs(ctx, o, span, sum.add)
	} else {
		debug.SetGCPercent(gcPercent)
		err = runSeeds(ctx, o, span, sum.add)
	}
	sum.end()
	if err != nil && ctx.Err() == nil {
		return err
	}
	return errors.Join(sum.verdict(), ctx.Err())
}

// gcPercent trades memory, of which a world needs little, for speed.
const gcPercent = 800

// runSeeds runs seeds one after the other in this process.
func runSeeds(ctx context.Context, o *simOptions, span *seedSpan, each func(*simLine)) error {
	for seed := span.first(); seed <= span.last; seed += span.step {
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

func runSeed(o *simOptions, run sim.Options) (*simLine, error) {
	if o.trace != "" {
		file, err := os.Create(o.trace)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		run.Listen = func(l sim.Line) { fmt.Fprintf(file, "%016x %v\n", l.Hash, l) }
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
func writeJSON(out io.Writer, l *simLine) {
	bytes, err := json.Marshal(l)
	if err == nil {
		fmt.Fprintf(out, "%s\n", bytes)
	}
}
