package rpc

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"detcd/kv"
	"detcd/kv/mvcc"
)

// pause is how long a call waits that asks for it.
const pause = 10 * time.Millisecond

// A carrier brings requests to the member and its answers back.
type carrier struct {
	node      Node
	limits    kv.Limits
	auth      *Auth
	election  time.Duration
	timeout   time.Duration // of what is no call
	incidents *Incidents
	lead      time.Duration // a new leader was sought for about so long when it becomes known
}

func newCarrier(node Node, options Options) *carrier {
	return &carrier{
		node:      node,
		limits:    options.Limits,
		auth:      options.Auth,
		election:  options.ElectionTimeout,
		timeout:   Patience(options.ElectionTimeout),
		lead:      2 * options.ElectionTimeout,
		incidents: options.Incidents,
	}
}

// Patience is how long a request waits for the other members, as in etcd.
func Patience(electionTimeout time.Duration) time.Duration {
	return 5*time.Second + 2*electionTimeout
}

// A response of etcd has a header.
type response interface {
	proto.Message
	GetHeader() *pb.ResponseHeader
}

// carry takes a request through its Call: whatever the call needs is got from the member.
func carry[R response](ctx context.Context, c *carrier, request proto.Message) (R, error) {
	var none R
	call := kv.NewCall(request, c.bounds(request), rand.Uint64, guest{c, ctx})
	for need := call.Next(); need != kv.Done; need = call.Next() {
		value, err := c.fetch(ctx, call, need)
		if err != nil {
			return none, err
		}
		call.Give(value)
	}
	answer, err := call.Response()
	if err != nil {
		return none, err
	}
	r := answer.(R)
	c.sign(r.GetHeader())
	return r, nil
}

// carryAll takes several requests through their Calls together: what they ask the leader is one
// question. It gives the responses before the first request that failed, and why that one did.
func carryAll[R response, Q proto.Message](
	ctx context.Context, c *carrier, requests []Q,
) (responses []R, err error) {
	calls := make([]*kv.Call, len(requests))
	for i, request := range requests {
		calls[i] = kv.NewCall(request, c.bounds(request), rand.Uint64, guest{c, ctx})
	}
	for asking := calls; len(asking) > 0; {
		if asking, err = c.untilAsking(ctx, asking); err == nil {
			err = c.askTogether(ctx, asking)
		}
		if err != nil {
			return nil, err
		}
	}
	for _, call := range calls {
		answer, err := call.Response()
		if err != nil {
			return responses, err
		}
		r := answer.(R)
		c.sign(r.GetHeader())
		responses = append(responses, r)
	}
	return responses, nil
}

// untilAsking takes calls as far as they go without the leader. It gives those with a question.
func (c *carrier) untilAsking(
	ctx context.Context, calls []*kv.Call,
) (asking []*kv.Call, err error) {
	for _, call := range calls {
		need := call.Next()
		for ; need != kv.Done && need != kv.NeedAnswer; need = call.Next() {
			value, err := c.fetch(ctx, call, need)
			if err != nil {
				return nil, err
			}
			call.Give(value)
		}
		if need == kv.NeedAnswer {
			asking = append(asking, call)
		}
	}
	return asking, nil
}

// askTogether gets the answers to the questions of some calls, if any.
func (c *carrier) askTogether(ctx context.Context, asking []*kv.Call) error {
	if len(asking) == 0 {
		return nil
	}
	begun := time.Now()
	questions := make([][]byte, len(asking))
	for i, call := range asking {
		questions[i] = call.Question()
	}
	answer, err := c.ask(ctx, kv.JoinQuestions(questions))
	if err != nil {
		return c.failure(ctx, err, begun)
	}
	for i, one := range kv.SplitAnswer(answer, len(asking)) {
		asking[i].Give(one)
	}
	return nil
}

