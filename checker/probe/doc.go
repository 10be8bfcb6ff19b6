// Package probe drives any server that speaks etcd's protocol and records what its clients saw.
//
// # Problem
//
// A judge is as good as the history that it is given. A client that tries again by itself writes a
// key twice and reports one write; one that takes a time-out for a failure denies a write that
// happened; one that reads a clock that is set back turns honest answers into lies. And a load that
// never asks for what may go wrong (previous values, old revisions, leases that run out, watches
// that are resumed behind a compaction) proves nothing about it.
//
// # Picture
//
//	Probe ── client 1 ── script ── request ──► connection ──► a member
//	      ├─ client 2 ── ...          │            │
//	      └─ ...                      │  answer, refusal or nothing
//	                                  ▼            ▼
//	                              Recorder ◄── call and return, on one clock
//	                                  │
//	                                  ▼
//	                     history, one operation a line ──► checker/judge judges it
//
// # Example
//
//	recorder, err := probe.NewRecorder(file)
//	...
//	p, err := probe.New(probe.Options{
//		Connections: connections, Workload: "mixed", Clients: 10, Rate: 500, Recorder: recorder,
//	})
//	...
//	err = p.Run(ctx)            // until ctx ends; break the cluster meanwhile
//	difference, err := p.Finish(ctx) // with all members up: reads everything back, everywhere
//
// # Workloads
//
// Each is a file with a script: what one client does, over and over. Workloads lists them. Beside
// the clients there are two observers, which watch everything: so the history says of each revision
// what it changed, even if nobody got an answer.
//
// With Options.Users the cluster has authentication: users.go says who may do what, and who tries
// all the same. Breach tells whether somebody could.
//
// # Invariants
//
//  1. An operation is written as failed only if the answer says that nothing happened: outcome.go
//     has the whole list. Every other error is an unknown outcome.
//  2. No request is sent twice. gRPC itself repeats one only if it knows that the server never
//     began with it; a login, if the server says that it does not know who asks.
//  3. Times are those of the monotonic clock of this process.
//  4. The memory in use does not grow with the length of the history.
//  5. Whoever else makes requests while a history is recorded spoils it: the store is the probe's
//     alone, empty at first, and compactions are made by Compact.
//
// # What it does not do
//
// It judges nothing but what users may, and breaks nothing. A seed fixes what the clients draw, not
// what happens: servers and networks do not repeat themselves.
package probe
