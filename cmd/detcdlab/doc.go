// Command detcdlab is the laboratory: it puts a cluster under load, breaks it, measures it and
// judges what it did.
//
//	detcdlab bench put|range|… load on any endpoint: throughput, latencies, use of the processor
//	detcdlab bench compare     etcd and detcd in turn, against the goals
//	detcdlab bench scale       how the cost of a put grows, on both
//	detcdlab bench disk|floor  what the machine allows
//	detcdlab demo              a cluster that loses its leader to kill -9, to look at
//	detcdlab torture           a real cluster, broken in many ways; its history is judged
//	detcdlab torture-kill      kill -9 a thousand times, judged while it runs
//
// # How torture is judged
//
// checker/probe records what clients did and saw, faults/nemesis breaks the cluster, and
// checker/judge judges the history when all is over: docs/torture.md.
//
// # How a kill is judged
//
// The demo and torture-kill share one engine, the drill, which judges while it runs:
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
// of the simulator, whose disks forget. The members run on one machine with one clock.
package main
