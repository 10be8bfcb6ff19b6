package main

import (
	"context"
	"sync"
	"time"

	"detcd/faults/nemesis"
)

// An observer asks every member several times a second what it knows of itself, and tells when the
// cluster has another leader.
type observer struct {
	members []*nemesis.Member
	// elected is called for each new leader, from one of the observer's goroutines.
	elected func(name string, term uint64)

	mu     sync.Mutex // guards what follows
	views  []memberView
	leader string // in term
	term   uint64
	won    int // leaders seen, one a term
}

// A memberView is what a member last said, and whether it runs.
type memberView struct {
	name     string
	state    string // leader, follower, candidate, starting or dead
	pid      int
	starts   int
	term     uint64
	revision int64
}

// observeInterval is the time between two questions to a member.
const observeInterval = 100 * time.Millisecond

func newObserver(members []*nemesis.Member, elected func(name string, term uint64)) *observer {
	return &observer{members: members, elected: elected, views: make([]memberView, len(members))}
}

// run asks until ctx ends.
func (o *observer) run(ctx context.Context) {
	var group sync.WaitGroup
	for i := range o.members {
		group.Go(func() {
			for ctx.Err() == nil {
				o.look(ctx, i)
				pause(ctx, observeInterval)
			}
		})
	}
	group.Wait()
}

// look asks one member.
func (o *observer) look(ctx context.Context, i int) {
	m := o.members[i]
	view := memberView{name: m.Name(), pid: m.PID(), starts: m.Starts(), state: "dead"}
	leads := false
	if view.pid != 0 {
		view.state = "starting"
		if status, err := m.Status(ctx); err == nil {
			view.term, view.revision = status.RaftTerm, status.Header.Revision
			leads = status.Leader != 0 && status.Leader == status.Header.MemberId
			switch {
			case leads:
				view.state = "leader"
			case status.Leader == 0:
				view.state = "candidate"
			default:
				view.state = "follower"
			}
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if view.term == 0 { // what it knew before it died
		view.term, view.revision = o.views[i].term, o.views[i].revision
	}
	o.views[i] = view
	if leads && view.term > o.term {
		o.leader, o.term = view.name, view.term
		o.won++
		o.elected(view.name, view.term)
	}
}

// snapshot returns what all members last said.
func (o *observer) snapshot() []memberView {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]memberView(nil), o.views...)
}

// elections returns how many leaders were seen.
func (o *observer) elections() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.won
}
