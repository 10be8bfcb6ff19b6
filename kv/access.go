package kv

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"detcd/kv/auth"
	"detcd/kv/lease"
)

// access is what a caller may do, in one state.
type access struct {
	*auth.View
	caller auth.Caller
	keys   func(lease.ID) []string // of a lease
}

// Permit refuses a request that needs no Call, of the Cluster or Maintenance service or to create
// a watch, whose maker may not make it.
func Permit(view *View, request proto.Message, who Credentials) error {
	if !view.auth.Enabled() {
		return nil
	}
	caller, err := who.Caller()
	if err == nil {
		err = (access{View: view.auth, caller: caller}).check(request)
	}
	if err != nil {
		return outward(err)
	}
	return nil
}

// check refuses what the caller may not do. As in etcd it comes before everything that depends on
// the state of keys and leases. What the leader is asked about leases, the leader checks.
func (a access) check(request proto.Message) error {
	switch r := request.(type) {
	case *pb.RangeRequest:
		return a.May(a.caller, auth.Read, r.Key, r.RangeEnd)
	case *pb.PutRequest:
		return a.put(r)
	case *pb.DeleteRangeRequest:
		return a.delete(r)
	case *pb.TxnRequest:
		return a.txn(r)
	case *pb.WatchCreateRequest:
		key := r.Key
		if len(key) == 0 {
			key = []byte{0}
		}
		return a.May(a.caller, auth.Read, key, r.RangeEnd)
	case *pb.LeaseRevokeRequest:
		return a.lease(lease.ID(r.ID), auth.Write)
	case *pb.LeaseGrantRequest, *pb.MemberListRequest, *pb.StatusRequest:
		return a.Somebody(a.caller)
	case *pb.AlarmRequest:
		if r.Action == pb.AlarmRequest_GET {
			return a.Somebody(a.caller)
		}
	case *pb.AuthUserGetRequest:
		if r.Name == a.caller.User {
			return nil
		}
	case *pb.AuthRoleGetRequest:
		if user := a.User(a.caller.User); user != nil && user.Has(r.Role) {
			return nil
		}
	case *pb.AuthenticateRequest, *pb.InternalAuthenticateRequest, *pb.AuthStatusRequest,
		*pb.LeaseKeepAliveRequest, *pb.LeaseTimeToLiveRequest, *pb.LeaseLeasesRequest:
		return nil
	}
	return a.Admin(a.caller)
}

// arrive refuses what etcd refuses before it looks at alarms.
func (a access) arrive(request proto.Message) error {
	switch request.(type) {
	case *pb.LeaseGrantRequest, *pb.LeaseRevokeRequest:
		return a.Somebody(a.caller)
	case *pb.CompactionRequest:
		return a.Admin(a.caller)
	}
	return nil
}

// put: to read is needed where the previous value is told. Whoever gives a lease a key lets it be
// deleted with the lease, so he must be allowed to write those that are there.
func (a access) put(r *pb.PutRequest) error {
	if err := a.May(a.caller, auth.Write, r.Key, nil); err != nil {
		return err
	}
	if r.Lease != 0 {
		if err := a.lease(lease.ID(r.Lease), auth.Write); err != nil {
			return err
		}
	}
	if r.PrevKv {
		return a.May(a.caller, auth.Read, r.Key, nil)
	}
	return nil
}

func (a access) delete(r *pb.DeleteRangeRequest) error {
	if err := a.May(a.caller, auth.Write, r.Key, r.RangeEnd); err != nil || !r.PrevKv {
		return err
	}
	return a.May(a.caller, auth.Read, r.Key, r.RangeEnd)
}

// txn checks all branches, those that will not be executed too: which is would tell what is there.
func (a access) txn(r *pb.TxnRequest) error {
	for _, c := range r.GetCompare() {
		if err := a.May(a.caller, auth.Read, c.Key, c.RangeEnd); err != nil {
			return err
		}
	}
	for _, ops := range [...][]*pb.RequestOp{r.GetSuccess(), r.GetFailure()} {
		for _, op := range ops {
			var err error
			switch op := op.Request.(type) {
			case *pb.RequestOp_RequestRange:
				err = a.check(op.RequestRange)
			case *pb.RequestOp_RequestPut:
				err = a.put(op.RequestPut)
			case *pb.RequestOp_RequestDeleteRange:
				err = a.delete(op.RequestDeleteRange)
			case *pb.RequestOp_RequestTxn:
				err = a.txn(op.RequestTxn)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// lease refuses an access to any key of a lease.
func (a access) lease(id lease.ID, to auth.Access) error {
	if a.Admin(a.caller) == nil {
		return nil
	}
	for _, key := range a.keys(id) {
		if err := a.May(a.caller, to, []byte(key), nil); err != nil {
			return err
		}
	}
	return nil
}
