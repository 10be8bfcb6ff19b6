// Package watch tells those who asked what happened to their keys.
//
// # The problem
//
// A watch is a promise: of these keys you hear every change, from this revision on, in order,
// once, and whole transactions at a time; and if that cannot be kept, you hear so.
//
// The usual way to keep it is to push: a write looks up who watches its key and puts an event into
// a queue for each of them. Queues are bounded, so a watch whose queue is full must be remembered
// as slow, its events be put aside, and itself be brought back without a gap or a repetition.
// Most mistakes that etcd ever made with watches were made there, on the way out of the fast lane
// and back into it.
//
// # The picture
//
// Here nothing is pushed and nothing is queued. History is kept anyway, by revision, and never
// changes: so a watch is a place in it, and to serve a watch is to read from there.
//
//	history   … 41 42 43 44 45 46 47 48 49 │ not yet
//	             ▲        ▲              ▲
//	             alone    along          live
//
//	live    where all are who listen: one pass over what is new serves them together
//	along   behind, and watching a range: one pass over history, from the last of them on
//	alone   behind, and watching one key: the history of that key, found by the index
//
// A slow client is one whose stream takes its next step later. It costs a place, however long it
// sleeps; then it reads more at a time. To catch up is no special event either: who has read as
// far as the listeners is one of them.
//
// A [Stream] is all watches of one client stream. Its owner brings it requests, calls Step with a
// view when the store has moved on, and sends what Take gives before the next Step. A step is
// bounded in bytes and in revisions and says when there is more. What the steps of one that catches
// up have read is gathered for it and given to it at once, for that is what etcd's clients know:
// up to a thousand revisions, and within bounds in bytes.
//
// A [Board] is for servers with many streams. It looks at history for all of them and names those
// whom a change concerns; the others need not wake, nor read what it has looked at.
//
// # An example
//
// Revision 7 is current. A client watches "a" from revision 5, asks for progress, and cancels.
//
//	Request(create a, start 5)   → {7, id 0, created}
//	Request(progress)
//	Step(view at 7)              → {7, id 0, [put a @5, delete a @7]}   {7, id -1}
//	Step(view at 9)              → {9, id 0, [put a @8, put a @9]}
//	Request(cancel 0)            → {9, id 0, canceled}
//
// The number in front is the revision in the header: the watch was told all up to it.
//
// # Invariants
//
//  1. A watch was given all of its events below its place and none from there on. Its place is
//     next, or for a listener the greater of next and live. It never moves back.
//  2. The events of one revision go to a watch in one response, or in the fragments of one.
//  3. The revision in the header of a response with events, or of progress, covers the watch:
//     events of it or below do not come later.
//  4. No watch reads below the compaction: one whose place is below is cancelled and told where
//     history begins. One whose place is the compaction's revision goes on.
//  5. Those along and alone are in behind, those listening are counted in listeners, all of these
//     are in the index, and those over in none of them.
//
// # As etcd, and not
//
// Replies, IDs, refusals and the times of notifications are etcd's, down to the ID of a watch that
// compaction cancelled: it stays taken until the client cancels it, too. On purpose not as etcd:
//
//   - What happened since the last step is one response a watch, not one for each revision; etcd
//     joins them too, but only for those that were slow.
//   - While there is more to catch up on, a header has the revision that the response goes to. etcd
//     has the current one there, although older events follow.
//   - A question for progress that finds a watch behind is answered when it has caught up; etcd
//     forgets it (etcd-io/etcd issue 15220). A watch that compaction cancelled does not keep the
//     others from an answer.
//   - A response is bounded in bytes, too: from 32 MiB on, or if all streams have gathered 256 MiB,
//     the rest is in another one.
//
// # What it does not do
//
// It asks nobody for permission, does not fill who answers into headers, keeps no time and starts
// no goroutine: kv/rpc does all that for a client of a real server. Events that compaction took
// are gone: a client that sleeps longer than history is kept must read anew.
package watch
