// Package v2http is the HTTP of etcd's first API, /v2, as etcd 3.4 serves it: keys, members,
// machines, statistics.
//
// # A request on its way
//
// PUT /v2/keys/a with prevValue=1 and value=2 in its form:
//
//  1. parse reads the form, in etcd's order, for the first thing that is wrong is what the client
//     is told. Nothing that is refused here costs the log anything.
//  2. command makes a v2.Command of it, with the time of this member's clock.
//  3. The member executes it, and gives an event or an error.
//  4. It is written as etcd does it, byte by byte: the order of the fields, what is left out when
//     empty, the escapes of HTML, the line's end.
//
// A GET is answered from what this member has applied, which may be old; with quorum=true behind a
// barrier.
//
// # Waiting
//
// A wait is told of the first event from an index on. It finds it in the window of the last
// thousand, or enters the waiters: one goroutine looks at what is new, as long as anybody waits,
// and hands each event to those whom it concerns. Nobody is woken in vain.
//
// Differences to etcd, meant so: a stream that begins with a past event goes on, where etcd's says
// no more; it is told of a deletion once, where etcd's is told twice; and who waits for a key that
// never was, in a directory that goes, is told so, as etcd tells who asks too late.
//
// # Bounds
//
// WaitersMax clients wait at a time; one more is refused. Each may be bufferMax events behind, then
// its answer ends, as in etcd. A client that takes nothing for writeTime is let go. A body of more
// than three times the greatest command is not read.
//
// # What it does not do
//
// There are no users and roles of v2: /v2/auth says so, and refuses changes. While those of v3 are
// enabled, keys and members of v2 are closed to everybody, because nobody knows here who asks.
package v2http
