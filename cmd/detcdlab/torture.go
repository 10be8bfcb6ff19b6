package main

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"detcd/checker/probe"
	"detcd/faults"
	"detcd/faults/nemesis"
)

// trialOptions are the flags of torture.
type trialOptions struct {
	binary     string
	members    int
	endpoints  []string
	workload   string
	users      bool
	duration   time.Duration
	seed       uint64
	nemeses    []string
	plan       string
	network    string
	clients    int
	keys       int
	rate       float64
	timeout    time.Duration
	leases     leaseTimes
	dir        string
	history    string
	page       string
	memberArgs []string
}

// tortureCommand is `detcdlab torture`.
func tortureCommand() *cobra.Command {
	o := trialOptions{}
	command := &cobra.Command{
		Use:   "torture",
		Short: "Put a real cluster under load, break it in many ways, and judge what its clients saw",
		Long: `torture starts a cluster on this machine, or takes one that runs (--endpoints; its store
must be new), puts clients on it that record every request and answer, breaks the cluster meanwhile,
and judges the history as check does. Then it compares the stores of the members.

Workloads: ` + strings.Join(probe.Workloads(), ", ") + `.

Nemeses:
` + nemesesText() + `
Without --plan they are drawn from the seed. A plan is a file with one fault a line, as
"2.5s for 3s isolate members=2"; torture writes the plan that it drew into its directory.

Exit status: 0 it holds, 1 it is violated, 2 wrong usage, 3 it could not be decided, 6 nothing was
judged: the cluster did not start, say, or a disk is full, 7 the report could not be written.`,
		Example: `  detcdlab torture --nemesis kill,pause,partition --duration 1m --html report.html
  detcdlab torture --binary .cache/etcd/etcd --workload lease --members 5 --nemesis all
  detcdlab torture --endpoints 10.0.0.1:2379,10.0.0.2:2379 --workload mixed`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			plan, err := o.check(command.Flags())
			if err != nil {
				return err
			}
			if spaced := o.network == "namespaces"; spaced || fills(plan) {
				if err := nemesis.Enclose(spaced); err != nil {
					return usage(err)
				}
			}
			return o.run(command)
		},
	}
	o.define(command)
	return command
}

// networkUsage says what the networks need.
const networkUsage = "between members: relay; or namespaces, which needs root and iproute2"

// define makes the flags.
func (o *trialOptions) define(command *cobra.Command) {
	flags := command.Flags()
	flags.StringVar(&o.binary, "binary", "bin/detcd", "server to torture: detcd or etcd")
	flags.IntVar(&o.members, "members", 3, "size of the cluster")
	flags.StringSliceVar(&o.endpoints, "endpoints", nil, "members of a cluster that runs already")
	flags.StringVar(&o.workload, "workload", "mixed", "what clients do")
	flags.BoolVar(&o.users, "users", false, "with authentication: users who may, and who may not")
	flags.DurationVar(&o.duration, "duration", 30*time.Second, "length of the load")
	flags.Uint64Var(&o.seed, "seed", 1, "of what clients and nemeses draw")
	flags.StringSliceVar(&o.nemeses, "nemesis", []string{"kill"}, `what breaks the cluster; "all", ""`)
	flags.StringVar(&o.plan, "plan", "", "file that says what breaks the cluster, and when")
	flags.StringVar(&o.network, "network", "relay", networkUsage)
	flags.IntVar(&o.clients, "clients", 10, "clients that work at the same time")
	flags.IntVar(&o.keys, "keys", 10, "keys that they share")
	flags.Float64Var(&o.rate, "rate", 500, "requests a second of all clients together")
	flags.DurationVar(&o.timeout, "timeout", time.Second, "how long a client waits for an answer")
	o.leases.define(flags)
	flags.StringVar(&o.dir, "dir", "", "for data, logs, plan and history; default: temporary")
	flags.StringVar(&o.history, "history", "", "file for the history; default: in the directory")
	flags.StringVar(&o.page, "html", "", "file for a report as a page")
	flags.StringArrayVar(&o.memberArgs, "member-arg", nil, memberArgUsage)
}

