// Package server puts a member together: it is the only place that knows both consensus and kv.
//
// The problem: a member is a data directory, an identity, a state machine, a replica, a node,
// peers, services, listeners and a log, and each must be made before the next and outlive it. If
// each is given its own copy of the settings, nobody can tell which one counts.
//
//	Config ──► Validate ──► lock the directory ──► listen ──► who am I? ──► node.Start ──► serve
//	                                                            │
//	                      a used directory: what it says of itself, whatever --initial-cluster says
//	                      a new one, state "new": sha1 of the URLs and the token, as in etcd
//	                      a new one, state "existing": the other members are asked
//
//	Stop: no new requests ─► hand over leadership ─► the last write ─► streams end ─► unlock
//
// There is one [Config]; it is passed by value once and copied into nothing else. Files of a
// member:
//
//	<data-dir>/member/LOCK         held by the process that uses it
//	<data-dir>/member/checkpoint/  who it is, and which segments belong to it
//	<data-dir>/member/archive/     the history of all keys
//	<data-dir>/member/wal/         the log; with WALDir it is there
//
// They must belong together (docs/formats/member.md): a member does not start where there are signs
// of an earlier life, or of etcd, and not all of it.
//
// Example:
//
//	config := server.Default()
//	config.DataDir = dir
//	s, err := server.Start(ctx, config)
//	<-s.Ready()
//	err = s.Stop(ctx)
//
// [Verify] audits a data directory that nobody uses.
//
// What it does not do: it reads no flags, environment or files of settings (cmd/detcd does),
// installs no signal handler, and does not end the process.
package server
