package kv

import (
	"errors"
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"detcd/kv/auth"
	"detcd/kv/lease"
	"detcd/kv/mvcc"
	"detcd/kv/v2"
)

// View is the applied state of one member at one moment. It never changes, and any goroutine may
// read it.
type View struct {
	*mvcc.View
	leases    *lease.Listing
	auth      *auth.View
	trimmed   int64 // the last compaction of which nothing is left to be done
	used      int64 // of a quota
	alarms    *alarms
	downgrade Downgrade
	tree      *v2.View
}

// Alarms are those that are raised, ascending by kind and member.
func (v *View) Alarms() []Alarm { return *v.alarms }

// Downgrade is the one that is under way.
func (v *View) Downgrade() Downgrade { return v.downgrade }

// EachLease calls each for every lease in ascending order of ID, with its time to live as granted.
func (v *View) EachLease(each func(id lease.ID, ttl lease.Seconds)) { v.leases.Each(each) }

// Auth is who may do what.
func (v *View) Auth() *auth.View { return v.auth }

// Read answers a range request that was found valid, from this view.
func (v *View) Read(r *pb.RangeRequest) (*pb.RangeResponse, error) { return read(v.View, r) }

// reader is what a range or a comparison reads from: a view, or a transaction that has begun.
type reader interface {
	Range(o mvcc.RangeOptions) (*mvcc.Result, error)
	Meta(key []byte) mvcc.Meta
	Revision() int64
}

func read(from reader, r *pb.RangeRequest) (*pb.RangeResponse, error) {
	result, err := from.Range(mvcc.RangeOptions{
		Key: r.Key, End: r.RangeEnd,
		Revision: r.Revision, Limit: r.Limit,
		Order: mvcc.Order(r.SortOrder), Target: mvcc.Target(r.SortTarget),
		KeysOnly: r.KeysOnly, CountOnly: r.CountOnly,
		MinModRevision: r.MinModRevision, MaxModRevision: r.MaxModRevision,
		MinCreateRevision: r.MinCreateRevision, MaxCreateRevision: r.MaxCreateRevision,
	})
	if err != nil {
		return nil, err
	}
	return &pb.RangeResponse{
		Header: header(result.Revision),
		Kvs:    result.KVs, Count: result.Count, More: result.More,
	}, nil
}

func header(revision int64) *pb.ResponseHeader { return &pb.ResponseHeader{Revision: revision} }

// outward gives the error that a client is told for one of ours.
func outward(err error) error {
	switch {
	case errors.Is(err, mvcc.ErrCompacted):
		return rpctypes.ErrGRPCCompacted
	case errors.Is(err, mvcc.ErrFutureRevision):
		return rpctypes.ErrGRPCFutureRev
	case errors.Is(err, lease.ErrExists):
		return rpctypes.ErrGRPCLeaseExist
	case errors.Is(err, lease.ErrTooLong):
		return rpctypes.ErrGRPCLeaseTTLTooLarge
	}
	if _, known := status.FromError(err); known {
		return err
	}
	if known := outwardOfAuth(err); known != nil {
		return known
	}
	return unknown{status.Error(codes.Unknown, fmt.Sprintf("etcdserver: %v", err)), err}
}

// An unknown error is a status for the client that remembers why: whoever carries it may see that
// it is about damage (*vfs.CorruptionError).
type unknown struct {
	error
	cause error
}

// GRPCStatus is what goes over the wire.
func (u unknown) GRPCStatus() *status.Status { return status.Convert(u.error) }

// Unwrap gives the cause.
func (u unknown) Unwrap() error { return u.cause }

// outwardOfAuth is the same for an error of package auth; nil: it is none.
func outwardOfAuth(err error) error {
	for _, pair := range [...][2]error{
		{auth.ErrNoRootUser, rpctypes.ErrGRPCRootUserNotExist},
		{auth.ErrNoRootRole, rpctypes.ErrGRPCRootRoleNotExist},
		{auth.ErrUserExists, rpctypes.ErrGRPCUserAlreadyExist},
		{auth.ErrUserEmpty, rpctypes.ErrGRPCUserEmpty},
		{auth.ErrUserUnknown, rpctypes.ErrGRPCUserNotFound},
		{auth.ErrRoleExists, rpctypes.ErrGRPCRoleAlreadyExist},
		{auth.ErrRoleEmpty, rpctypes.ErrGRPCRoleEmpty},
		{auth.ErrRoleUnknown, rpctypes.ErrGRPCRoleNotFound},
		{auth.ErrRoleNotGranted, rpctypes.ErrGRPCRoleNotGranted},
		{auth.ErrNoPermission, rpctypes.ErrGRPCPermissionNotGiven},
		{auth.ErrNotGranted, rpctypes.ErrGRPCPermissionNotGranted},
		{auth.ErrDenied, rpctypes.ErrGRPCPermissionDenied},
		{auth.ErrFailed, rpctypes.ErrGRPCAuthFailed},
		{auth.ErrNoPassword, status.Error(codes.Unknown, "auth: "+auth.ErrNoPassword.Error())},
		{auth.ErrDisabled, rpctypes.ErrGRPCAuthNotEnabled},
		{auth.ErrOldRevision, rpctypes.ErrGRPCAuthOldRevision},
		{auth.ErrManagement, rpctypes.ErrGRPCInvalidAuthMgmt},
	} {
		if errors.Is(err, pair[0]) {
			return pair[1]
		}
	}
	return nil
}
