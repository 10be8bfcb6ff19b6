package sim

import (
	"fmt"
	"slices"
	"time"

	"detcd/faults"
)

// The bounds of a run. Within them it ends, whatever else its options say.
const (
	membersMax  = 9 // at the start
	clientsMax  = holderNumbers - 1
	rateMax     = 100_000
	durationMax = 1000 * time.Hour
)

// joinersMax bounds the numbers of members that a plan may name where members join in the course of
// a run: how many that will be is not known before.
const joinersMax = 99

// Check returns why there is no such run, nil if there is. Zero stands for a default, as Options
// says. Everything that makes runs is held to it: flags, the lines of scenarios, plans, programs.
func (o Options) Check() error {
	if err := o.checkSettings(); err != nil {
		return err
	}
	o.setDefaults()
	return o.Plan.Check(o.Duration, o.NumberMax())
}

// checkSettings is Check without the plan.
func (o Options) checkSettings() error {
	o.setDefaults()
	switch {
	case o.Members < 1 || o.Members > membersMax:
		return fmt.Errorf("members %d: want 1 to %d", o.Members, membersMax)
	case o.Clients < 1 || o.Clients > clientsMax:
		return fmt.Errorf("clients %d: want 1 to %d, for the numbers from %d on belong to those who "+
			"hold the leases and watches of clients", o.Clients, clientsMax, holderNumbers)
	case o.Rate < 1 || o.Rate > rateMax:
		return fmt.Errorf("rate %d: want 1 to %d operations a second", o.Rate, rateMax)
	case o.Duration <= 0 || o.Duration > durationMax:
		return fmt.Errorf("duration %v: want more than 0, and at most %v", o.Duration, durationMax)
	case o.Bug != "" && !slices.Contains(Bugs(), o.Bug):
		return fmt.Errorf("bug %q: want one of %v", o.Bug, Bugs())
	}
	if err := o.World.checkRanges(); err != nil {
		return err
	}
	for _, op := range o.Only {
		if op.Client < 1 || op.Number < 1 {
			return fmt.Errorf("only %d.%d: clients and their operations are numbered from 1",
				op.Client, op.Number)
		}
	}
	return nil
}

// NumberMax returns the highest number that a member of the run can have: that of the last member
// at the start, if nothing in the plan makes others join.
func (o *Options) NumberMax() int {
	for _, f := range o.Plan {
		if f.Kind.Damages() || f.Kind.Info().Class == faults.ClassMembership {
			return joinersMax
		}
	}
	if o.Members == 0 {
		return membersDefault
	}
	return o.Members
}

// checkRanges refuses a knob outside its range, and what no cluster can be configured to.
func (v *Surroundings) checkRanges() error {
	for k, info := range knobInfos {
		if v[k] < info.Low || v[k] > info.High {
			return fmt.Errorf("world %s=%s: want %s to %s", info.Name, info.text(v[k]),
				info.text(info.Low), info.text(info.High))
		}
	}
	return v.check()
}
