// Package transport carries messages between the members of a cluster.
//
// The problem: consensus wants to say many small things to a few other members, quickly, and it
// does not mind when some of them are lost; what it cannot bear is to wait. A member that is slow,
// stopped, cut off or gone must never delay what is said to the others, and must not make the
// sender hold more and more memory.
//
//	          Send(to, lane, payload)              Deliver(from, incarnation, payload)
//	                   │                                       ▲
//	        ┌──────────▼──────────┐    hello ─────────►  ┌─────┴─────┐
//	to ───► │ bounded queue       │    ◄───────── welcome│ read loop │   one goroutine
//	lane    │ one goroutine       ├─── frames ─────────► │           │   for each connection
//	        └─────────────────────┘    ◄───────── pulses └───────────┘
//
// Every member dials every other one: one TCP connection for each peer and [Lane], so that a
// snapshot under way (LaneBulk) delays no heartbeat (LaneConsensus). Messages travel only from the
// dialler to the listener; what comes back is the answer to the handshake and the echo of pulses.
//
// A member that dials and cannot be dialled lends its peers connections to write to.
//
//   - Send never blocks. It copies the payload into the queue of its peer and lane, which is
//     bounded in bytes and in messages. When it is full, or while the peer cannot be reached, the
//     message is dropped and Send says false.
//   - What was queued while a write was under way leaves in the next write, all at once.
//   - A connection begins with a handshake: magic, format version, cluster, sender, addressee and
//     the incarnation of the sender's data directory. The listener refuses what does not fit,
//     with a reason that both sides log.
//   - Each frame is bounded in size and carries a CRC-32C. After a bad frame the connection is
//     closed: a stream that was wrong once has no next frame.
//   - A pulse is sent at regular intervals, and its echo says that everything before it was
//     delivered. When the echo is overdue the connection is given up and dialled anew: TCP alone
//     would wait for minutes after a partition has healed.
//
// Strangers cannot keep members apart: what is accepted has a place ([Places]) until it turns out
// to be of a member that is known, and few of the others are listened to.
//
// A connection whose first bytes are not those of a handshake is handed to Options.Other, so the
// same listener can serve HTTP. A third kind of connection carries one question and its answer
// ([Ask]): it is how one that is not yet a member asks who the members are.
//
// The bytes are described in docs/formats/peer.md.
//
// What it does not do: it does not promise delivery, order across a reconnection, or that a message
// arrives at most once in all eternity; Raft needs none of these. It does not authenticate
// members by itself: use TLS.
package transport
