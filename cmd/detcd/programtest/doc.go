// Package programtest uses programs that were made for etcd, unchanged, for what they are for, with
// detcd under them.
//
//	etcdctl 3.4   Debian           commands of an older line, snapshots
//	etcd3gw       Debian, Python   the JSON gateway, as OpenStack uses it
//	etcd3         npm, Node        gRPC: watches, leases, locks, elections, transactions, users
//	CoreDNS       module proxy     names from keys, changed while it runs
//	Patroni       Debian           PostgreSQL that fails over; detcd loses its leader, too
//
// They come from the network, so `make test` does not run them: `make test-clients` fetches them
// into .cache/clients and runs them. Nothing is installed.
package programtest
