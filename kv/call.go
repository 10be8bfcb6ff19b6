package kv

import (
	"google.golang.org/protobuf/proto"
)

// Need is what a Call wants of its driver next.
type Need int

// The needs of a Call. Whatever the driver gets it hands to Give; when it fails to get it (a
// deadline, no leader), it drops the Call and answers its client with that failure.
const (
	Done        Need = iota // nothing: Response has the outcome
	NeedView                // a *View of this member, with all that it has answered
	NeedBarrier             // a *View, with all that was answered anywhere before the need arose
	NeedCommand             // to submit Command, and the answer of Apply
	NeedAnswer              // to put Question to the leader's machine, behind a barrier
	NeedPause               // to wait some milliseconds, then as NeedView
)

// Limits bound what one request may ask.
type Limits struct {
	RequestBytesMax int   // of a request in the log, with etcd's envelope; etcd: 1.5 MiB
	TxnOpsMax       int   // operations in one branch, nested ones share it; etcd: 128
	LeaseTTLMin     int64 // seconds; shorter leases are granted this much
}

// Call is one client request on its way: a state machine that does no I/O. Its driver looks at
// Next, does that, tells the outcome to Give, and repeats until Done.
type Call struct {
	need Need
}

// NewCall begins a request of the KV or Lease service, or HashKV. It keeps the request and may
// not be given it changed. random is asked for a lease ID when the client gave none.
func NewCall(request proto.Message, limits Limits, random func() uint64) *Call {
	panic("kv: not yet")
}

// Next is what the Call needs now.
func (c *Call) Next() Need { return c.need }

// Command is what NeedCommand is to submit.
func (c *Call) Command() []byte { panic("kv: not yet") }

// Question is what NeedAnswer is to ask.
func (c *Call) Question() []byte { panic("kv: not yet") }

// Give hands over what Next asked for: a *View, what Apply answered, or the []byte that Ask gave.
func (c *Call) Give(value any) { panic("kv: not yet") }

// Response is the outcome of a Call that is Done: the response, whose header has only the
// revision, or an error of etcd's, code and text.
func (c *Call) Response() (proto.Message, error) { panic("kv: not yet") }
