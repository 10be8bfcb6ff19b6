// Package explore looks at everything that can happen in a small world. The simulator draws one run
// from each seed; here every order of deliveries, losses, time-outs, crashes, slow writes and
// requests is followed, up to a bound, with the real consensus/replica and its real log on a disk
// in memory. What it does not find within its bounds is not there.
//
//	cluster ── next ──► choices ── after ──► cluster ── judge ──► what does not hold
//	   ▲                              │
//	   │                              │ a step of one member: looked up, or executed once
//	   └──── not seen yet ◄── digest  ▼
//	                               space: states of members, and messages
//
// # Why it is fast
//
// A replica cannot be copied, so a search would have to execute each run from its beginning. But a
// member hears of the others by messages alone, and the same inputs lead to the same effects, bit
// for bit. So a state of the cluster is a list of states of its members, and of messages on the
// way; a step of a member is executed once, by playing its own inputs from its start, and is looked
// up ever after. A world of five million states has some fifty thousand states of members.
//
// # When two states are one
//
//   - Of a member: if all that it is made of is the same. The digest walks every field of the
//     replica and of raft, but for those that it names with a reason; times count as ages. A test
//     plays on from states that were taken for one, and wants the same effects.
//   - Of the cluster: if they differ only in who is who. Every permutation of the members is looked
//     at. A state of a member under another number is no computed one: it is what that member comes
//     to after the same inputs under these numbers, so it is a state of the real code as well.
//   - Hashes have 64 bits. Two of five million states share one in less than one of a million
//     explorations; then one of them is not followed.
//
// # What may happen
//
// A message arrives (perhaps twice), a follower or candidate waits in vain and campaigns, a leader
// ticks, a client asks for a command or a read, a member crashes and starts again, a disk is slow:
// its write stays under way while other things happen, and a crash may come before it or after it.
// Clocks know nothing of each other: any member may campaign at any time.
//
// A loss needs no choice: a message that has not arrived when the search ends is lost. With
// Ordered, a message that arrives takes those with it that were sent before it on its link, as if
// they were lost; without, messages arrive in any order. InFlight bounds those on a link: the
// oldest is lost where there are more. A message of an older term that changes nothing where it is
// sent to is left out. That a follower has not heard of its leader for so long that it may vote for
// another is no choice of its own: it comes with the request for its vote (the ! in a path).
//
// # What must hold
//
// At most one member leads in a term; who leads has what was committed in earlier terms; logs that
// have an entry in common are the same up to it; no two members apply different entries or make
// different lists of them; what is committed is on the disks of a majority, at any time; a client
// reads at least what any client was told of before it asked, and its command comes behind that; a
// member remembers after a crash what it has promised; and no assertion of the code fails.
//
// # What it does not do
//
// Checkpoints, snapshots, changes of membership and the store of keys are not in these worlds; the
// simulator and consensus/replica's own tests have them. The bounds are small, and it says nothing
// of what lies beyond. Nor does it judge that something happens at last, only that nothing wrong
// does.
//
// Sources: the search is that of explicit-state model checkers, with hash compaction (Wolper and
// Leroy, 1993) and symmetry (Ip and Dill, 1996); to run the real code in it is MODIST's way (Yang
// et al., 2009).
package explore
