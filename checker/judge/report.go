package judge

import (
	"fmt"

	"detcd/checker"
	"detcd/checker/etcd"
)

// A Report is what Judge found.
type Report struct {
	Verdict checker.Verdict
	// Operation is the index of the operation that breaks the promise; -1 if there is none to name.
	Operation int32
	// Reason is one sentence: what is wrong, or why it could not be decided.
	Reason string
	// Core are the operations that contradict each other, Operation among them.
	Core []int32
	// Order is the certificate, if the history holds: indices of all operations that happened, in
	// an order that Certify confirms. What may be older than its call is not in it. A negative
	// entry ^k is the end of the lease Expiries[k].
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
	Steps      int // that the search took
}

// Options say what the judge may assume.
type Options struct {
	// LeaseTolerance is how much too early a lease may expire, in nanoseconds: clocks drift.
	LeaseTolerance int64
	// ElectionTimeout is how much longer than granted a lease may live under a new leader, which
	// does not know when it was renewed last; in nanoseconds. 0: a second, as etcd has it.
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
	// StepsMax bounds how many operations are placed, choices that were wrong included. 0: ten for
	// each operation and a million. At the bound a history is undecided.
	StepsMax int
	// Effort multiplies that bound; 0 is 1.
	Effort int
}

// A verdict is how a part of the judge ends.
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

// Judge judges a history that began with an empty store. It reads it and keeps nothing of it. What
// it promises is in the documentation of the package.
func Judge(history []etcd.Operation, options Options) *Report {
	j := &judge{history: history, options: options}
	report := &Report{Verdict: checker.Holds, Operation: -1, Operations: len(history)}
	for _, part := range []func(*Report) *verdict{
		j.collectClaims, j.compareClaims, j.followWatches, j.judgeGrants, j.judgeLateness, j.findOrder,
		func(report *Report) (v *verdict) { report.Locks, v = judgeLocks(history, report); return v },
	} {
		if v := part(report); v != nil {
			report.Verdict, report.Operation, report.Reason = v.verdict, v.op, v.reason
			report.Core, report.Order = v.core, nil
			break
		}
	}
	report.Revisions = j.last
	for _, i := range report.Order {
		if i >= 0 && history[i].Unknown {
			report.Happened++
		}
	}
	return report
}

// Certify confirms with the specification alone that a report's order explains a history, as
// checker.Certify does. What may be older than its call is left out.
func Certify(history []etcd.Operation, report *Report) error {
	const absent = int32(-1)
	present := make([]etcd.Operation, 0, len(history)+len(report.Expiries))
	renumbered := make([]int32, len(history))
	for i := range history {
		renumbered[i] = absent
		if etcd.OfThePresent(&history[i]) {
			renumbered[i] = int32(len(present))
			present = append(present, history[i])
		}
	}
	ends := int32(len(present))
	for k, id := range report.Expiries { // each as a request of which nobody knows the outcome
		present = append(present, etcd.Operation{Unknown: true, Call: report.expired[k],
			Request: etcd.Request{Ask: &etcd.Revoke{ID: id}}})
	}
	mapped := make([]int32, 0, len(report.Order))
	for _, i := range report.Order {
		switch {
		case i < 0 && int(^i) < len(report.Expiries):
			mapped = append(mapped, ends+^i)
		case i >= 0 && int(i) < len(history) && renumbered[i] != absent:
			mapped = append(mapped, renumbered[i])
		default:
			return fmt.Errorf("operation %d is not one that has a place in the order", i)
		}
	}
	spec := etcd.Spec()
	spec.Step = func(s *etcd.State, o *etcd.Operation) (bool, *etcd.State) { return s.Step(o), s }
	return checker.Certify(spec, present, mapped)
}
