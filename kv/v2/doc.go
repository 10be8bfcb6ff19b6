// Package v2 is the tree of etcd's first API, as etcd 3.4 has it, as a deterministic machine:
// directories and files with indexes and times to live, and the last thousand changes.
//
// # The problem
//
// Before keys had revisions, etcd kept a tree of files. Programs of those years create, compare and
// wait in it, and depend on details: which index a node gets, what an error says, whether somebody
// who waits is told of a hidden file. All members must give the same answers, so a command does
// nothing but what its bytes say. Even the time is in it.
//
//	            Command                                   Event or Error
//	               │                                            ▲
//	               ▼                                            │
//	┌──────────── Tree: one goroutine ──────────────────────────┴──────────┐
//	│ nodes   /a  /a/b  /a/c  /d …   ordered by key, '/' before all bytes  │
//	│ timed   those that end, the first one first                          │
//	│ window  …  event 1001  event 1002  event 1003                        │
//	└──────────────┬───────────────────────────────────────────────────────┘
//	               ▼
//	             View: nodes and window at one moment, for any goroutine
//
// # A worked example
//
// A new tree has index 3, for an etcd with one member has made three changes of its own by then. Of
// four commands
//
//	set /a/b=1             makes directory /a and file /a/b, both of index 4
//	compareAndSwap /a/b=2  if it is 1: modified at 5, created at 4
//	set /a/b=3             is another file: created and modified at 6
//	delete /a, recursive   has index 7; who waits at /a/b is told of it too
//
// the window has the events 4 to 7. A wait at /a/b from index 5 finds the second at once; one from
// index 8 has to wait.
//
// # Keys
//
// The root is "", the key of a node that of its directory, a slash and a name. What clients write
// is brought to that form by Clean. A name that begins with '_' is hidden: no listing shows it, and
// who waits for a whole directory is not told of it.
//
// # Time
//
// A node ends at a time on the clock of the member that took the request; what a command says of
// remaining seconds is counted from the time in it. Nothing ends by itself. The leader proposes
// a command with its time (Due), and every member removes the same nodes in the same events.
//
// # Invariants
//
// Tree.Check tests these.
//
//  1. The root is a directory, and each node is in a directory.
//  2. No node was created after it was modified, or modified after the tree's index.
//  3. Timed has the nodes that end, and no other.
//  4. The window has one event for each index from its first, but for the three at the beginning.
//  5. Bytes is what the nodes take, and at most BytesMax.
//
// # Bounds
//
// A key has at most KeyBytesMax bytes and DepthMax names, the tree BytesMax bytes, the window
// EventsMax events of EventBytesMax bytes. At the first three a command is refused; of the window
// the oldest event goes, as in etcd, and who asks for it is told. A checkpoint has all nodes and
// the window, so it is bounded by the sum.
//
// # What it does not do
//
// It knows no HTTP, no JSON and no waiting: kv/gateway/v2http does. It does not know the keys of v3
// (kv/mvcc), nor they it. Counts of what was done are the member's own, and begin with its process.
package v2
