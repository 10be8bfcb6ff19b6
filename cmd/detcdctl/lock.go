package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/client/v3/concurrency"
)

// untilSignal returns a context that ends with SIGINT or SIGTERM.
func (s *session) untilSignal() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(s.context, os.Interrupt, syscall.SIGTERM)
}

func (p *program) lockCommand() *cobra.Command {
	var ttl int
	return p.command(verb{
		use: "lock <name> [command arg...]", short: "Hold a lock, or run a command under it",
		long: `Waits for a lock, prints the key that stands for it and holds it until Ctrl-C; or runs a
command while it has the lock, with ETCD_LOCK_KEY and ETCD_LOCK_REV in its environment, and exits
with its status.

Whoever is paused for longer than the TTL loses the lock without knowing: let what you protect
compare ETCD_LOCK_REV, which only ever grows.`,
		example: `  detcdctl lock nightly -- ./backup.sh`,
		formats: asBoth,
		takes:   between(1, -1, "lock takes a lock name argument and an optional command to execute"),
		flags: func(f *pflag.FlagSet) {
			f.IntVar(&ttl, "ttl", 10, "seconds after which the lock of a dead process is free")
		},
		run: func(s *session, args []string) error {
			held, err := concurrency.NewSession(s.client, concurrency.WithTTL(ttl))
			if err != nil {
				return err
			}
			defer held.Close()
			ctx, done := s.untilSignal()
			defer done()
			mutex := concurrency.NewMutex(held, args[0])
			if err := mutex.Lock(ctx); err != nil {
				return err
			}
			if len(args) > 1 {
				return s.runLocked(mutex, args[1:])
			}
			r, err := s.client.Get(ctx, mutex.Key())
			switch {
			case err != nil:
				return err
			case len(r.Kvs) == 0:
				return errors.New("lock lost on init")
			}
			if err := p.show(found((*pb.RangeResponse)(r))); err != nil {
				return err
			}
			select {
			case <-ctx.Done():
				return mutex.Unlock(s.context)
			case <-held.Done():
				return errors.New("session expired")
			}
		},
	})
}

// runLocked runs a command and frees the lock.
func (s *session) runLocked(mutex *concurrency.Mutex, words []string) error {
	command := exec.Command(words[0], words[1:]...)
	command.Env = append(os.Environ(), "ETCD_LOCK_KEY="+mutex.Key(),
		fmt.Sprintf("ETCD_LOCK_REV=%d", mutex.Header().GetRevision()))
	command.Stdout, command.Stderr = s.out, s.errors
	err := command.Run()
	unlocked := mutex.Unlock(s.context)
	var exited *exec.ExitError
	switch {
	case errors.As(err, &exited):
		return &failure{exited.ExitCode(), err}
	case err != nil:
		return err
	}
	return unlocked
}

func (p *program) electCommand() *cobra.Command {
	var listen bool
	return p.command(verb{
		use: "elect <election> [proposal]", short: "Stand in an election, or watch one",
		long: `Waits to be the leader of an election with a proposal, prints the key that stands for it
and leads until Ctrl-C. With -l it prints each leader instead.`,
		formats: asBoth,
		takes: between(1, 2, "elect takes one election name argument and an optional "+
			"proposal argument"),
		flags: func(f *pflag.FlagSet) {
			f.BoolVarP(&listen, "listen", "l", false, "only print who leads")
		},
		run: func(s *session, args []string) error {
			switch {
			case listen && len(args) > 1:
				return bad("proposal given but -l is set")
			case !listen && len(args) < 2:
				return bad("no proposal argument but -l not set")
			}
			held, err := concurrency.NewSession(s.client)
			if err != nil {
				return err
			}
			defer held.Close()
			ctx, done := s.untilSignal()
			defer done()
			election := concurrency.NewElection(held, args[0])
			if listen {
				return s.observe(ctx, election)
			}
			if err := election.Campaign(ctx, args[1]); err != nil {
				return err
			}
			r, err := s.client.Get(ctx, election.Key())
			if err != nil {
				return err
			}
			if err := p.show(found((*pb.RangeResponse)(r))); err != nil {
				return err
			}
			select {
			case <-ctx.Done():
				return election.Resign(s.context)
			case <-held.Done():
				return errors.New("elect: session expired")
			}
		},
	})
}

// observe prints each leader until a signal.
func (s *session) observe(ctx context.Context, election *concurrency.Election) error {
	for r := range election.Observe(ctx) {
		if err := s.show(found((*pb.RangeResponse)(r))); err != nil {
			return err
		}
	}
	if ctx.Err() == nil {
		return errors.New("elect: observer lost")
	}
	return nil
}