// bounds are the limits of a request, with the space that the member has for it.
func (c *carrier) bounds(request proto.Message) kv.Limits {
	limits := c.limits
	switch request.(type) {
	case *pb.PutRequest, *pb.TxnRequest, *pb.LeaseGrantRequest:
	default:
		return limits
	}
	if now := c.node.Status(); now.DBSizeQuota > 0 {
		alarm := kv.Alarm{Kind: pb.AlarmType_NOSPACE, Member: now.MemberID}
		limits.Space = kv.Space{
			Quota: now.DBSizeQuota, Used: now.Used, Member: now.MemberID,
			Alarmed: slices.Contains(now.Alarms, alarm),
		}
	}
	return limits
}

// fetch gets what a call needs.
func (c *carrier) fetch(ctx context.Context, call *kv.Call, need kv.Need) (value any, err error) {
	begun := time.Now()
	switch need {
	case kv.NeedView:
		value, err = c.node.View(ctx)
	case kv.NeedPause:
		select {
		case <-time.After(pause):
			// A view that is only taken again after a command would never show the end of a
			// compaction's work, which is none.
			value, err = c.node.Barrier(ctx)
		case <-ctx.Done():
			err = ctx.Err()
		}
	default:
		value, err = c.agree(ctx, call, need)
	}
	if err != nil {
		return nil, c.failure(ctx, err, begun)
	}
	return value, nil
}

// agree gets what depends on other members.
func (c *carrier) agree(ctx context.Context, call *kv.Call, need kv.Need) (any, error) {
	switch need {
	case kv.NeedBarrier:
		return c.node.Barrier(ctx)
	case kv.NeedCommand:
		return c.node.Submit(ctx, call.Command())
	case kv.NeedAnswer:
		return c.ask(ctx, call.Question())
	}
	panic(fmt.Sprintf("rpc: a call needs %d", need))
}

// ask puts a question to the leader. Who waited for a leader in vain is told that there is none, as
// by etcd, and not that the request took too long: its client turns to another member then.
func (c *carrier) ask(ctx context.Context, question []byte) ([]byte, error) {
	answer, err := c.node.Ask(ctx, question)
	if errors.Is(err, context.DeadlineExceeded) && c.node.Status().Leader == 0 {
		return nil, rpctypes.ErrGRPCNoLeader
	}
	return answer, err
}

// history is what this member has applied, for reading. It comes at once.
func (c *carrier) history(ctx context.Context) (*mvcc.View, error) {
	view, err := c.node.View(ctx)
	if err != nil {
		return nil, c.failure(ctx, err, time.Now())
	}
	return view.(*kv.View).View, nil
}

// sign fills in who answers.
func (c *carrier) sign(header *pb.ResponseHeader) {
	now := c.node.Status()
	header.ClusterId, header.MemberId, header.RaftTerm = now.ClusterID, now.MemberID, now.RaftTerm
}

// failure is what a client is told when the member did not do what it was asked at begun.
func (c *carrier) failure(ctx context.Context, err error, begun time.Time) error {
	if _, ok := status.FromError(err); ok {
		return err
	}
	switch {
	case errors.Is(err, context.Canceled):
		return canceled(ctx, rpctypes.ErrGRPCCanceled)
	case errors.Is(err, context.DeadlineExceeded):
		return c.timedOut(begun)
	}
	c.incidents.Damage(err)
	return status.Error(codes.Unknown, err.Error())
}

// canceled is why ctx was: because its stream was ended by us, or else what the client did.
func canceled(ctx context.Context, byClient error) error {
	cause := context.Cause(ctx)
	if _, ok := status.FromError(cause); ok && cause != nil {
		return cause
	}
	return byClient
}

// timedOut says why nothing came in time, as well as the member knows.
func (c *carrier) timedOut(begun time.Time) error {
	now := c.node.Status()
	switch {
	case begun.After(now.LeaderSince.Add(-c.lead)) && begun.Before(now.LeaderSince):
		return rpctypes.ErrGRPCTimeoutDueToLeaderFail
	case now.Leader != 0 && (now.ConnectedSince.IsZero() || now.ConnectedSince.After(begun)):
		return rpctypes.ErrGRPCTimeoutDueToConnectionLost
	}
	return rpctypes.ErrGRPCTimeout
}
