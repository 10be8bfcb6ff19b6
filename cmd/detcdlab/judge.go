package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/pflag"

	"detcd/checker"
	"detcd/checker/etcd"
	"detcd/checker/judge"
)

// leaseTimes are the flags that say when a lease may end, and how much is tried.
type leaseTimes struct {
	tolerance, lateness time.Duration
	effort              int
}

// define makes the flags.
func (l *leaseTimes) define(flags *pflag.FlagSet) {
	flags.DurationVar(&l.tolerance, "tolerance", 0, "how much too early a lease may expire")
	flags.DurationVar(&l.lateness, "lateness", 2*time.Second,
		"how late a lease may end, while one leader leads; 0: not judged")
	flags.IntVar(&l.effort, "effort", 1, "try so many times as much before a history is undecided")
}

// check refuses what means nothing.
func (l *leaseTimes) check() error {
	if l.tolerance < 0 || l.lateness < 0 || l.effort < 1 {
		return usagef("--tolerance, --lateness: want at least 0; --effort: want at least 1")
	}
	return nil
}

// pauseMax is how long a leader makes no revision at most, of which it is said that it led all the
// time.
const pauseMax = time.Second / 2

// options are what the judge of a history is told.
func (l *leaseTimes) options(history []etcd.Operation) judge.Options {
	options := judge.Options{LeaseTolerance: l.tolerance.Nanoseconds(),
		LeaseSlack: l.lateness.Nanoseconds(), Effort: l.effort}
	if l.lateness > 0 {
		options.Reigns = judge.Reigns(history, pauseMax.Nanoseconds())
	}
	return options
}

// decide asks the judge, and shows on a terminal for how long. Its error is that of ctx: then
// nothing was decided, and the program should end, for the judge goes on by itself.
func decide(
	ctx context.Context, history []etcd.Operation, options judge.Options,
) (*judge.Report, error) {
	decided := make(chan *judge.Report, 1)
	go func() { decided <- judge.Judge(history, options) }()
	begun, second := time.Now(), time.NewTicker(time.Second)
	defer second.Stop()
	shown := isTerminal(os.Stderr)
	for {
		select {
		case report := <-decided:
			if shown {
				fmt.Fprint(os.Stderr, "\r\x1b[K")
			}
			return report, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-second.C:
			if shown {
				fmt.Fprintf(os.Stderr, "\rjudging %d operations: %v", len(history),
					time.Since(begun).Round(time.Second))
			}
		}
	}
}

// confirm replays the order that the judge found for a history that holds, with the specification
// alone.
func confirm(history []etcd.Operation, report *judge.Report) {
	if report.Verdict != checker.Holds {
		return
	}
	if err := judge.Certify(history, report); err != nil {
		report.Verdict = checker.Undecided
		report.Reason = fmt.Sprintf("the order that was found is not confirmed: %v", err)
	}
}
