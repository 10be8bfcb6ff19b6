// Command detcdlab is the laboratory: it puts a cluster under load, breaks it, measures it and
// judges what it did.
//
//	detcdlab bench put|range   load on any endpoint: throughput, latencies, use of the processor
//	detcdlab bench compare     etcd and detcd in turn, against the goals
//	detcdlab demo              a cluster that loses its leader to kill -9, to look at
//	detcdlab torture-kill      the same a thousand times, for the evidence
//
// # How a kill is judged
//
// The commands that kill share one engine, the drill:
//
//	workers ──┐ put, txn, delete, compare and swap, get            ┌── killer: kill -9, start
//	owner   ──┤ leases: grant, keep alive, revoke, forget          │
//	watchers ─┤ the whole store from its first revision   ┌────────▼────────┐
//	          └──────────────────────────────────────────►│ m1    m2     m3 │
//	                │ what was sent, answered, shown       └─────────────────┘
//	                ▼
//	             ledger: one order of all changes; every answer and event held against it
//
// Every value that is put names the write that it comes from, and a revision belongs to one write.
// So the watchers together see the whole truth, and a write that was acknowledged and is not there,
// one that is there twice or in part, a read of something else, a gap in a watch: each is seen as
// soon as it is told. Nothing needs to be searched. When the load is over, all of it is read back
// from every member: the state, the hash, the history as a new watch shows it, and every value at
// the revision that wrote it.
//
// # What it does not do
//
// A kill of a process loses nothing that it has written to a file, synced or not: that is the work
// of the simulator, whose disks forget. The members run on one machine with one clock and a network
// that never fails.
package main
