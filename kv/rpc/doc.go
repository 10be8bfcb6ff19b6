// Package rpc serves etcd's v3 gRPC protocol for one member. It translates and carries, and
// decides nothing.
//
// # The problem
//
// A client of etcd expects more of a server than right answers: etcd's codes and texts when
// something is wrong, an answer when there is no leader, streams that end when they should and
// only then, bounds on what may be sent. None of this is the business of the data model, and none
// of it may be mixed with protocols that have to be right. So it has a place of its own.
//
// # The picture
//
//	client ── gRPC ── gate ──┬── kv.go  lease.go  maintenance.go ── carry ── kv.Call
//	                         │                                        │
//	                         │   cluster.go                           ▼
//	                         └── watch.go ── kv/watch.Stream        Node ◄─ kv/server
//	                              ▲                                   │
//	                              └──── switchboard ◄─── Changed ─────┘
//
// A request passes the gate, which looks at its metadata and at whether this member may serve it.
// Then its service, one file each, carries it: a [kv.Call] says what it needs next (a view, an
// agreement, a command in the log, an answer of the leader), carry gets that from the [Node] within
// a time limit, and signs the response with who answers.
//
// A watch stream has one goroutine that receives and one that steps and sends. Between steps it
// sleeps until the switchboard calls it. What is sent is bounded by gRPC's flow control: a client
// that does not read costs one step's responses.
//
// # An example
//
// A put on a member whose leader has just died:
//
//	client                    carry                     Node
//	Put(a=1) ──────────────►  NeedCommand: Submit ───►  proposes; nothing comes back
//	                          7 s: its context ends ◄─  context deadline exceeded
//	◄─ Unavailable: etcdserver: request timed out, possibly due to previous leader failure
//
// Whether the put happens is open, and the client must not simply send it again.
//
// # Who asks
//
// A request comes with a token, or by a connection whose certificate has a name; a guest is the
// request's side of kv.Credentials and finds out who that is, as late as it is needed. Simple
// tokens are kept by every member in memory (keeper): the log gives them out, and each member
// forgets those that are not used there. Signed ones say for themselves who they are of (signer).
// Passwords are hashed in the request's own goroutine, few at a time, and in turns that go round
// among addresses and users (turns). What the user may do, kv decides; requests that are not
// carried ask it by permit.
//
// # The place of what is missing
//
// Every service embeds gRPC's Unimplemented server, so a method that is not served answers
// codes.Unimplemented and its name. To serve one, write it in the file of its service; a request
// that belongs in the log needs a case in kv.NewCall and nothing else here. Lock and Election are
// clients of the other services ([Recipes]).
//
// # What it does not do
//
// It serves no HTTP (kv/gateway does), opens no listener and knows no TLS (kv/server does), and
// tries nothing twice: what became of a command that was not answered in time, only the client can
// find out.
package rpc
