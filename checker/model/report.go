package model

import (
	"fmt"

	"detcd/checker"
)

// A Report is what Judge found.
type Report struct {
	Verdict checker.Verdict
	// Operation is the index of the operation that breaks the promise; -1 if there is none to name.
	Operation int32
	// Reason is one sentence: what is wrong, or why it could not be decided.
	Reason string
	// Core are the operations that contradict each other, Operation among them: no matter what else
	// happened, these cannot all be true.
	Core []int32
	// Order is the certificate, if the history holds: indices of all operations that happened, in
	// an order that Certify confirms. Serializable reads and what belongs to watches are not in it.
	// A negative entry ^k is the end of the lease Expiries[k].
	Order []int32
	// Expiries are the leases that ended by themselves.
	Expiries []int64
	expired  []int64 // when each of them can have ended, at the earliest

	Locks *Locks // what was found about locks; nil: nobody held one

	Operations int // that were judged
	Unknown    int // of them, with an unknown outcome
	Happened   int // of those, so many are in the order
	Revisions  int64
	Watches    int
	Events     int // that watches received
}

// Options say what the judge may assume.
type Options struct {
	// LeaseTolerance is how much too early a lease may expire, in nanoseconds: clocks drift.
	LeaseTolerance int64
	// ElectionTimeout is how much longer than granted a lease may live under a new leader, which does
	// not know when it was renewed last; in nanoseconds. 0: a second, as etcd has it.
	ElectionTimeout int64
	// Reigns are times in which one leader led, made revisions, and had a clock that ran. Function
	// Reigns finds some; the simulator knows them. Without any it is not judged whether leases live
	// too long.
	Reigns []Reign
	// LeaseSlack is how much later than promised a leader may end a lease, in nanoseconds; 0: a
	// second.
	LeaseSlack int64
	// ClockSlow is by how many parts in a million the clock of a leader may run slow in a reign.
	ClockSlow int64
	// StepsMax bounds how many operations are replayed, choices that were wrong included. 0: ten
	// for each operation and a million. At the bound a history is undecided.
	StepsMax int
}

// verdict is how the parts of the judge end early.
type verdict struct {
	verdict checker.Verdict
	op      int32
	core    []int32
	reason  string
}

// violated is a verdict.
func violated(op int32, core []int32, format string, arguments ...any) *verdict {
	return &verdict{checker.Violated, op, core, fmt.Sprintf(format, arguments...)}
}

// undecided is a verdict.
func undecided(op int32, format string, arguments ...any) *verdict {
	return &verdict{checker.Undecided, op, nil, fmt.Sprintf(format, arguments...)}
}

// Certify confirms with the specification alone that a report's order explains a history, as
// checker.Certify does. Serializable reads and what belongs to watches are left out.
func Certify(history []Operation, report *Report) error {
	var present []Operation
	renumbered := map[int32]int32{}
	for i := range history {
		if isPresent(&history[i]) {
			renumbered[int32(i)] = int32(len(present))
			present = append(present, history[i])
		}
	}
	for k, id := range report.Expiries { // each as a request of which nobody knows the outcome
		renumbered[^int32(k)] = int32(len(present))
		present = append(present, Operation{Unknown: true, Call: report.expired[k],
			Request: Request{&Revoke{id}}})
	}
	mapped := make([]int32, 0, len(report.Order))
	for _, i := range report.Order {
		at, ok := renumbered[i]
		if !ok {
			return fmt.Errorf("operation %d is not one that has a place in the order", i)
		}
		mapped = append(mapped, at)
	}
	spec := Spec()
	spec.Step = func(s *State, o *Operation) (bool, *State) { return s.step(o), s }
	return checker.Certify(spec, present, mapped)
}

// isPresent tells whether an operation sees or changes the present: it has a place in the order.
func isPresent(o *Operation) bool {
	if o.Error != "" && !explained(o.Error) {
		return false
	}
	switch ask := o.Request.Ask.(type) {
	case *Leases, *Watch, *Watched, *Held:
		return false
	case *Range:
		return !ask.Serializable
	case *Txn:
		return !stale(ask)
	}
	return true
}

// stale tells whether a transaction has no operation but ranges that may be old. etcd counts one
// without operations among them.
func stale(t *Txn) bool {
	for _, branch := range [][]Request{t.Success, t.Failure} {
		for _, part := range branch {
			if r, ok := part.Ask.(*Range); !ok || !r.Serializable {
				return false
			}
		}
	}
	return true
}
