package kv

import (
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"detcd/kv/auth"
	"detcd/kv/lease"
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
	NeedPause               // to wait some ten milliseconds, then as NeedView
)

// Limits bound what one request may ask.
type Limits struct {
	RequestBytesMax int   // of a request in the log, with etcd's envelope; etcd: 1.5 MiB
	TxnOpsMax       int   // operations in one branch, nested ones share it; etcd: 128
	LeaseTTLMin     int64 // seconds; shorter leases are granted this much, at least 1
	Space           Space // of the member that takes the request, about now
}

// Call is one client request on its way: a state machine that does no I/O. Its driver looks at
// Next, does that, tells the outcome to Give, and repeats until Done.
type Call struct {
	request  proto.Message
	who      Credentials
	caller   auth.Caller
	need     Need
	bytes    []byte // the command, or the question
	revision int64  // for the header of the response to a question
	crowd    *crowd // it does not seem to fit
	refusal  error  // what the client is told, whatever becomes of the command
	checks   int    // of a password
	again    bool   // the leader was asked again, after this member had caught up
	response proto.Message
	err      error
}

// NewCall begins a request of the KV, Lease or Auth service, HashKV, or one of alarms or of a
// downgrade. It keeps the request, which must not be changed any more. random is asked for a lease
// ID when the client gave none; who (nil: nobody) answers for the client, whenever that is needed.
func NewCall(
	request proto.Message, limits Limits, random func() uint64, who Credentials,
) *Call {
	if who == nil {
		who = nobody{}
	}
	c := &Call{request: request, who: who}
	switch {
	case limits.Space.fits(request):
		c.begin(limits, random)
	case limits.Space.Alarmed:
		c.finish(nil, rpctypes.ErrGRPCNoSpace)
	default:
		c.need, c.crowd = NeedBarrier, &crowd{limits, random}
	}
	return c
}

// begin finds out whether a request is valid and what it needs first.
func (c *Call) begin(limits Limits, random func() uint64) {
	switch r := c.request.(type) {
	case *pb.RangeRequest:
		c.read(checkRange(r), r.GetSerializable())
	case *pb.PutRequest:
		c.submit(checkPut(r), r, limits)
	case *pb.DeleteRangeRequest:
		c.submit(checkDelete(r), r, limits)
	case *pb.TxnRequest:
		err := checkTxn(r, limits)
		if only, serializable := readOnly(r); only {
			c.read(err, serializable)
		} else {
			c.submit(err, r, limits)
		}
	case *pb.CompactionRequest, *pb.LeaseRevokeRequest:
		c.submit(nil, r, limits)
	case *pb.LeaseGrantRequest:
		c.submit(nil, grantOf(r, limits, random), limits)
	case *pb.LeaseKeepAliveRequest, *pb.LeaseTimeToLiveRequest, *pb.LeaseLeasesRequest,
		*pb.HashKVRequest:
		c.need = NeedView
	case *pb.AuthenticateRequest, *pb.AuthStatusRequest, *pb.AuthUserGetRequest,
		*pb.AuthUserListRequest, *pb.AuthRoleGetRequest, *pb.AuthRoleListRequest:
		c.need = NeedBarrier
	case *pb.AlarmRequest:
		c.alarm(r, limits)
	case *pb.DowngradeRequest:
		c.downgrade(r, limits)
	default:
		if _, known := authKind(r); known {
			c.submit(nil, r, limits)
			break
		}
		c.finish(nil, status.Error(codes.Unimplemented, fmt.Sprintf("kv: no such request: %T", r)))
	}
}

// read begins a request that is answered from a view, if it is valid.
func (c *Call) read(invalid error, serializable bool) {
	switch {
	case invalid != nil:
		c.finish(nil, invalid)
	case serializable:
		c.need = NeedView
	default:
		c.need = NeedBarrier
	}
}

// submit begins a request that goes through the log, if it is valid and not too large. Whether it
// is permitted is decided when it is executed.
func (c *Call) submit(invalid error, request proto.Message, limits Limits) {
	err := invalid
	if err == nil {
		request, err = hashed(request, c.who)
	}
	if err == nil {
		c.caller, err = c.who.Caller()
	}
	if err == nil {
		err = checkSize(request, c.caller, limits)
	}
	if err != nil {
		c.finish(nil, err)
		return
	}
	c.need, c.bytes = NeedCommand, encodeFor(c.caller, request)
}

// alarm begins a request that lists, raises or disarms alarms.
func (c *Call) alarm(r *pb.AlarmRequest, limits Limits) {
	switch r.Action {
	case pb.AlarmRequest_GET:
		c.need = NeedBarrier
	case pb.AlarmRequest_ACTIVATE, pb.AlarmRequest_DEACTIVATE:
		c.submit(nil, r, limits)
	default:
		c.finish(nil, status.Error(codes.Unimplemented, "method Alarm not implemented"))
	}
}

// grantOf is the request as it is committed: no member may decide for itself what ID the lease gets
// or how long it lives.
func grantOf(r *pb.LeaseGrantRequest, limits Limits, random func() uint64) *pb.LeaseGrantRequest {
	grant := &pb.LeaseGrantRequest{ID: r.ID, TTL: max(r.TTL, limits.LeaseTTLMin, 1)}
	for grant.ID == int64(lease.None) {
		grant.ID = int64(random() >> 1)
	}
	return grant
}

// Next is what the Call needs now.
func (c *Call) Next() Need { return c.need }

// Command is what to submit for NeedCommand.
func (c *Call) Command() []byte { return c.bytes }

