package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	"detcd/checker/etcd"
	"detcd/checker/judge"
	"detcd/checker/probe"
	"detcd/faults"
	"detcd/faults/nemesis"
)

// A trial is one run of torture.
type trial struct {
	options  *trialOptions
	plan     faults.Plan
	cluster  *nemesis.Cluster
	probe    *probe.Probe
	recorder *probe.Recorder
	tally    *tally
	dir      string
	history  string
	report   *judge.Report
	finding  string        // what is wrong beside the history; empty: nothing
	patience time.Duration // how long reading everything back may take; 0 means recoverWait
	enough   func() bool   // the load goes on until this says so, too; nil: for its time only

	mu     sync.Mutex // guards what follows
	events []nemesis.Event
}

// How long a cluster may take to start, and then to recover from the last fault and to be read.
const (
	launchWait  = 60 * time.Second
	recoverWait = 60 * time.Second
)

// diskBytes is the size of a disk that can be filled: etcd reserves two segments of 64 MiB for its
// log.
const diskBytes = 512 << 20

// run makes a trial, from the cluster to the verdict.
func (o *trialOptions) run(command *cobra.Command) error {
	t := &trial{options: o}
	operations, err := t.record(command.Context(), newSpeaker(command.ErrOrStderr()))
	if err != nil {
		if t.history != "" && command.Context().Err() != nil {
			fmt.Fprintf(command.ErrOrStderr(), "history so far: %s\n", t.history)
		}
		if command.Context().Err() != nil {
			return context.Canceled
		}
		return exitError{exitUnjudged, "nothing was judged: " + err.Error()}
	}
	if err := t.judge(command.Context(), operations); err != nil {
		fmt.Fprintf(command.ErrOrStderr(), "history, not judged: %s\n", t.history)
		return err
	}
	out := command.OutOrStdout()
	t.tell(out, operations)
	var unwritten error
	if o.page != "" {
		if unwritten = writePage(o.page, "torture.html", t.page(operations)); unwritten == nil {
			fmt.Fprintf(out, "report: %s\n", o.page)
		}
	}
	if t.finding != "" {
		return exitError{exitViolated, t.finding}
	}
	if !judged(operations) {
		return exitError{exitUnjudged, "nothing was judged: no operation was answered"}
	}
	return errors.Join(statusOf(t.report), unwritten)
}

// record makes the cluster, the load and the faults, ends all of them, and returns the history.
func (t *trial) record(ctx context.Context, say *speaker) (history []etcd.Operation, err error) {
	if t.plan, err = t.options.schedule(); err != nil {
		return nil, err
	}
	if err := t.place(); err != nil {
		return nil, err
	}
	connections, err := t.connect(ctx)
	if t.cluster != nil {
		defer func() { err = errors.Join(err, t.cluster.Close(), t.tidy(err)) }()
	}
	if err != nil {
		return nil, err
	}
	file, err := os.Create(t.history)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if err := t.load(ctx, file, connections, say); err != nil {
		return nil, err
	}
	if err := errors.Join(t.recorder.Flush(), file.Sync()); err != nil {
		return nil, err
	}
	return readOperations(t.history)
}

// place makes the directory, and writes the plan into it.
func (t *trial) place() (err error) {
	t.dir = t.options.dir
	if t.dir == "" {
		t.dir, err = os.MkdirTemp("", "detcdlab-torture-")
	} else {
		err = os.MkdirAll(t.dir, 0o700)
	}
	if err != nil {
		return err
	}
	t.history = t.options.history
	if t.history == "" {
		t.history = filepath.Join(t.dir, "history.jsonl")
	}
	return os.WriteFile(filepath.Join(t.dir, "plan.txt"), []byte(t.plan.String()), 0o600)
}

// connect starts the cluster, or finds it, and returns a connection to each member.
func (t *trial) connect(ctx context.Context) (connections []*grpc.ClientConn, err error) {
	o := t.options
	if len(o.endpoints) > 0 {
		t.cluster = &nemesis.Cluster{}
		for _, endpoint := range o.endpoints {
			conn, err := nemesis.Dial(strings.TrimPrefix(endpoint, "http://"))
			if err != nil {
				return nil, err
			}
			connections = append(connections, conn)
		}
		return connections, nil
	}
	ctx, cancel := context.WithTimeout(ctx, launchWait)
	defer cancel()
	options := nemesis.Options{
		Binary: o.binary, Members: o.members, Dir: t.dir, Network: nemesis.Relayed,
		Args: append(fastElections(), o.memberArgs...),
	}
	if o.users { // they log in often
		options.Args = append(options.Args, "--bcrypt-cost=4")
	}
	if o.network == "namespaces" {
		options.Network = nemesis.Spaced
	}
	if fills(t.plan) {
		options.DiskBytes = diskBytes
	}
	t.cluster, err = nemesis.Launch(ctx, options)
	if err != nil {
		return nil, err
	}
	for _, m := range t.cluster.Members() {
		conn, err := m.Conn()
		if err != nil {
			return nil, err
		}
		connections = append(connections, conn)
	}
	return connections, nemesis.Check(t.cluster, t.plan)
}

