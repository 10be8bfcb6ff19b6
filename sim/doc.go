// Package sim runs whole clusters in one deterministic world: the real consensus, storage, keys,
// leases and watches, with simulated networks, disks, clocks and clients, in one goroutine and
// virtual time. A run is its Options and nothing else: the same options give the same run, event
// for event, in every process and on every machine, so a failure is a number that can be passed on.
//
//	                 loop: virtual time, one thing after the other
//	  ┌──────────────┬─────────────┬───────────────┬─────────────────┐
//	clients        network         members         fates              judge
//	requests       delays, loses,  replica + kv    carry out the      compares members
//	watches        partitions,     on a disk that  plan of package    with each other, and
//	leases         clogs           can crash       faults, within     what clients hear with
//	                                               a budget           what happened
//
// # A run
//
//  1. The members start on empty disks and elect a leader. Clients begin: each does operations on
//     some member, holds a watch and a lease, takes a lock.
//  2. The plan strikes: at its moment each fault is carried out, if the budget allows it, and taken
//     back when its time is over.
//  3. Everything heals. Members that are down start again. Now the cluster must elect a leader,
//     agree, and let every watch catch up, within bounds: that is liveness.
//  4. The members' states are compared, to the last byte of their history.
//
// # What is judged
//
// While the run goes on: one leader a term; every member makes the same of every command at every
// index, in each of its lives; what a member tells a client is on the disks of a majority; what a
// member promised another (a vote, an acknowledgement) it remembers after a crash; its files pass
// their audits after each restart; a client never hears of less than any client had heard of when
// it asked; what is read is what was written; a watch tells every change that it was asked for,
// once, in order, with the changes of a revision together; a lease does not end before its time
// on the clock of the leader that ends it. In runs with users, what was refused for want of a
// right never comes to be; and in a time that two equal looks of an administrator frame, in which
// no right was changed, each client is let do what it may, and nothing else.
//
// # How determinism is kept
//
// One goroutine; virtual time; every random choice from a generator that the seed begins, one for
// each purpose; no map order anywhere. Raft's one hidden input, crypto/rand.Reader, is replaced
// (entropy.go); it belongs to the process, so seeds run in parallel as processes. Every event goes
// into a running hash, so any difference between two runs shows, and Diverge names the first.
//
// # How members take their turns
//
// As in consensus/node, what comes to a member gathers in an inbox, and replica.Turn gets all of it
// at once. When a member looks is drawn (turn.go): mostly as soon as something is there, at times
// after up to 64 ms, as a loop does that is busy or was not given the processor.
//
// # What it does not do
//
// It does not run consensus/node, consensus/transport and kv/rpc, the drivers of the real world:
// those are short, contain no protocol, and are tested with real processes. Its clients speak to
// kv.Call, so gRPC's encodings are not in it. The operating system's file system is replaced by
// storage/vfs.Memory, which is held to the same conformance suite.
package sim
