package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"detcd/checker"
	"detcd/checker/model"
)

// judge asks the judge, and shows on a terminal for how long. Its error is that of ctx: then
// nothing was decided, and the program should end, for the judge goes on by itself.
func judge(
	ctx context.Context, history []model.Operation, options model.Options,
) (*model.Report, error) {
	decided := make(chan *model.Report, 1)
	go func() { decided <- model.Judge(history, options) }()
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
func confirm(history []model.Operation, report *model.Report) {
	if report.Verdict != checker.Holds {
		return
	}
	if err := model.Certify(history, report); err != nil {
		report.Verdict = checker.Undecided
		report.Reason = fmt.Sprintf("the order that was found is not confirmed: %v", err)
	}
}