// Question is what to ask for NeedAnswer.
func (c *Call) Question() []byte { return c.bytes }

// Give hands over what Next asked for: a *View, what Apply answered, or the []byte that Ask gave.
func (c *Call) Give(value any) {
	if c.refusal != nil {
		c.finish(nil, c.refusal)
		return
	}
	switch value := value.(type) {
	case *View:
		c.look(value)
	case []byte:
		c.hear(value)
	case error:
		if value == errCheckAgain {
			c.need = NeedBarrier
			return
		}
		c.finish(nil, value)
	case *pb.AuthenticateResponse:
		c.tokened(value)
	case proto.Message:
		c.finish(value, nil)
	default:
		panic(fmt.Sprintf("kv: a call of %T is given a %T", c.request, value))
	}
}

// admit finds out who makes the request, if that matters, and whether he may. What a command may do
// is decided when it is executed; and the leader knows the keys of leases.
func (c *Call) admit(view *View) (err error) {
	switch c.request.(type) {
	case *pb.CompactionRequest, *pb.AuthenticateRequest:
		return nil
	}
	if !view.auth.Enabled() {
		return nil
	}
	if c.caller, err = c.who.Caller(); err != nil {
		return err
	}
	if err = (access{View: view.auth, caller: c.caller}).check(c.request); err != nil {
		return err
	}
	switch c.request.(type) {
	case *pb.RangeRequest, *pb.TxnRequest:
		return view.auth.Fresh(c.caller)
	}
	return nil
}

// look takes a view.
func (c *Call) look(view *View) {
	if c.crowd != nil {
		c.squeeze(view)
		return
	}
	if err := c.admit(view); err != nil {
		c.finish(nil, err)
		return
	}
	switch r := c.request.(type) {
	case *pb.RangeRequest:
		response, err := view.Read(r)
		c.finish(response, err)
	case *pb.TxnRequest:
		response, err := readTxn(view, r)
		c.finish(response, err)
	case *pb.HashKVRequest:
		hash, compacted, revision, err := view.Hash(r.Revision)
		c.finish(&pb.HashKVResponse{Header: header(view.Revision()), Hash: hash,
			CompactRevision: compacted, HashRevision: revision}, err)
	case *pb.AlarmRequest:
		c.finish(&pb.AlarmResponse{
			Header: header(view.Revision()), Alarms: view.alarms.of(r.Alarm),
		}, nil)
	case *pb.DowngradeRequest:
		c.finish(view.downgrade.response(view.Revision()), view.downgrade.check(r.Version))
	case *pb.LeaseKeepAliveRequest, *pb.LeaseTimeToLiveRequest, *pb.LeaseLeasesRequest:
		c.ask(view)
	case *pb.CompactionRequest:
		if view.trimmed >= r.Revision {
			c.need = Done
		}
	case *pb.AuthenticateRequest:
		c.checkPassword(view, r)
	default:
		c.finish(readAuth(view, r))
	}
}

// ask asks the leader. The header gets a revision from before. A later one could be that of the
// lease's own revocation, and say that it was alive after it.
func (c *Call) ask(view *View) {
	c.need, c.revision = NeedAnswer, view.Revision()
	c.bytes = append(appendCaller(nil, c.caller), question(c.request)...)
}

// hear takes the leader's answer. A lease whose fate is undecided is asked for again.
func (c *Call) hear(answer []byte) {
	if len(answer) > 0 && lease.Fate(answer[0]) == lease.Undecided {
		c.need = NeedPause
		return
	}
	if err, refused := cutRefusal(answer); refused {
		// The leader may know of a change of users that this member does not know of yet. To end a
		// stream of keep-alives for that would end the client's lease.
		if err == auth.ErrOldRevision && !c.again {
			c.need, c.again = NeedBarrier, true
			return
		}
		c.finish(nil, err)
		return
	}
	response, err := c.answered(answer)
	c.finish(response, err)
}

// errUnreadable is what the client is told when the leader's answer is none.
var errUnreadable = status.Error(codes.Internal, "etcdserver: the leader's answer is unreadable")

// answered is the response that an answer of the leader stands for.
func (c *Call) answered(answer []byte) (proto.Message, error) {
	if len(answer) == 0 {
		return nil, errUnreadable
	}
	head, body := header(c.revision), answer[1:]
	switch c.request.(type) {
	case *pb.LeaseLeasesRequest:
		return listOf(body)
	case *pb.LeaseTimeToLiveRequest:
		response := &pb.LeaseTimeToLiveResponse{}
		err := readable(body, response)
		response.Header = head
		return response, err
	}
	response := &pb.LeaseKeepAliveResponse{}
	err := readable(body, response)
	response.Header = head
	return response, err
}

func readable(body []byte, response proto.Message) error {
	if proto.Unmarshal(body, response) != nil {
		return errUnreadable
	}
	return nil
}

// finish ends the Call; but a physical compaction still waits for what it began to be done, or,
// when somebody else began it, for that.
func (c *Call) finish(response proto.Message, err error) {
	c.need = Done
	if err != nil {
		c.err = outward(err)
	} else {
		c.response = response
	}
	r, ok := c.request.(*pb.CompactionRequest)
	if ok && r.Physical && (err == nil || c.err == rpctypes.ErrGRPCCompacted) {
		c.need = NeedPause
	}
}

// Response is the outcome of a Call that is Done: the response, whose header has only the
// revision, or an error of etcd's, code and text.
func (c *Call) Response() (proto.Message, error) { return c.response, c.err }
