// Package mvcc keeps every revision of every key: etcd's data model, one member's copy of it.
//
// # The problem
//
// Writes come in one order, and each gets the next number, its revision. People want to read many
// keys as they were together at one revision (this one, or an old one), to be told of every change
// since a revision, and not to wait for one another while they do. Now and then they say that they
// will not ask below some revision any more (a compaction), and want their room back.
//
// # The picture
//
//	    index: a B-tree, in memory             archive: in the order of history, on disk
//
//	  key      newest version                    2.0   apple    1  "red"
//	┌───────┬───────┐                            3.0   banana   1  "long"
//	│ apple │   ●───┼─▶ 5.0 ──▶ 4.0 ──▶ 2.0      4.0   apple    2  "green"
//	│       │       │    †      v2      v1       4.1   cherry   1  "sour"
//	│ banana│   ●───┼─▶ 3.0                      5.0   apple    †
//	│ cherry│   ●───┼─▶ 4.1                      ▲
//	└───────┴───────┘                            └ a version is found by its revision
//
// Each change is a version: of one key, at a place in history, main revision and sub-revision, for
// a transaction may change several keys. The index has all of a version but its value. Versions
// never change. A put makes one that points to the one before and sets it in the tree; so it costs
// what a B-tree costs, however long the history is. A delete makes a tombstone (†). Besides the
// version before, each points to one far below, chosen so that the version of any revision is found
// in logarithmic time (a skew-binary list).
//
// Values are in the archive (package storage/archive), in the order in which they were written:
// once, and never again in place. The head of its record has all that the index must know of a
// change, so the index is rebuilt from the archive without reading a value:
//
//	┌───────────────┬──────────────────────────┬────────┬───────┐
//	│ version       │ revision less the create │ lease  │ key   │
//	│ 0: tombstone  │ revision                 │        │       │
//	├───────────────┼──────────────────────────┼────────┼───────┤
//	│ uvarint       │ uvarint                  │ varint │ bytes │
//	└───────────────┴──────────────────────────┴────────┴───────┘
//	                  a tombstone has not these two
//
// docs/formats/history.md has worked bytes, and the state that a checkpoint keeps.
//
// # Readers
//
// A View is a copy of the tree (a copy on write: taking one costs nothing, the puts that follow
// copy the nodes they touch, once for each view) and one of the archive. Any goroutine may read it
// for as long as it likes; nothing that the owner does afterwards shows in it, be it a put, a
// compaction or a merge of the archive. The owner makes one only when asked and when something has
// changed.
//
// # A worked example
//
// The picture, as requests: put apple red; put banana long; a transaction that puts apple green and
// cherry sour; delete apple. Now, at revision 5, a range over everything gives banana and cherry;
// at revision 3, apple (red) and banana. A watch from 4 on is told of two puts together, then of a
// delete. After a compaction at 4, a range at 3 is refused; at 4 it still gives apple (green),
// banana and cherry: what a compaction keeps of each key is the latest version at its revision. So
// version 2.0 goes. Version 5.0 stays until a compaction at 6 or later: it says that apple is not
// there.
//
// # Compaction
//
// Compact only sets a number below which reads are refused. The rest is work for later, done in
// bounded steps between other things (Work): first the hash of what is about to go, for HashKV
// reports that of the last compactions; then a walk over the index, in which keys that have too
// many versions get copies of the others (views may still read the old ones), and the archive is
// told which records are dead. It drops them when it merges its files. A tombstone is buried longer
// than what it buries: see graves.
//
// # Invariants
//
// Check tests these, and exactly these:
//
//  1. The versions of a key descend in history, from the newest, which is not behind the current
//     revision.
//  2. A version's number is one more than that of the version before; 1, with a create revision
//     that is its own, after a tombstone or nothing. The create revision of the others is
//     inherited. A tombstone is not before a tombstone.
//  3. Jumps are where a skew-binary list has them.
//  4. For each version there is its record in the archive, with a head that says the same; and for
//     each record above the last compaction, its version.
//  5. When no job is under way: of the versions up to the revision that was trimmed, each key has
//     one at most, and one that is not a tombstone, unless that is at just this revision or a newer
//     one stands on it.
//  6. Each grave has its tombstone in the archive, and the index has no version of its key before
//     it.
//
// Over time: a view answers the same for ever; the same commands give the same answers on every
// member, whenever Work is done; what a restart finds is what a checkpoint described.
//
// # What it does not do
//
// It knows nothing of leases but their numbers, checks no permission, and evaluates no compare of a
// transaction: package kv conducts. It has no rollback, so kv refuses before it writes. A key
// should be written once in a transaction, as etcd demands: if it is not, all versions are kept and
// told to watchers, but HashKV is not etcd's any more. A store writes nothing itself: it hands out
// steps (StorageStep) and somebody executes them. Reading a value may read a file, and an error
// there ends the member.
package mvcc
