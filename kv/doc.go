// Package kv is etcd's data model as a deterministic machine: keys with all their revisions,
// transactions, and leases.
//
// # The problem
//
// A cluster is members that execute the same commands in the same order. That makes them equal
// only if a command does the same everywhere: whatever a member would decide by itself (the
// time, a random number, its own configuration) drives it away from the others, and nobody
// notices until a client reads two answers to one question. On the other hand most of what a
// client asks does not need to be executed everywhere: a read, a refusal, a question about time.
//
// So this package has two halves. A Call is the half that faces the client: it knows what a
// request needs and asks the surrounding world for it, one need at a time. A Store is the half
// that faces the log. Between them travel bytes.
//
//	        request                                              response
//	           │                                                    ▲
//	           ▼                                                    │
//	┌───────── Call ────────────────────────────────────────────────┴─────────┐
//	│ refuse what is wrong in itself; say what is needed; make the response   │
//	└────┬─────────────────────┬───────────────────────┬──────────────────────┘
//	     │ NeedCommand         │ NeedView, NeedBarrier │ NeedAnswer
//	     │ "put a=1"           │ "a state to read"     │ "leader, does lease 7 live?"
//	     ▼                     │                       ▼
//	  consensus                │                    the leader, which makes sure that it leads
//	     │ committed           │                       │
//	     ▼                     ▼                       ▼
//	┌── Apply ────────────── View ─────────────────── Ask ─── Store, on each member ──┐
//	│  mvcc: keys, revisions, values          lease: who owns them, until when        │
//	│  auth: users, and what they may do      v2: the tree of the old API             │
//	└─────────────────────────────────────────────────────────────────────────────────┘
//
// Neither half does I/O or knows the other's driver. A gRPC service carries Calls in the real
// world; in the simulator a client does, by the same code.
//
// # A request on its way
//
// A client sends a put of key "a" with lease 7:
//
//  1. NewCall finds nothing wrong with it: it has a key, and is not too large. Next is NeedCommand.
//  2. The driver submits Command(), a kind byte and the request. Every member applies it.
//  3. Apply asks the book of leases for lease 7. There is none any more, on any member: the
//     answer is etcd's error "requested lease not found", and nothing is written.
//  4. The driver of the member that submitted it hands that answer to Give. Next is Done, and
//     Response is the error.
//
// What cannot change between a request's arrival and its execution is refused in step 1, and
// costs the log nothing; what depends on the state, in step 3. The texts, the codes and the
// order in which things are found wrong are etcd's (3.7), as clients have come to know them.
//
// # Transactions
//
// A transaction is executed in three passes. Decide makes all comparisons, at all depths, on the
// state before it. Check looks at every operation of the branches that won: whether the lease of
// a put exists, or the revision of a range. Only then is it executed, and nothing can stop it:
// there is no way back, and none is needed.
//
// A transaction of ranges alone needs no command. It is executed on a view.
//
// # Time
//
// The log has no clock. What depends on time is asked of the leader (Ask), or proposed by it
// (Due), with the times that its driver passes in: see package lease. What a command would need
// of the proposing member (the ID of a new lease, the least time to live) is put into it by its
// Call.
//
// # Who may do what
//
// The member that is asked knows who asks, by a password, a token or a certificate: that is what a
// Call's Credentials are for, which its driver makes. Everything else is decided here, where it can
// be decided alike by all. A command carries the caller, and the revision of users and roles at
// which he was found out; it is checked when it is executed, before anything that depends on keys
// and leases. A read is checked in the view that it reads from. A question to the leader carries
// the caller too, since only the leader's state has the keys of a lease at that moment. What
// needs no Call is checked by Permit.
//
// Passwords are hashed by the Call, with a salt that its driver draws; the log has only hashes.
// Tokens are given out by the log, for every member is to know them, and forgotten by each member
// in its own time: they are not part of the state.
//
// # Invariants
//
// Store.Check tests these, and those of the packages below.
//
//  1. The lease of every key exists.
//  2. A lease has exactly the keys that say that they belong to it.
//  3. What is trimmed was compacted.
//
// And these hold over time; the tests of this package look for a counterexample.
//
//   - The same commands give the same answers, the same Hash and the same checkpoint, whether
//     somebody waits for the answers or not.
//   - A store that was restored from a checkpoint goes on as the one that made it.
//   - A response of Apply shares no memory with the command.
//
// # What it does not do
//
// A compaction with physical set waits until its own member has forgotten what was compacted, not
// until the members' files have shrunk. Three things are not as in etcd 3.7.3 and are meant so:
// the list of leases is linearizable, and sorted by ID; the remaining time of a lease that is
// over but not yet revoked is 0, never less; and one kind of transaction is refused that ends
// etcd's members (see writes.conflict).
package kv