// nemesesText lists the nemeses.
func nemesesText() string {
	var b strings.Builder
	for _, n := range nemesis.Nemeses() {
		fmt.Fprintf(&b, "  %-12s%s\n", n.Name, n.Effect)
	}
	return b.String()
}

// check refuses what cannot be, before anything is started, and returns the plan.
func (o *trialOptions) check(flags *pflag.FlagSet) (faults.Plan, error) {
	o.nemeses = slices.DeleteFunc(o.nemeses, func(name string) bool { return name == "" })
	if o.plan != "" && flags.Changed("nemesis") {
		return nil, usagef("--nemesis draws a plan, and --plan is one")
	}
	if err := o.checkCluster(flags); err != nil {
		return nil, err
	}
	if min(o.clients, o.keys) < 1 || min(o.duration, o.timeout) <= 0 || o.rate <= 0 {
		return nil, usagef("clients, keys, duration, rate and timeout must be positive")
	}
	if !slices.Contains(probe.Workloads(), o.workload) {
		return nil, usagef("--workload %s: there are %s", o.workload,
			strings.Join(probe.Workloads(), ", "))
	}
	if err := o.leases.check(); err != nil {
		return nil, err
	}
	plan, err := o.schedule()
	if err == nil {
		err = plan.Check(o.duration, o.members)
	}
	if err != nil {
		return nil, usage(err)
	}
	return plan, writable(o.history, o.page)
}

// checkCluster refuses clusters that cannot be started, and what cannot be done to one that runs.
func (o *trialOptions) checkCluster(flags *pflag.FlagSet) error {
	if len(o.endpoints) == 0 {
		if o.network != "relay" && o.network != "namespaces" {
			return usagef("--network is relay or namespaces, not %q", o.network)
		}
		return checkServer(o.binary, o.members)
	}
	if o.plan != "" || slices.ContainsFunc(o.nemeses, func(n string) bool { return n != "compact" }) {
		return usagef("a cluster that was not started here can only be compacted: " +
			"--nemesis compact, or none")
	}
	for _, name := range []string{"binary", "members", "network", "member-arg"} {
		if flags.Changed(name) {
			return usagef("--%s is for a cluster that is started here, not for --endpoints", name)
		}
	}
	o.members = 0
	return nil
}

// clusterMax bounds the clusters that are started: more members than that share one machine badly.
const clusterMax = 9

// checkServer refuses a cluster that cannot be started.
func checkServer(binary string, members int) error {
	if members < 1 || members > clusterMax {
		return usagef("--members %d: want 1 to %d", members, clusterMax)
	}
	if _, err := exec.LookPath(binary); err != nil {
		return usagef("--binary: %v", err)
	}
	return nil
}

// schedule returns the plan: read, or drawn.
func (o *trialOptions) schedule() (faults.Plan, error) {
	if o.plan != "" {
		file, err := os.Open(o.plan)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		plan, err := faults.Parse(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o.plan, err)
		}
		return plan, nil
	}
	families := o.nemeses
	if slices.Contains(families, "all") {
		families = slices.DeleteFunc(nemesis.Names(), o.impossible)
	}
	return nemesis.Draw(families, o.members, o.seed, o.duration)
}

// impossible tells whether "all" has to do without a nemesis.
func (o *trialOptions) impossible(name string) bool {
	switch name {
	case "partition", "replace", "transfer":
		return o.members < 2
	case "slow":
		return o.members < 2 || o.network == "namespaces"
	case "disk":
		return os.Geteuid() != 0
	}
	return false
}

// fills tells whether a plan needs disks that can be filled.
func fills(plan faults.Plan) bool {
	return slices.ContainsFunc(plan, func(f faults.Fault) bool { return f.Kind == faults.DiskFull })
}
