// Package node runs a replica in real time.
//
// The problem: a replica is a value that is told what happened and says what is to be done, one
// thing after the other. Around it are thousands of clients that call at the same time, sockets,
// disks that take their time, and a clock. This package is all that stands between; it contains
// no rule of the protocol.
//
//	Submit Barrier View QueryLeader …   transport          timer
//	        │ many goroutines               │                │
//	        ▼                               ▼                │
//	   ┌────────── inbox: a lock for moments, swapped out whole ◄───────────┐
//	   └─────────────────────┬──────────────────────┘        │              │
//	                         ▼                               ▼              │
//	                        loop: replica.Turn                              │
//	                 │           │           │          │                   │
//	              answers     messages    Write     Background              │
//	                 ▼           ▼           ▼          ▼                   │
//	             waiters     transport   goroutine   goroutine ─────────────┘
//
// One goroutine owns the replica. It looks at everything that has arrived, in one turn: first the
// clock, then what the disk has done, messages, requests. Then it takes the effects once: the write
// goes to the disk's goroutine, messages into the transport's queues, answers to those who wait.
// It never waits for a disk or a peer. While a write is under way turns go on, and what they bring
// shares the next write.
//
// Invariants:
//
//  1. Only the loop calls the replica. At most one Write and one BackgroundTask are outstanding.
//  2. The replica learns the time before anything that arrived, in every turn. So a member that
//     slept knows it before it acts.
//  3. A view that View returns includes everything that this member has answered before: what has
//     been applied is published, and the cached view forgotten, before the answers leave.
//  4. Every request is answered once or its caller has given up: at the end of the member the rest
//     gets ErrStopped or ErrFailed.
//  5. After a failed Write, a refusal by the cluster, its removal from it, or a panic of the
//     machine, the member ends: Done is closed and Err says why.
//
// Example:
//
//	n, err := node.Start(node.Options{Replica: replica.Options{...}, Listeners: listeners})
//	answer, err := n.Submit(ctx, command) // executed once, or unknown when ctx ends first
//	view, err := n.Barrier(ctx)           // a linearizable look at the machine
//	err = n.Stop(ctx)
//
// What it does not do: it retries nothing, sets no time limit on requests (their contexts do), and
// restarts no member that has ended.
package node
