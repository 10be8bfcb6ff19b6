// Package judge decides whether a history is one that etcd promises.
//
// # Problem
//
// To search for an order of the operations that explains all answers takes exponential time. But
// etcd gives its orders away: every answer carries a revision, and a watch shows what each
// revision changed. So the order is claimed by what was seen, and then proved.
//
// # Picture
//
//	revision   1        2        3        4        5
//	           │ put a  │ txn    │   ?    │ del b  │        owners: one for each revision
//	           └─reads──┴─reads──┴─reads──┴─reads──┘        the others: in the slot they name
//	                              ▲
//	                what a watch or a later read shows of it says whose it is
//
//	time       by[r]: somebody was told of r by then. Nothing called later comes before r.
//
// # How it decides
//
//  1. claims.go: an answer that says that keys were changed owns its revision; other answers belong
//     behind the revision that they name. Claims that contradict each other by time alone end it.
//  2. watches.go: each watch becomes a view, which says of every revision in its span what it
//     changed. What a watch promises without any order (ordered, unique, atomic, filters) is
//     checked there.
//  3. search.go: operations are let happen one after the other. What changes nothing happens as
//     soon as it can. Who owns the next revision makes it. A revision without owner is made by
//     whom evidence.go finds: the lost operation that explains what was seen of it. What nobody
//     saw (a lost grant, the end of a lease without keys, a lost compaction) happens only when an
//     answer cannot be explained without it. When nothing can happen, the last choice is taken
//     back.
//  4. leases: leases.go and late.go compare what answers promise of time. lock.go says who held a
//     lock.
//
// # Soundness
//
// An order is a sequence of operations, and of ends of leases, in which every operation that
// returned and is of the present comes once. It explains a history if the specification (package
// etcd) gives each answer in that order; nothing comes after what was called when it had returned;
// no lease ends before its time; and every revision, in any answer or message, was made by the
// time that somebody was told of it, with the changes that watches were shown.
//
//   - Holds: there is such an order. It is in the Report, and Certify confirms its first two
//     conditions with the specification alone.
//   - Violated: there is none. Either a conflict rests on no choice (claims, messages, or contents
//     at a revision up to which all changes are known), or all choices were tried. That suffices
//     because each step that is not tried can be put off or advanced without harm:
//     what changes nothing is never better later, for it holds back whatever was called after its
//     return (but for an operation that misses a lease, see mayWait);
//     what nobody saw is never better earlier than just before the answer that needs it, and a
//     compaction never before the revision behind which nobody can go on without it (but for a
//     transaction that failed for it, which may take its other branch there);
//     and of several lost operations that can have made just what was seen of a revision, all
//     orders remain if one is taken and they are exchanged when another revision needs it
//     (release). A state from which all was tried is not tried again (failed): states are told
//     apart by their revision, how much happened, and a number of 64 bits made of what happened
//     and what it made.
//   - Undecided: neither, within so many steps. The reason says where it ended, and whether a watch
//     from revision 1 would decide it. With such a watch there is nearly nothing to choose.
//
// No wall clock takes part: the same history and Options give the same Report.
//
// # When a lease ends
//
//	grant          renewal                             early │ in time        │ late
//	  ├───────────────┼──────────── time to live ────────────┼─ new leader? ──┼──────► seen here:
//	call            call  done                               │ election, slack│        violated
//
// Not early: each acknowledged grant and renewal gives a lease its whole time, counted from the
// earliest moment that the order leaves it. Not late: it is counted from the latest moment at
// which the lease can have been renewed. A leader that has just been elected knows of no renewals,
// and gives a lease its whole time and an election time-out more. So a lease must be gone in the
// first reign that is long enough. When leaders led the judge is told: see Options.Reigns. The
// time that a lease has left never exceeds what was granted, and becomes less while one leader
// leads and nobody renews it.
//
// # Invariants
//
//  1. Holds comes with a certificate.
//  2. Violated is said only if no order explains the history.
//  3. No search takes more steps than Options.StepsMax says.
//
// # What it costs
//
// A history of 1.27 million lines of 100 clients, 5% of the answers lost, with a watch of
// everything (go test -run Nothing -bench Judge): 1.05 to 1.1 s of one processor that was shared,
// and 235 MB more than the 480 MB of the history itself; it is decided.
//
// # What it does not do
//
// It shares no code with any server. It does not judge authentication, members, or errors that say
// that a request was not tried. The list of leases shows nothing: a member that is behind may
// answer it. The history must begin with an empty store.
package judge
