// Command detcdctl is the command line of a store that speaks etcd's v3 protocol: detcd, or etcd
// itself. Its commands, flags, variables, formats and exit statuses are those of etcdctl 3.7, so a
// script that calls one can call the other.
//
//	detcdctl put greeting hello
//	detcdctl get greeting
//	detcdctl watch --prefix jobs/ -- ./work.sh
//	detcdctl --endpoints a:2379,b:2379,c:2379 endpoint status -w table
//
// # The picture
//
//	words ──► settings ──► verb ──► request ──► answer ──► page
//	flags     who, where   checks    clientv3   what came  simple, JSON, fields,
//	ETCDCTL_  how long     the rest             back       protobuf, table
//
// Every command is a verb. A verb says which formats it knows and which words it takes; both are
// looked at before anything is sent, so a command that is refused has changed nothing. What came
// back becomes an answer, which knows how it looks in each format.
//
// # Where it differs
//
// Where etcdctl 3.7 has a bug that users meet, this program does better. The list is in
// docs/compatibility.md; the differential test in this directory knows each of them.
//
// Results go to standard output; errors, warnings, prompts and progress to standard error, and
// progress to a terminal only. Errors are one line, as etcdctl prints it, and below it what may
// help. There is no log unless --debug is given.
//
// # Exit status
//
//	0    done                              4    a format or option that does not exist here
//	1    the server said no, or a flag     5    a watch or a snapshot that was interrupted
//	     or command does not exist         128  words that make no sense
//	2    no connection; wrong password
//	3    a transaction that cannot be      lock exits with the status of the command that it ran
//	     read
package main
