// Package spectest compares the specification that judges histories, checker/etcd, with etcd's
// own binary: random requests go to both, and every field of every answer has to be equal.
//
// Whoever trusts a judge trusts its specification. This one was written by hand from what etcd
// documents; etcd itself has the last word.
//
//	go test ./cmd/detcd/spectest                          a few thousand requests
//	go test ./cmd/detcd/spectest -spectest.requests 1000000
//
// What it does not do: one request at a time, to one member; time passes for no lease.
package spectest
