// Package clienttest runs the clients that exist for etcd against detcd: etcd's Go client with its
// locks, elections and transactional memory, and etcdctl.
//
// Every scenario runs against etcd first. That shows that the scenario is right; then detcd must
// pass it too, with one member and with three. What etcdctl prints for a script of commands must be
// equal to the letter, but for numbers that come from clocks and chance.
//
// Where difftest asks whether every answer is equal, this asks whether people can work with it:
// several members, several clients at once, a leader that is killed in the middle.
package clienttest
