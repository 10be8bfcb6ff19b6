// Package difftest sends the same random requests to two servers and wants the same answers.
//
// # Problem
//
// Whoever says "speaks etcd's protocol" has to mean every field of every answer, every error's code
// and text, and every order of events, in cases that nobody thought of: a compare of an unknown
// kind inside a nested transaction, a limit of minus one, a watch that starts at the compacted
// revision. A specification that covers all of it exists in one form only: etcd itself.
//
// # Picture
//
//	        rapid: draws, shrinks
//	                 │ one request
//	           ┌─────┴─────┐
//	           ▼           ▼
//	        side A      side B          etcd and detcd; or etcd and etcd; or etcd and a liar
//	           │           │
//	           └─────┬─────┘
//	                 ▼
//	equal in every field that exclusions does not name?
//
// A session is one random sequence. Its requests go to both sides at the same time, and the next
// one only when both have answered, so whatever a server decides, it decides from the same history.
// Between sessions both sides are emptied and compacted, which takes a millisecond where a new
// process takes most of a second; after a difference they are started again. Both members have the
// same name, token and advertised addresses, hence the same IDs.
//
// Watches are compared as what they promise: for each watcher one sequence of events. How a server
// batches them is its own affair, within the rules that each side is held to by itself: a revision
// is never split unless fragments were asked for, nothing comes twice, nothing goes back. A
// witness, a watch of everything that is opened first, says which events each watcher must get; so
// a session knows when it has seen all that will come. That is needed before a cancel or a
// compaction, where what is still under way may be lost, and at the end.
//
// # Running
//
//	go test ./cmd/detcd/difftest                                  a few thousand requests
//	go test ./cmd/detcd/difftest -run Same -difftest.for 10m      as many as fit
//	go test ./cmd/detcd/difftest -run Same -rapid.seed 7          one seed again
//	go test ./cmd/detcd/difftest -rapid.failfile testdata/...     a failure again
//
// A difference is shrunk and printed with the whole sequence that leads to it.
//
// # Why to believe it
//
// Between etcd and etcd it must find nothing: no false alarms. Between etcd and a liar that alters
// one answer in some, it must find every lie: no blindness. A list of all fields of all requests
// must be drawn, and an alteration of any field of any answer must be noticed.
//
// # What it does not do
//
// One member, one request at a time: what concurrency and faults do is the simulator's part. Time
// passes for neither side: leases live long. Members that come and go, snapshots and the HTTP
// gateway have tests of their own.
package difftest
