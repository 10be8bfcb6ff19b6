// Package backup writes etcd's snapshot file from an immutable view of a member, and reads one.
//
// # The problem
//
// People who run etcd have backups, and tools and habits around them: "etcdctl snapshot save",
// "etcdutl snapshot status", "etcdutl snapshot restore". A store that keeps its data in another way
// must still give and take that one file, so that whoever moves in can move out again, with every
// key, every revision that was not compacted, and every lease.
//
// # The picture
//
// The file is a bbolt database, that of an etcd member, with these buckets:
//
//	key              revision ─► change, as protobuf      the history; decides revision and HashKV
//	lease            ID ─► {ID, TTL}, as protobuf
//	meta             consistent_index, term               where in the log the file was
//	                 storageVersion                       "3.7.0", or whereto a downgrade leads
//	                 scheduledCompactRev, finishedCompactRev
//	cluster          clusterVersion                       "3.7.0"
//	members          ID in hexadecimal ─► JSON            a restore replaces them
//	members_removed  ID in hexadecimal ─► "removed"
//	alarm            {member, kind}, as protobuf          no value
//	auth             authEnabled, authRevision
//	authUsers        name ─► user, as protobuf            the hash of the password among it
//	authRoles        name ─► role, as protobuf
//
//	revision:  ┌───────────┬─────┬───────────┬─────┐
//	           │ main, BE  │ '_' │ sub, BE   │ 't' │   the last byte only for a delete
//	           │ 8 bytes   │     │ 8 bytes   │     │
//	           └───────────┴─────┴───────────┴─────┘
//
// Who stores it appends the SHA-256 of all that is before; the length tells, for a database is a
// multiple of 512 bytes long.
//
// # An example
//
//	file, err := backup.Write(dir, view, backup.Origin{Index: 7, Term: 2, Members: members})
//	defer file.Close()
//	_, err = file.WriteTo(w) // file.Size() bytes
//
// # How it is written
//
// The view never changes and needs no lock, so nothing waits for a backup. It goes into a
// temporary file, since a database is not written from front to end: rows come in ascending order,
// a bounded number of bytes in one transaction, so that the log on the same device never waits
// behind more. The file has no name any more by the time it is
// read, so a crash leaves nothing behind.
//
// # How it is read
//
// The structure is checked first (structure.go), then bbolt reads. What is wrong with a file is
// ErrDamaged, and found within its length.
//
// # What it does not do
//
// It knows no log of requests and no configuration of raft: a restore begins a new cluster. It is
// not deterministic, as it touches files, and so it is used by kv/server and never by the
// simulator.
package backup
