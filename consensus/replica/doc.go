// Package replica is one member of a cluster, whole but for its input and output: Raft, the log,
// checkpoints, snapshots, membership, read barriers and the state machine that the log replicates.
// It starts no goroutine, reads no clock and does no I/O: it is told what happened and says what
// is to be done, and when it wants to be told the time next. The same inputs give the same effects,
// bit for bit.
//
//	 Tick Receive Submit Read QueryLeader Change             Done  BackgroundDone
//	   │     │      │     │       │         │                  ▲      ▲
//	   ▼     ▼      ▼     ▼       ▼         ▼                  │      │
//	┌───────────────────────────────────────┐            ┌─────┴──────┴────────┐
//	│ Replica: raft.RawNode, Machine        │ Write      │ Disk                │
//	│                                       ├───────────►│ Do (log)            │
//	│                        Take ─► Effects│ Background │ DoBackground (rest) │
//	└──────────────────────────────┬────────┘───────────►└─────────────────────┘
//	                               ▼
//	                Send, Answers, Events
//
// A driver feeds it. consensus/node does so with goroutines, a clock, sockets and files; sim does
// so in one loop with virtual ones. Neither contains a rule of the protocol.
//
// # The life of a command
//
//  1. Submit keeps the command. It waits while a Write is under way and then shares one raft entry
//     with all that came meanwhile. If another member leads, raft sends the entry there.
//  2. Take asks raft what is to be done. The leader's appends to its followers are in Send, and
//     leave at once; its own copy of the entry is in Write. Both disks work at the same time.
//  3. The driver makes the Write durable and calls Done. Only now does raft hear that this member
//     has the entry, and only now do a follower's answers leave.
//  4. Raft finds the entry committed. Machine.Apply executes its commands in order, on every
//     member; on the one that waits for it, the answer becomes an Answer.
//
// # The life of a crash
//
// What Disk.Do had acknowledged is there; of the rest, any part may be. Open loads the newest
// checkpoint, lets the machine restore itself from it, reads the log behind it, cuts a torn end,
// and starts raft with the term, vote and entries that were promised. See recover.go.
//
// # Invariants
//
//  1. An input starts no I/O. (Apply may read sealed segments; an installed snapshot is opened.)
//  2. A message or answer that promises durability is withheld until the Write it rests on, and
//     every one before, is done. Raft ties such messages to its appends; startWrite ties them to
//     the Write; respond is the only place that lets them go, and Done the only one that calls it
//     for them.
//  3. One Write and one BackgroundTask are outstanding at most. A Write waits for a BackgroundTask
//     only while a received snapshot is installed, which replaces the log that the Write would
//     extend.
//  4. A command is handed to raft at most once, and batches are numbered, so it is executed at most
//     once whatever the network does with messages (sessions.go).
//  5. A command that the machine found due is executed only in the term in which it was found.
//  6. The log in memory reaches back to the last durable checkpoint at least, so a follower can
//     always be served: from the log, or by that checkpoint.
//  7. Of the archive's segments none is let go of that is named by a checkpoint which a follower
//     may be fetching, or which a snapshot that is fetched here builds on.
//  8. Messages of a member whose data directory is not the one it started with are dropped, and it
//     is told so: a wiped disk never votes twice.
//
// # What it does not do
//
// It sets no time-outs on requests: the driver calls Forget. It does not authenticate members: the
// transport does. It does not verify what the machine computes; the simulator compares machines.
//
// Sources: Ongaro, Ousterhout, "In Search of an Understandable Consensus Algorithm" (2014), and
// Ongaro's thesis (2014): section 6.4 for reads, 4.3 for joint changes, 9.6 for pre-vote. The raft
// library is go.etcd.io/raft/v3 with asynchronous storage writes.
package replica
