package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"

	"detcd/faults/nemesis"
)

// run puts the load on, lets chaos do what it does, and checks everything. It returns early with
// the first violation, the first error that no kill explains, or the end of ctx. The caller closes
// the cluster.
func (d *drill) run(ctx context.Context, chaos func(ctx context.Context) error) error {
	d.begin()
	defer d.end()
	err := d.guard(ctx, func(ctx context.Context) error {
		select { // in the end all kept leases must be there: on a busy machine that takes a while
		case <-d.kept:
			return chaos(ctx)
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	if err == nil {
		d.log("the kills are over; waiting for calm")
		err = d.guard(ctx, d.settle)
	}
	// A violation explains more than what it led to.
	if violation := d.ledger.failure(); violation != nil {
		err = violation
	}
	if err != nil && ctx.Err() == nil {
		return exitError{exitViolated, err.Error()}
	}
	return err
}

// guard runs a step until it ends, or until something ends the drill: then it tells the step, and
// waits for it.
func (d *drill) guard(ctx context.Context, step func(ctx context.Context) error) error {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- step(inner) }()
	var reason error
	select {
	case err := <-done:
		return cmp.Or(d.cluster.Exited(), err) // who ended by itself explains the rest
	case <-d.ledger.broken: // failure() says why
		reason = errBroken
	case reason = <-d.fail:
	case <-ctx.Done():
		reason = ctx.Err()
	}
	cancel()
	<-done
	return reason
}

var errBroken = errors.New("a rule was broken")

// A place is a directory for a cluster that is removed after a success.
type place struct {
	dir  string
	keep bool // also after a success
}

// newPlace makes a temporary directory, or takes the one that is asked for, which is then kept.
func newPlace(dir string) (*place, error) {
	if dir != "" {
		return &place{dir: dir, keep: true}, os.MkdirAll(dir, 0o700)
	}
	dir, err := os.MkdirTemp("", "detcdlab-")
	return &place{dir: dir}, err
}

// leave closes the cluster and removes the directory unless it is to be kept or err is a finding,
// to which it then adds where the evidence is.
func (p *place) leave(cluster *nemesis.Cluster, err error) error {
	if cluster != nil {
		err = errors.Join(err, cluster.Close())
	}
	if err == nil || errors.Is(err, context.Canceled) {
		if !p.keep {
			err = errors.Join(err, os.RemoveAll(p.dir))
		}
		return err
	}
	if os.Remove(p.dir) == nil {
		return err // it was empty: nothing was ever started
	}
	return fmt.Errorf("%w\ndata directories and logs of the members are kept in %s", err, p.dir)
}
