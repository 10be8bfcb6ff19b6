// Detcd is the server: one member of a cluster that speaks etcd's v3 protocol.
//
//	detcd                       one durable member on 127.0.0.1:2379, data in default.etcd
//	detcd --name a --initial-cluster a=http://10.0.0.1:2380,b=http://10.0.0.2:2380 ...
//	detcd verify --data-dir D   audit a data directory that no member uses
//	detcd snapshot restore F    a new cluster's data directory from a snapshot of etcd's or ours
//
// Its flags are etcd's, with one dash or two; so are the environment variables (ETCD_ and the name
// of the flag in capitals, with underscores). A flag beats its variable. The last one counts when a
// flag is given twice. A flag of etcd that is not served yet is refused by name, unless it asks for
// what happens anyway.
//
// Flags, environment and signals are known here and nowhere below; everything else is in kv/server.
//
// Exit status: 0 for --help, --version, a clean audit and a member that was removed from its
// cluster; 1 for a bad flag, a failed start, a member that could not go on, damage; after SIGTERM
// or SIGINT, which stop the member cleanly, the status of the signal (143, 130), as with etcd.
package main
