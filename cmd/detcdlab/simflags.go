package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"detcd/faults"
	"detcd/sim"
)

// runFlags say what to run: sim, replay and shrink have them in common. What is given on the
// command line goes before what a file says, and that before what the seed draws.
type runFlags struct {
	seed         uint64
	members      int
	clients      int
	rate         int
	duration     time.Duration
	surroundings string
	profile      string
	plan         string
	bug          string

	flags *pflag.FlagSet
	file  *sim.Scenario // what --plan names
}

// define adds the flags.
func (o *runFlags) define(cmd *cobra.Command) {
	f := cmd.Flags()
	o.flags = f
	f.Uint64Var(&o.seed, "seed", 1, "the seed of the run")
	f.IntVar(&o.members, "members", 0,
		"members at the start, at most 9; 0: drawn by the seed, mostly 3")
	f.IntVar(&o.clients, "clients", 5, "clients, at most 99")
	f.IntVar(&o.rate, "rate", 0, "operations of all clients in a virtual second; 0: drawn")
	f.StringVar(&o.surroundings, "world", "", "links, disks, settings and load, as in "+
		`"delay=40ms sync=5ms"; plain: one rack; empty: drawn by the seed`)
	f.DurationVar(&o.duration, "duration", time.Minute, "virtual time until everything heals")
	f.StringVar(&o.profile, "profile", string(faults.Everything),
		"what goes wrong: "+words(faults.Profiles()))
	f.StringVar(&o.plan, "plan", "",
		"read a plan or a scenario from this file: what it says is not drawn")
	f.StringVar(&o.bug, "bug", "", "plant a bug: "+words(sim.Bugs()))
}

// words lists names.
func words[T ~string](list []T) string {
	var names []string
	for _, name := range list {
		names = append(names, string(name))
	}
	return strings.Join(names, ", ")
}

// named takes the argument SEED|FILE of replay and shrink.
func (o *runFlags) named(name string) (sim.Options, error) {
	seed, err := strconv.ParseUint(name, 10, 64)
	switch {
	case err == nil && o.flags.Changed("seed"):
		return sim.Options{}, usagef("%d and --seed: two seeds", seed)
	case err == nil:
		err = o.flags.Set("seed", name)
	case strings.Trim(name, "0123456789") == "":
		err = usagef("%s: a seed is at most %d", name, uint64(1<<64-1))
	case o.flags.Changed("plan"):
		err = usagef("%s and --plan %s: two files", name, o.plan)
	default:
		o.plan, err = name, nil
	}
	if err != nil {
		return sim.Options{}, err
	}
	if err := o.prepare(); err != nil {
		return sim.Options{}, err
	}
	return o.options(o.seed)
}

// prepare reads the file, and refuses flags that cannot be honoured. It comes before options.
func (o *runFlags) prepare() error {
	switch { // elsewhere they stand for the default
	case o.clients == 0:
		return usagef("clients 0: want at least 1")
	case o.duration == 0:
		return usagef("duration 0s: want more than 0")
	}
	var alone sim.Options // nothing is drawn by what cannot be
	if err := o.override(&alone); err != nil {
		return err
	}
	if err := alone.Check(); err != nil {
		return usage(err)
	}
	if _, err := faults.ParseProfile(o.profile); err != nil {
		return usagef("--profile: %v", err)
	}
	if o.plan == "" {
		return nil
	}
	if o.flags.Changed("profile") {
		return usagef("--profile draws a plan, and %s is one", o.plan)
	}
	text, err := os.ReadFile(o.plan)
	if err != nil {
		return usage(err)
	}
	file, err := sim.ParseScenario(string(text))
	if err != nil {
		return usagef("%s: %v", o.plan, err)
	}
	o.file = &file
	if !file.Seedless && !o.flags.Changed("seed") {
		o.seed = file.Options.Seed
	}
	return nil
}

// options returns the run of a seed.
func (o *runFlags) options(seed uint64) (run sim.Options, err error) {
	if o.file == nil {
		run = sim.Drawn(faults.Profile(o.profile), seed, o.duration)
	} else {
		run = o.file.Complete(sim.Drawn(faults.Calm, seed, o.duration))
		run.Profile = o.plan
	}
	run.Seed = seed
	if err := o.override(&run); err != nil {
		return run, err
	}
	return run, usage(run.Check())
}

// override sets what is given on the command line.
func (o *runFlags) override(run *sim.Options) (err error) {
	if o.flags.Changed("members") && o.members != 0 {
		run.Members = o.members
	}
	if o.flags.Changed("clients") {
		run.Clients = o.clients
	}
	if o.flags.Changed("rate") {
		run.Rate = o.rate
	}
	if o.flags.Changed("duration") {
		run.Duration = o.duration
	}
	if o.surroundings != "" {
		if run.World, err = sim.ParseSurroundings(o.surroundings); err != nil {
			return usagef("--world: %v", err)
		}
	}
	if o.bug != "" {
		if run.Bug, err = sim.ParseBug(o.bug); err != nil {
			return usagef("--bug: %v", err)
		}
	}
	return nil
}

// given returns the flags of the command line but some, as one writes them.
func (o *runFlags) given(but ...string) (list []string) {
	o.flags.Visit(func(f *pflag.Flag) {
		if !slices.Contains(but, f.Name) {
			list = append(list, fmt.Sprintf("--%s=%s", f.Name, f.Value))
		}
	})
	return list
}

// again returns the arguments with which replay and shrink run a seed again.
func (o *runFlags) again(seed uint64) string {
	list := []string{fmt.Sprint(seed)}
	for _, name := range []string{"members", "clients", "rate", "world", "duration", "profile", "plan",
		"bug"} {
		if f := o.flags.Lookup(name); f.Changed {
			value := f.Value.String()
			if strings.ContainsAny(value, " \t'\"$*?&;|<>()\\") {
				value = strconv.Quote(value)
			}
			list = append(list, "--"+name+" "+value)
		}
	}
	return strings.Join(list, " ")
}