// load runs clients and faults together, and then reads everything back.
func (t *trial) load(
	ctx context.Context, history io.Writer, connections []*grpc.ClientConn, say *speaker,
) (err error) {
	o := t.options
	if t.recorder, err = probe.NewRecorder(history); err != nil {
		return err
	}
	t.probe, err = probe.New(probe.Options{Connections: connections, Workload: o.workload,
		Clients: o.clients, Keys: o.keys, Rate: o.rate, Timeout: o.timeout, Seed: o.seed,
		Users: o.users, Recorder: t.recorder})
	if err != nil {
		return err
	}
	if err := t.begin(ctx); err != nil {
		return err
	}
	t.tally = newTally(o.duration)
	t.recorder.Watch(t.tally.add)
	stop := say.every(time.Second/4, t.progress)
	err = t.strain(ctx)
	stop()
	if err != nil || t.finding != "" {
		return err
	}
	if err := t.finish(ctx); err != nil {
		return err
	}
	t.finding = cmp.Or(t.finding, t.breach())
	return nil
}

// breach tells of a user who did what he may not.
func (t *trial) breach() string {
	breach := t.probe.Breach()
	if breach == "" {
		return ""
	}
	return "a user did what he may not, or could not do what he may: " + breach
}

// begin looks whether the store is new, and makes the users.
func (t *trial) begin(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, launchWait)
	defer cancel()
	if err := t.probe.Empty(ctx); err != nil || !t.options.users {
		return err
	}
	defer t.cluster.SetAdmin(t.probe.Admin)
	return t.probe.Settle(ctx)
}

// strain runs the load, and the nemesis beside it.
func (t *trial) strain(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer time.AfterFunc(t.options.duration, func() {
		for t.enough != nil && !t.enough() && ctx.Err() == nil {
			pause(ctx, errorPause)
		}
		cancel()
	}).Stop()
	conductor := &nemesis.Conductor{Cluster: t.cluster, Seed: t.options.seed,
		Compact: t.probe.Compact, Note: t.note}
	broken := make(chan error, 1)
	go func() {
		err := conductor.Run(ctx, t.plan)
		if err != nil {
			cancel()
		}
		broken <- err
	}()
	loaded := t.probe.Run(ctx)
	cancel()
	var exit *nemesis.ExitError
	err := <-broken
	if errors.As(err, &exit) {
		t.finding, err = exit.Error(), nil
	}
	return errors.Join(loaded, err)
}

// finish waits until all members serve, and reads everything back.
func (t *trial) finish(ctx context.Context) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	waiting, cancel := context.WithTimeout(ctx, recoverWait)
	defer cancel()
	if err := t.cluster.WaitReady(waiting); err != nil {
		t.finding = fmt.Sprintf("the cluster does not recover after the faults: %v", err)
		return ctx.Err()
	}
	reading, cancel := context.WithTimeout(ctx, cmp.Or(t.patience, recoverWait))
	defer cancel()
	difference, err := t.probe.Finish(reading)
	if err != nil && ctx.Err() == nil {
		difference = fmt.Sprintf("not everything can be read back: %v", err)
	}
	t.finding = difference
	return ctx.Err()
}

// note takes an event of the conductor.
func (t *trial) note(e nemesis.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.events {
		if t.events[i].Begin.Equal(e.Begin) && t.events[i].Text == e.Text {
			t.events[i] = e
			return
		}
	}
	t.events = append(t.events, e)
}

// progress is the line that is shown meanwhile.
func (t *trial) progress() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var now []string
	for _, e := range t.events {
		if e.End.IsZero() {
			now = append(now, e.Text)
		}
	}
	elapsed := time.Since(t.probe.Begin()).Round(time.Second)
	return fmt.Sprintf("%v of %v  %s  %d faults  %s", elapsed, t.options.duration, t.tally,
		len(t.events), strings.Join(now, "; "))
}

// judge finds the verdict.
func (t *trial) judge(ctx context.Context, history []etcd.Operation) (err error) {
	t.report, err = decide(ctx, history, t.options.leases.options(history))
	if err == nil {
		confirm(history, t.report)
	}
	return err
}

// tell prints what happened and the verdict.
func (t *trial) tell(out io.Writer, history []etcd.Operation) {
	failed := 0
	for _, e := range t.events {
		if e.Err != nil {
			failed++
		}
	}
	fmt.Fprintf(out, "%s on %s for %v, seed %d: %v\n%d faults, of which %d could not be done\n",
		t.options.workload, t.target(), t.options.duration, t.options.seed, t.tally,
		len(t.events)-failed, failed)
	if t.options.users {
		v := t.probe.Visits()
		fmt.Fprintf(out, "users: a stranger was refused %d times; the permission of visitors changed %d "+
			"times, they were served %d times and refused %d times\n", v.Strange, v.Changes, v.Served,
			v.Refused)
	}
	show(out, history, t.report)
	if t.finding != "" {
		fmt.Fprintf(out, "FOUND: %s\n", t.finding)
	}
	fmt.Fprintf(out, "history: %s\n", t.history)
}

// target names what was tortured.
func (t *trial) target() string {
	if len(t.options.endpoints) > 0 {
		return strings.Join(t.options.endpoints, ", ")
	}
	return fmt.Sprintf("%d of %s", t.options.members, t.options.binary)
}

// tidy removes the data of the members after a success.
func (t *trial) tidy(err error) error {
	if err != nil || t.finding != "" || t.options.dir != "" {
		return nil
	}
	for _, m := range t.cluster.Members() {
		err = errors.Join(err, os.RemoveAll(m.DataDir()))
	}
	return err
}

// readOperations reads a history.
func readOperations(name string) ([]etcd.Operation, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	return etcd.Read(file)
}
