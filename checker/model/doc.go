// Package model says what etcd promises, and judges histories against it.
//
// # Problem
//
// To search for an order of the operations that explains all answers takes exponential time: two
// thousand operations with one lost answer in twenty are out of reach. But etcd gives its orders
// away: every answer carries a revision. A write owns the revision that it made; a read belongs
// between two of them. What remains is to check the order that the system itself claims.
//
// # Picture
//
//	revision   1        2        3        4        5
//	           │ put a  │ txn    │   ?    │ del b  │        owners: one for each revision
//	           └─reads──┴─reads──┴─reads──┴─reads──┘        the others: in the slot they name
//
//	replay:    does the specification give each answer, when asked in this order?
//	time:      is there a moment for each, inside its interval, such that moments never go back?
//
// # The specification
//
// State is etcd as a sequential program: state.go, read.go, write.go, lease.go and refuse.go are to
// be read from top to bottom. Spec wraps it for checker.Linearizable and checker.Certify, which
// know nothing of revisions. A test compares it with etcd's own binary, field by field.
//
// # The judge
//
// Judge takes a history and returns a Report: a verdict; if the history holds, its certificate, an
// order that checker.Certify confirms with the specification alone; if it is violated, the
// operation, the reason in a sentence and the operations that contradict each other. In this order:
//
//  1. Operations are put in slots: those that changed keys own the revision that they were answered
//     with, the others belong behind it.
//  2. Slots are replayed. A revision that nobody owns was made by an operation whose answer was
//     lost, or by a lease that expired. What was ever seen of it says by which; where nothing was
//     seen, later versions of the keys say how many changes are missing, and by when. A plan
//     matches those who are needed, and those whom nobody would have noticed, with the revisions
//     made while their clients waited (plan.go). Whoever is planned is tried first, then everybody
//     else. Wrong choices are undone: those that a contradiction rests on, by its keys, by those of
//     everybody who could have been chosen, and by who was not free any more (retreat.go).
//  3. Every change gets the earliest moment at which it can have happened: not before its call, nor
//     before the calls of all that must come before it. If that is after the return of an
//     operation that must come later, no moments exist. Failed operations, which name no revision,
//     take the latest slot that explains them and that time leaves; since moments only move up and
//     slots only down, this ends in the least solution, and there is one if any exists.
//  4. Watches are compared with the changes of the order; leases with their times; what clients
//     believe of locks and elections (Held) with who held them, see judgeLocks.
//
// # When a lease ends
//
//	grant          renewal                             early │ in time        │ late
//	  ├───────────────┼──────────── time to live ────────────┼─ new leader? ──┼──────► seen here:
//	call            call  done                               │ election, slack│        violated
//
// Not early: each acknowledged grant and renewal gives a lease its whole time, counted from the
// call. Not late: it is counted from the latest moment at which the lease can have been renewed. A
// leader that has just been elected knows of no renewals, and gives a lease its whole time and an
// election time-out more. So a lease must be gone in the first reign that is long enough, and with
// n changes of leader after n+1 times this, once there is a leader. When leaders led the judge is
// told: see Options.Reigns. The time that a lease has left never exceeds what was granted, and
// becomes less while one leader leads and nobody renews it.
//
// That a lease was there is shown by what was answered about it, and by every key that belongs to
// it: in reads of the present and the past, in previous values, in events of watches. The list of
// all leases shows nothing: a member that is behind may answer it.
//
// # Invariants
//
//  1. Holds comes with a certificate.
//  2. Violated is said only if no choice of owners explains the history: it was not tried further
//     when the contradiction is about no choice, or all choices were tried.
//  3. Undecided is never said of a history without unknown outcomes and expired leases.
//
// # What it costs
//
// Of the goal's history, a million operations of 100 clients, 5% of the answers lost, on one core
// of two that others shared (go test -run Nothing -bench Judge): 1.9 to 2.2 s of the processor, and
// 322 MB more than the 390 MB of the history itself; decided in each of the cases tried. A hundred
// thousand take 0.2 s and 31 MB; of 24 such histories of as many seeds none was undecided.
// Porcupine, which knows nothing of revisions, takes exponential time once answers are lost.
//
// # What it does not do
//
// It shares no code with any server. It does not judge authentication, members, or errors that say
// that a request was not tried. The history must begin with an empty store.
package model
