// Package lease keeps the leases of a cluster: names that live as long as their holders keep
// saying so, and that take their keys with them when they die. Locks, elections and service
// registries stand on them: a client that crashes says nothing more, and what it held is given
// up.
//
// # The problem
//
// A lease is a promise about time, kept by machines that share no clock. The promise has one
// direction only: a lease may live longer than its time to live, never shorter. A client that was
// told "60 seconds" acts as the one holder of a lock for 60 seconds from when it asked. If the
// cluster gave the lock to somebody else after 59, two would hold it.
//
// # How it is kept
//
// What all members agree on, through the log, has no time in it: lease 7 was granted with a time
// to live of 60 seconds, it owns the keys a and b, it was revoked. Only the leader has
// deadlines, on its own clock, and tells nobody. When one passes, the leader does not delete
// anything: it proposes a revocation, which is an entry in the log like any other.
//
//	            what every member's book says           what only the leader's book says
//	           ┌────────────────────────────────┐     ┌──────────────────────────────────┐
//	Grant ───► │ lease 7 (serial 12) 60 s {a,b} │     │ agenda: 7 at 81.0 s              │◄── Renew
//	Attach ──► │ lease 9 (serial 15)  5 s {}    │     │         9 at 83.5 s              │
//	Revoke ──► └────────────────────────────────┘     └───────────────┬──────────────────┘
//	  ▲                                                           Due │ deadlines that passed
//	  └────────────── the log ◄── the leader proposes to revoke ◄─────┘
//
// Three moments need care; each has a rule, and each rule only ever lengthens a life.
//
// A lease is granted. The grant is applied while time passes unseen: Apply has no clock. So a
// lease is fresh until the next Due, and that call's time starts its clock.
//
// A lease is renewed. The answer must come from a leader that really led, which it learns from a
// round of messages to the others. Time passes in that round, and another member may be elected
// right after it. So a renewal counts from the moment before the round began (since): whoever
// leads later was elected after that moment and gave the lease its whole time to live then.
//
// The leader changes. The new one does not know when a lease was renewed last. Promote gives
// every lease its whole time to live, and one election time-out besides.
//
// # Why a serial
//
// Ann holds lease 7; its time is over, and the leader proposes to revoke 7. In the log, just
// before that entry, stands Ann's own revocation of 7, and after it Bob's grant of 7, for
// clients may choose IDs. The leader's entry, were it to say only "7", would take Bob's lease
// from him in its first second. So Due names a Grant, the ID with its serial, and what was
// proposed against Ann's grant does nothing to Bob's.
//
// # Example
//
// A book that leads, with times in seconds: Grant(7, 60); Due(20.9) gives nothing and sets the
// deadline of 7 to 80.9; Renew(7, 21.0) moves it to 81.0; Due(80.9) gives nothing; Due(81.0)
// gives
// {7, serial 12}. From now on Renew(7) is Undecided: whoever asks must ask again, until Revoke was
// applied and the answer is Unknown, or until another member leads.
//
// # Invariants
//
// Book.Check tests these.
//
//  1. A lease is filed under its own ID.
//  2. Serials are between 1 and that of the newest grant, and no two leases share one.
//  3. A key has at most one owner.
//  4. On a book that does not lead every lease rests. On one that leads none does: it is fresh (and
//     listed so), ticking, or given out by Due.
//  5. The agenda is a heap of exactly the ticking leases, and each knows its place in it.
//
// Besides, in a leadership, a deadline never moves forward; and the same calls give the same
// book and the same answers, on every machine.
//
// # What it does not do
//
// It reads no clock, deletes no key and proposes nothing: package kv conducts. It does not make
// leases safe to use as locks by themselves: a client that sleeps through its deadline does not
// notice, so what is locked must check a fencing token (the revision of the lock's key is one).
// The remaining time of long leases is not replicated yet: a change of leader gives a lease of a
// year another year.
package lease
