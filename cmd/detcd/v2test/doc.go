// Package v2test holds detcd's /v2 against etcd's: a transcript of etcd 3.4.45 is replayed, and
// random requests are sent to Debian's etcd 3.4.23 and to detcd in turn, with clients that wait.
//
// What may differ is in one table (excluded), each line with its reason; docs/v2.md has the same
// for people. The second comparison needs that etcd: `make diff-v2` fetches it.
package v2test
