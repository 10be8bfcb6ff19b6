package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"detcd/sim"
)

// storyOptions choose what of a run is told.
type storyOptions struct {
	from, to time.Duration
	member   int
	kinds    []string
	heart    bool
}

func replayCommand() *cobra.Command {
	o, story := &runFlags{}, &storyOptions{}
	cmd := &cobra.Command{
		Use:   "replay SEED|FILE",
		Short: "Tell one run as a story: who sent what to whom, terms, votes, faults, clients",
		Long: `replay runs a seed, or the scenario in a file, and prints what happened, one line an event:
virtual time, member, kind of event, and what it was. The scenario comes first, the verdict last.

Exit status: 0 the run was told, whatever its verdict, 2 wrong usage, 7 it could not be written.`,
		Example: `  detcdlab replay 17 --kind raft,fault
  detcdlab replay scenario.txt --from 2s --to 4s --member 2`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			run, err := o.named(args[0])
			if err == nil {
				err = story.check(run)
			}
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			colors := colorsOf(out)
			told := sim.Scenario{Options: run}
			if o.file != nil {
				told.Story, told.Guard = o.file.Story, o.file.Guard
			}
			fmt.Fprintf(out, "%s\n", told)
			run.Listen = func(l sim.Line) {
				if story.wants(l) {
					fmt.Fprintln(out, paintLine(colors, l))
				}
			}
			result := sim.Run(run)
			fmt.Fprintln(out, lineOf(result, 0, false))
			if result.Verdict != sim.Green {
				fmt.Fprintf(out, "%s\n%s", result.Reason, result.Stack)
			}
			return nil
		},
	}
	o.define(cmd)
	f := cmd.Flags()
	f.DurationVar(&story.from, "from", 0, "begin at this virtual time")
	f.DurationVar(&story.to, "to", 0, "end at this virtual time; 0: with the run")
	f.IntVar(&story.member, "member", 0, "only what happens to this member; 0: to all")
	f.StringSliceVar(&story.kinds, "kind", nil,
		"only these kinds: "+words(sim.LineKinds()))
	f.BoolVar(&story.heart, "heartbeats", false, "tell heartbeats too")
	return cmd
}

// check refuses what no run has.
func (s *storyOptions) check(run sim.Options) error {
	for _, kind := range s.kinds {
		if !slices.Contains(sim.LineKinds(), kind) {
			return usagef("--kind %s: want some of %s", kind, words(sim.LineKinds()))
		}
	}
	switch numberMax := run.NumberMax(); {
	case s.member < 0 || s.member > numberMax:
		return usagef("--member %d: want 1 to %d", s.member, numberMax)
	case s.from < 0 || s.to < 0 || s.to > 0 && s.to < s.from:
		return usagef("--from %v --to %v: want a time and a later one", s.from, s.to)
	}
	return nil
}

func (s *storyOptions) wants(l sim.Line) bool {
	switch {
	case l.At < s.from || s.to > 0 && l.At > s.to:
		return false
	case s.member != 0 && l.Member != s.member:
		return false
	case len(s.kinds) > 0:
		return slices.Contains(s.kinds, l.Kind)
	}
	return s.heart || !strings.Contains(l.Text, "MsgHeartbeat")
}

func paintLine(colors palette, l sim.Line) string {
	switch l.Kind {
	case "fault", "stop":
		return colors.paint(red, l.String())
	case "raft", "start":
		return colors.paint(yellow, l.String())
	case "call", "return", "watch":
		return colors.paint(cyan, l.String())
	case "send", "receive", "lost":
		return colors.paint(faint, l.String())
	}
	return l.String()
}

func shrinkCommand() *cobra.Command {
	o := &runFlags{}
	var file string
	var tries int
	cmd := &cobra.Command{
		Use:   "shrink SEED|FILE",
		Short: "Make a failing run small, and keep it as a scenario of a few lines",
		Long: `shrink takes faults, operations, clients, members and time out of a failing run for as long
as it fails in the same way, and writes what is left as a scenario: a file that replay tells and
sim runs, and that can stay as a regression test.

Exit status: 0 it is smaller now, or as small as it gets, 2 wrong usage, or a run that is green, 7
the scenario could not be written.`,
		Example: `  detcdlab shrink 6 --bug deposed-read
  detcdlab shrink 17 --profile disk --out scenario.txt`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if tries < 1 {
				return usagef("--tries %d: want at least 1", tries)
			}
			run, err := o.named(args[0])
			if err == nil {
				err = writable(file)
			}
			if err != nil {
				return err
			}
			progress := isTerminal(os.Stderr)
			small, result := sim.Shrink(run, tries, func(best sim.Options, _ sim.Result) {
				if progress {
					fmt.Fprintf(os.Stderr, "\r\x1b[K%d faults, %d operations, %v", len(best.Plan),
						len(best.Only), best.Duration)
				}
			})
			if progress {
				fmt.Fprint(os.Stderr, "\r\x1b[K")
			}
			if result.Verdict == sim.Green {
				return usagef("seed %d is green: there is nothing to shrink", run.Seed)
			}
			text := sim.Scenario{Story: []string{result.Verdict.String() + ": " + result.Reason},
				Options: small}.String()
			fmt.Fprint(cmd.OutOrStdout(), text)
			if file == "" {
				return nil
			}
			return os.WriteFile(file, []byte(text), 0o644)
		},
	}
	o.define(cmd)
	cmd.Flags().StringVar(&file, "out", "", "write the scenario to this file too")
	cmd.Flags().IntVar(&tries, "tries", 2000, "runs to try at most")
	return cmd
}
