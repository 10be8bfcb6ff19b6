package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"detcd/faults/nemesis"
)

// demoOptions are the flags of demo.
type demoOptions struct {
	binary     string
	members    int
	kills      int
	duration   time.Duration
	rate       float64
	dir        string
	memberArgs []string
}

// demoClients is the number of clients that write and read.
const demoClients = 16

// downFor is how long a killed leader stays down, so that one can see that the others go on.
const downFor = 2 * time.Second

// demo runs the demo and shows it on out.
func demo(ctx context.Context, o demoOptions, out io.Writer) error {
	fmt.Fprintf(out, "Starting %d members of %s ...\n", o.members, o.binary)
	where, err := newPlace(o.dir)
	if err != nil {
		return err
	}
	launch, cancel := context.WithTimeout(ctx, launchTimeout)
	defer cancel()
	cluster, err := nemesis.Launch(launch, nemesis.Options{
		Binary: o.binary, Members: o.members, Dir: where.dir, Args: o.memberArgs,
	})
	if err != nil {
		return where.leave(nil, err)
	}
	s := newScene(cluster, o, out)
	observing, stopObserving := context.WithCancel(ctx)
	observed := make(chan struct{})
	go func() {
		defer close(observed)
		s.observer.run(observing)
	}()
	stop := s.play()
	err = s.drill.run(ctx, func(ctx context.Context) error { return s.plot(ctx, o) })
	stop()
	stopObserving()
	<-observed
	result := s.outcome()
	if err = where.leave(cluster, err); err != nil {
		return err
	}
	_, err = io.WriteString(out, "\n"+strings.Join(result.verdict(s.palette), "\n")+"\n")
	return err
}

// newScene makes the drill of a cluster and what shows it.
func newScene(cluster *nemesis.Cluster, o demoOptions, out io.Writer) *scene {
	s := &scene{out: out, palette: colorsOf(out), length: o.duration, begin: time.Now()}
	s.chart = newChart(o.duration)
	s.enter("under load")
	if isTerminal(out) {
		s.screen = &screen{out: out}
	}
	s.drill = newDrill(cluster, drillOptions{
		workers: demoClients, rate: o.rate, size: 64, seed: 1,
		log: func(format string, arguments ...any) {
			s.happened(faint, format, arguments...)
			s.enter("checking")
		},
	})
	s.observer = newObserver(cluster.Members(), func(name string, term uint64) {
		s.happened(green, "%s leads in term %d", name, term)
		s.marked(mark{"★", green})
	})
	return s
}

// plot is what happens in the demo: load, and at even times the leader is killed.
func (s *scene) plot(ctx context.Context, o demoOptions) error {
	for i := range o.kills {
		at := o.duration * time.Duration(i+1) / time.Duration(o.kills+1)
		pause(ctx, time.Until(s.begin.Add(at)))
		if err := s.killLeader(ctx); err != nil {
			return err
		}
	}
	pause(ctx, time.Until(s.begin.Add(o.duration)))
	return ctx.Err()
}

// killLeader kills the leader, tells when writes are acknowledged again, and starts it again.
func (s *scene) killLeader(ctx context.Context) error {
	leader, err := s.drill.cluster.Leader(ctx)
	if err != nil {
		return err
	}
	elections := s.observer.elections()
	s.drill.acks.newWindow()
	if err := leader.Kill(); err != nil {
		return err
	}
	before, _ := s.drill.acks.get()
	s.drill.kills.Add(1)
	s.marked(mark{"✗", red})
	s.happened(red, "kill -9 of %s, the leader, after %d acknowledged writes", leader.Name(), before)
	told := make(chan struct{})
	go func() {
		defer close(told)
		s.tellReturn(ctx, elections)
	}()
	defer func() { <-told }()
	if pause(ctx, downFor); ctx.Err() != nil {
		return ctx.Err()
	}
	if err := leader.Start(); err != nil {
		return err
	}
	started := time.Now()
	if err := leader.WaitReady(ctx); err != nil {
		return err
	}
	s.happened(cyan, "%s is back and serves, %.2f s after its start", leader.Name(),
		time.Since(started).Seconds())
	return nil
}

// tellReturn waits until another leader was elected and writes are acknowledged again.
func (s *scene) tellReturn(ctx context.Context, elections int) {
	for ctx.Err() == nil && s.observer.elections() == elections {
		pause(ctx, errorPause)
	}
	before, _ := s.drill.acks.get()
	for ctx.Err() == nil {
		if count, _ := s.drill.acks.get(); count > before {
			s.happened(yellow, "writes go on after %.2f s", s.drill.acks.inWindow().Seconds())
			return
		}
		pause(ctx, errorPause)
	}
}

// outcome collects what the verdict tells.
func (s *scene) outcome() *outcome {
	_, _, longest := s.drill.acks.interruptions()
	return &outcome{
		counts: s.drill.ledger.tally(), elections: s.observer.elections(),
		resumed: s.drill.resumed.Load(), kills: s.drill.kills.Load(), longest: longest,
		last: s.drill.ledger.position(), readBack: s.drill.readBack.Load(),
	}
}

// demoCommand is `detcdlab demo`.
func demoCommand() *cobra.Command {
	var o demoOptions
	command := &cobra.Command{
		Use:   "demo",
		Short: "Watch a cluster lose its leader to kill -9, twice, and lose nothing else",
		Long: `demo starts a cluster on free ports of this machine and puts clients on it that write,
read, watch and hold leases. Under that load it kills the leader with SIGKILL, and starts it again
a little later. It shows who leads, how many writes are acknowledged and for how long they were
interrupted.

At the end every value is read back at the revision that wrote it, and the state, the history and
the hash of all members are compared. Nothing is left behind: on a failure only the data
directories, as evidence.

Exit status: 0 nothing is lost, repeated or different, 1 something is, 2 wrong usage, 7 the cluster
could not be run.`,
		Example: `  detcdlab demo --binary bin/detcd
  detcdlab demo --binary .cache/etcd/etcd --kills 4 --duration 40s`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if o.kills < 0 || o.rate <= 0 || o.duration <= 0 {
				return usagef("rate and duration must be positive, and kills not negative")
			}
			if err := checkServer(o.binary, o.members); err != nil {
				return err
			}
			return demo(command.Context(), o, command.OutOrStdout())
		},
	}
	flags := command.Flags()
	flags.StringVar(&o.binary, "binary", "bin/detcd", "server to show: detcd or etcd")
	flags.IntVar(&o.members, "members", 3, "size of the cluster")
	flags.IntVar(&o.kills, "kills", 2, "how often the leader is killed")
	flags.DurationVar(&o.duration, "duration", 24*time.Second, "of the load")
	flags.Float64Var(&o.rate, "rate", 4000, "requests a second of all clients together")
	flags.StringVar(&o.dir, "dir", "", dirUsage)
	flags.StringArrayVar(&o.memberArgs, "member-arg", nil, memberArgUsage)
	return command
}
