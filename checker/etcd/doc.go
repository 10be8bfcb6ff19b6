// Package etcd says what etcd promises, as a program that does one thing after the other.
//
// # Problem
//
// A history can only be judged against something that says what each answer should have been.
// etcd's own code cannot be that: it would repeat its own mistakes. And prose cannot be run.
//
// # Picture
//
//	requests and responses          request.go response.go proto.go: the format, and etcd's messages
//	       │
//	       ▼
//	    refuse      refuse.go       what is refused whatever the store contains
//	       │
//	       ▼
//	    allows      write.go        what fails in this state
//	       │
//	       ▼
//	      do        read.go write.go lease.go
//	       │
//	       ▼
//	     State      state.go        every version of every key, leases, what is compacted
//
// # Example
//
//	s, out := etcd.NewState(), &etcd.Response{}
//	failure := s.Apply(&etcd.Put{Key: "a", Value: "1"}, out) // "", and out.Revision is 2
//	s.Undo(0)                                                // as if nothing had happened
//
// It is to be read from top to bottom: state.go, read.go, write.go, lease.go, refuse.go, spec.go.
// Spec wraps it for checker.Linearizable and checker.Certify, which know nothing of revisions. A
// test (cmd/detcd/spectest) compares it with etcd's own binary, field by field.
//
// # Invariants
//
//  1. A failure changes nothing.
//  2. Undo gives back just the state that there was.
//  3. Versions of a key ascend by revision; within one revision by the order in which they were
//     made.
//
// # What it does not do
//
// It knows no time: that a lease ends is told to it as a Revoke. It does not know members,
// authentication, quotas, or errors that say that a request was not tried. Serializable reads,
// watches and lists of leases may be older than the state: they are package judge's.
package etcd
