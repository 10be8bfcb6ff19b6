package nemesis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"detcd/faults"
)

// An Event is one fault that a conductor carried out.
type Event struct {
	Fault faults.Fault
	Text  string // what was done, and to whom
	Begin time.Time
	End   time.Time // when it was over; zero: it is not
	// Err is why it could not be done; the cluster was in no state for it. No finding.
	Err error
}

// A Conductor carries out a plan on a cluster.
type Conductor struct {
	Cluster *Cluster
	// Seed fixes whom the faults befall that do not say it.
	Seed uint64
	// Compact compacts the history of the store. Only those who record what clients do can make a
	// compaction that the record has; nil: there is none.
	Compact func(context.Context) error
	// Note is told of every fault when it begins and again when it is over. It may be nil.
	Note func(Event)
}

// deed is a fault under way.
type deed struct {
	event Event
	until time.Duration
	undo  func() error
}

// run is one run of a conductor.
type run struct {
	*Conductor
	ctx    context.Context
	random *rand.Rand
	begin  time.Time
	open   []*deed
	full   map[*Member]time.Time // whose disks are full, or were until then
}

// Run carries out the plan and returns when it is over, or earlier when ctx ends. Then every fault
// is undone: members run, wires are whole. A member that ends by itself is an error at once.
func (c *Conductor) Run(ctx context.Context, plan faults.Plan) error {
	if err := Check(c.Cluster, plan); err != nil {
		return err
	}
	plan = slices.Clone(plan)
	plan.Sort()
	r := &run{Conductor: c, ctx: ctx, begin: time.Now(),
		random: rand.New(rand.NewPCG(c.Seed, 0x6e656d65736973)), full: map[*Member]time.Time{}}
	err := r.play(plan)
	if errors.Is(err, ctx.Err()) {
		err = nil
	}
	for len(r.open) > 0 {
		err = errors.Join(err, r.end(0))
	}
	for _, m := range c.Cluster.members {
		if m.Clock() != 0 {
			err = errors.Join(err, m.SetClock(0))
		}
	}
	for len(r.full) > 0 && err == nil {
		time.Sleep(pollInterval)
		err = r.exited()
	}
	return err
}

// play begins and ends faults in the order of their times.
func (r *run) play(plan faults.Plan) error {
	for len(plan) > 0 || len(r.open) > 0 {
		at, last := time.Duration(1<<62), -1
		for i, d := range r.open {
			if d.until < at {
				at, last = d.until, i
			}
		}
		if len(plan) > 0 && plan[0].At < at {
			at, last = plan[0].At, -1
		}
		if err := r.wait(at); err != nil {
			return err
		}
		if last >= 0 {
			if err := r.end(last); err != nil {
				return err
			}
			continue
		}
		if err := r.start(plan[0]); err != nil {
			return err
		}
		plan = plan[1:]
	}
	return nil
}

// wait waits until a time of the run, and looks after the members meanwhile.
func (r *run) wait(at time.Duration) error {
	for {
		if err := r.exited(); err != nil {
			return err
		}
		left := at - time.Since(r.begin)
		if left <= 0 {
			return r.ctx.Err()
		}
		if err := sleep(r.ctx, min(left, 10*pollInterval)); err != nil {
			return err
		}
	}
}

// start begins a fault. One that cannot be done is noted and passed over.
func (r *run) start(f faults.Fault) error {
	d := &deed{event: Event{Fault: f, Begin: time.Now()}}
	if time.Since(r.begin)-f.At > lateMax { // all that waited would come at once
		d.event.Text, d.event.End, d.event.Err = f.Kind.String(), d.event.Begin, errLate
		r.note(d.event)
		return nil
	}
	text, undo, err := r.do(f)
	if exit := r.exited(); exit != nil {
		return exit
	}
	d.event.Text, d.event.Err = cmp.Or(text, f.Kind.String()), err
	if err != nil || undo == nil || f.For == 0 {
		if err == nil && undo != nil {
			err = undo()
		}
		d.event.End = time.Now()
		r.note(d.event)
		return nil
	}
	d.undo, d.until = undo, time.Since(r.begin)+f.For
	r.open = append(r.open, d)
	r.note(d.event)
	return nil
}

// end undoes a fault.
func (r *run) end(i int) error {
	d := r.open[i]
	r.open = slices.Delete(r.open, i, i+1)
	err := d.undo()
	d.event.End = time.Now()
	r.note(d.event)
	return err
}

func (r *run) note(e Event) {
	if r.Note != nil {
		r.Note(e)
	}
}

// names lists members.
func names(members []*Member) string {
	var list []string
	for _, m := range members {
		list = append(list, m.name)
	}
	return strings.Join(list, ", ")
}

// Check returns why a plan cannot be carried out on a cluster, nil if it can.
func Check(c *Cluster, plan faults.Plan) error {
	for _, f := range plan {
		if err := c.can(f.Kind); err != nil {
			return fmt.Errorf("nemesis: %q: %w", f, err)
		}
		for _, number := range slices.Concat(f.Members, f.Peers) {
			if number > len(c.members) {
				return fmt.Errorf("nemesis: %q: there is no member %d", f, number)
			}
		}
	}
	return nil
}
