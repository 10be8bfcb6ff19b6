package rpc

import (
	"context"
	"io"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"detcd/kv"
	"detcd/kv/auth"
)

// Node is what the services need of the member that they speak for.
//
// Its errors reach the client: a gRPC status (rpctypes.ErrGRPCNoLeader, ErrGRPCLeaderChanged,
// ErrGRPCStopped, ErrGRPCNoSpace …) goes out as it is; the error of ctx becomes one of etcd's
// time-outs, and so does context.DeadlineExceeded, which Submit, Barrier and Ask return after
// Patience; any other error is codes.Unknown with its text. All methods may be called from any
// goroutine.
//
// Many methods: each is one of the ways in which a request can touch a member (write it, read it
// with or without an agreement, ask the leader, wait for it, describe it, list its cluster or
// change it), and kv/server implements all of them in one short adapter.
type Node interface {
	Cluster
	// Snapshot writes what is applied here as a file of etcd's format.
	Snapshot(ctx context.Context) (Snapshot, error)
	// Submit proposes a command and gives what its application answered. When ctx ends first the
	// command may still be applied.
	Submit(ctx context.Context, command []byte) (answer any, err error)
	// Barrier gives a view that includes everything that any member had answered when Barrier was
	// called: a linearizable read.
	Barrier(ctx context.Context) (view any, err error)
	// View gives a view of what is applied here. It includes everything that this member answered
	// before.
	View(ctx context.Context) (view any, err error)
	// Ask puts a question that only the leader may answer, wherever the leader is.
	Ask(ctx context.Context, question []byte) ([]byte, error)
	// Auth gives who may do what, as far as it is applied here. It is called for every request.
	Auth() *auth.View
	// Changed gives a channel that is closed once the applied state has moved on since the call, and
	// when the member stops.
	Changed() <-chan struct{}
	// Status describes the member. It is called for every request: it must be cheap.
	Status() Status
	// Troubles says in words, for people, why the member cannot do all of its work: that there is no
	// leader and who cannot be reached, that its device is full. None: it can, as far as it knows.
	Troubles() []string
	// Defragment gives back the room of what is dead, and returns when that is done. When ctx ends
	// first the work goes on.
	Defragment(ctx context.Context) error
	// Members lists the cluster in ascending order of ID, as this member knows it, or, when
	// linearizable, after a barrier.
	Members(ctx context.Context, linearizable bool) ([]*pb.Member, error)
}

// ErrDeviceFull says that the device of a member's log has no space left. It is another matter than
// the quota (rpctypes.ErrGRPCNoSpace): no compaction helps, and the member takes writes again by
// itself.
var ErrDeviceFull = status.Error(codes.ResourceExhausted,
	"etcdserver: no space left on the device of the member's log")

// ErrTooManyFiles says that the process of a member, or its machine, may open no more files. The
// member takes writes again by itself when others were closed.
var ErrTooManyFiles = status.Error(codes.ResourceExhausted,
	"etcdserver: too many open files at the member")

// Snapshot is a file that can be read once and must be closed.
type Snapshot interface {
	io.WriterTo
	io.Closer
	// Size is how many bytes WriteTo writes.
	Size() int64
	// Version is that of the format, as in Status.
	Version() string
}

// Cluster changes who is in the cluster, and who leads it. What is changed is checked as etcd
// checks it; the errors are those of rpctypes. Each change gives all members that there are after
// it, in ascending order of ID.
type Cluster interface {
	// AddMember adds a member, which has yet to be started, and gives it as well.
	AddMember(ctx context.Context, peerURLs []string, learner bool) (
		added *pb.Member, all []*pb.Member, err error)
	// RemoveMember removes a member for good.
	RemoveMember(ctx context.Context, id uint64) ([]*pb.Member, error)
	// UpdateMember says where the others reach a member.
	UpdateMember(ctx context.Context, id uint64, peerURLs []string) ([]*pb.Member, error)
	// PromoteMember lets a learner vote that has most of the leader's log.
	PromoteMember(ctx context.Context, id uint64) ([]*pb.Member, error)
	// MoveLeader lets another voter lead. This member must be the leader.
	MoveLeader(ctx context.Context, to uint64) error
}

// Status is what a member says of itself at one moment. The two times are read on this process's
// clock and serve to say why a proposal timed out.
type Status struct {
	ClusterID uint64
	MemberID  uint64
	Leader    uint64 // 0: none is known
	Learner   bool   // this member is one

	RaftTerm    uint64
	RaftIndex   uint64 // committed
	RaftApplied uint64

	DBSize      int64 // bytes on disk
	DBSizeInUse int64 // bytes of it that are not dead
	DBSizeQuota int64 // bytes that Used may reach; negative: there is no quota
	Used        int64 // bytes that count for the quota
	Downgrade   kv.Downgrade
	Alarms      []kv.Alarm // ascending
	Refusing    error      // why no writes are taken: ErrDeviceFull, ErrTooManyFiles; nil: they are

	LeaderSince    time.Time // when the present leader became known
	ConnectedSince time.Time // since when its leader (of a leader: a quorum) is heard; zero: it is not
}
