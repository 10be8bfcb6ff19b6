package server

import (
	"context"
	"errors"
	"strconv"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"detcd/consensus/node"
	"detcd/consensus/replica"
	"detcd/kv/auth"
	"detcd/kv/rpc"
)

// An adapter is a node as the services want it: with etcd's errors and types.
type adapter struct {
	*node.Node
	machine   *machine
	config    *Config
	device    *device
	incidents *rpc.Incidents
	begun     time.Time
	measures  *measures
}

var _ rpc.Node = (*adapter)(nil)

// outward is what a client is told for an error of the node.
func outward(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, node.ErrStopped), errors.Is(err, node.ErrFailed):
		return rpctypes.ErrGRPCStopped
	case errors.Is(err, node.ErrTooMany), errors.Is(err, replica.ErrTooMany):
		return rpctypes.ErrGRPCRequestTooManyRequests
	case errors.Is(err, replica.ErrNoSpace):
		return rpc.ErrDeviceFull
	case errors.Is(err, replica.ErrTooManyFiles):
		return rpc.ErrTooManyFiles
	case errors.Is(err, replica.ErrDropped):
		return rpctypes.ErrGRPCLeaderChanged
	case errors.Is(err, replica.ErrNotLeader):
		return rpctypes.ErrGRPCNotLeader
	}
	return outwardOfChange(err)
}

// outwardOfChange is what a client is told for an error of a change of the membership.
func outwardOfChange(err error) error {
	switch {
	case errors.Is(err, replica.ErrMemberUnknown), errors.Is(err, replica.ErrMemberRemoved):
		return rpctypes.ErrGRPCMemberNotFound
	case errors.Is(err, replica.ErrMemberExists):
		return rpctypes.ErrGRPCMemberExist
	case errors.Is(err, replica.ErrPeerURLExists):
		return rpctypes.ErrGRPCPeerURLExist
	case errors.Is(err, replica.ErrNotLearner):
		return rpctypes.ErrGRPCMemberNotLearner
	case errors.Is(err, replica.ErrTooManyLearners):
		return rpctypes.ErrGRPCTooManyLearners
	}
	return err
}

// behindMax is how many entries may be committed and not applied yet; etcd's.
const behindMax = 5000

// overloaded tells whether a member is so far behind that more would only make it worse.
func overloaded(now replica.Status) bool { return now.Committed > now.Applied+behindMax }

// Submit has a command executed.
func (a *adapter) Submit(ctx context.Context, command []byte) (any, error) {
	if overloaded(a.Node.Status().Status) {
		return nil, rpctypes.ErrGRPCRequestTooManyRequests
	}
	answer, err := a.Node.Submit(ctx, command)
	return answer, outward(err)
}

// Barrier returns a linearizable view.
func (a *adapter) Barrier(ctx context.Context) (any, error) {
	view, err := a.Node.Barrier(ctx)
	return view, outward(err)
}

// View returns a view of what is applied here.
func (a *adapter) View(ctx context.Context) (any, error) {
	view, err := a.Node.View(ctx)
	return view, outward(err)
}

// Ask asks the leader's machine.
func (a *adapter) Ask(ctx context.Context, question []byte) ([]byte, error) {
	answer, err := a.Node.QueryLeader(ctx, question)
	return answer, outward(err)
}

// Defragment gives back the room of what is dead.
func (a *adapter) Defragment(ctx context.Context) error {
	defer a.measures.defragmenting()()
	return outward(a.Node.Defragment(ctx))
}

// Auth gives who may do what, as far as it is applied here.
func (a *adapter) Auth() *auth.View { return a.machine.Auth() }

// Status describes the member.
func (a *adapter) Status() rpc.Status {
	now, stats := a.Node.Status(), a.machine.sizes.Load()
	return rpc.Status{
		ClusterID: now.Cluster, MemberID: uint64(now.ID), Leader: uint64(now.Leader),
		Learner:  now.Learner,
		RaftTerm: uint64(now.Term), RaftIndex: uint64(now.Committed),
		RaftApplied: uint64(now.Applied),
		DBSize:      emptySize + stats.Disk + stats.Unwritten,
		DBSizeInUse: emptySize + stats.InUse,
		DBSizeQuota: a.config.QuotaBytes,
		Used:        stats.used,
		Refusing:    a.device.refusal(),
		Alarms:      a.machine.Alarms(),
		Downgrade:   a.machine.Downgrade(),
		LeaderSince: now.LeaderSince, ConnectedSince: now.ConnectedSince,
	}
}

// emptySize is what a member without a key takes, a block for its checkpoint. Clients divide by the
// sum.
const emptySize = 4096

// Members lists the cluster.
func (a *adapter) Members(ctx context.Context, linearizable bool) ([]*pb.Member, error) {
	if linearizable {
		if _, err := a.Barrier(ctx); err != nil {
			return nil, err
		}
	}
	return outwardMembers(a.Node.Members()), nil
}

func outwardMembers(membership replica.Membership) []*pb.Member {
	var all []*pb.Member
	for i := range membership.Members {
		all = append(all, outwardMember(&membership.Members[i]))
	}
	return all
}

func outwardMember(member *replica.Member) *pb.Member {
	return &pb.Member{
		ID: uint64(member.ID), Name: member.Name, IsLearner: member.Learner,
		PeerURLs: member.PeerURLs, ClientURLs: member.ClientURLs,
	}
}

func hex(id uint64) string { return strconv.FormatUint(id, 16) }
