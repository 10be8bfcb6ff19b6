package kv

import (
	"math/bits"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/protobuf/proto"

	"detcd/kv/auth"
)

// What etcd adds to a request in its log before it measures it, but for the length prefixes: the
// tags of the request and of a header (3 bytes), and in the header a request ID (10 bytes). Clients
// see the bound, so it is kept to the byte.
const (
	tagBytes = 3
	idBytes  = 10
)

// checkSize refuses a request that would be too large for the log.
func checkSize(r proto.Message, caller auth.Caller, limits Limits) error {
	size, header := proto.Size(r), idBytes
	if caller.Known() {
		header += proto.Size(&pb.RequestHeader{
			Username: caller.User, AuthRevision: uint64(caller.Revision),
		})
	}
	if size+prefixBytes(size)+header+prefixBytes(header)+tagBytes > limits.RequestBytesMax {
		return rpctypes.ErrGRPCRequestTooLarge
	}
	return nil
}

// prefixBytes is how many bytes protobuf spends on a length.
func prefixBytes(length int) int { return (bits.Len(uint(length)|1) + 6) / 7 }

func checkRange(r *pb.RangeRequest) error {
	if len(r.GetKey()) == 0 {
		return rpctypes.ErrGRPCEmptyKey
	}
	if r.SortOrder < pb.RangeRequest_NONE || r.SortOrder > pb.RangeRequest_DESCEND {
		return rpctypes.ErrGRPCInvalidSortOption
	}
	if r.SortTarget < pb.RangeRequest_KEY || r.SortTarget > pb.RangeRequest_VALUE {
		return rpctypes.ErrGRPCInvalidSortOption
	}
	return nil
}

func checkPut(r *pb.PutRequest) error {
	switch {
	case len(r.GetKey()) == 0:
		return rpctypes.ErrGRPCEmptyKey
	case r.IgnoreValue && len(r.Value) > 0:
		return rpctypes.ErrGRPCValueProvided
	case r.IgnoreLease && r.Lease != 0:
		return rpctypes.ErrGRPCLeaseProvided
	}
	return nil
}

func checkDelete(r *pb.DeleteRangeRequest) error {
	if len(r.GetKey()) == 0 {
		return rpctypes.ErrGRPCEmptyKey
	}
	return nil
}

// checkTxn refuses what cannot be a transaction, whatever the state of the store: first what is
// wrong in a single operation, then what two operations of a branch do to each other.
func checkTxn(r *pb.TxnRequest, limits Limits) error {
	if err := checkOps(r, limits.TxnOpsMax); err != nil {
		return err
	}
	for _, ops := range [...][]*pb.RequestOp{r.Success, r.Failure} {
		if _, err := writesOf(ops); err != nil {
			return err
		}
	}
	return nil
}

// checkOps checks all operations at all depths. A nested transaction may have as many operations
// as the one around it left over.
func checkOps(r *pb.TxnRequest, most int) error {
	left := most - max(len(r.GetCompare()), len(r.GetSuccess()), len(r.GetFailure()))
	if left < 0 {
		return rpctypes.ErrGRPCTooManyOps
	}
	for _, c := range r.GetCompare() {
		if len(c.GetKey()) == 0 {
			return rpctypes.ErrGRPCEmptyKey
		}
	}
	for _, ops := range [...][]*pb.RequestOp{r.GetSuccess(), r.GetFailure()} {
		for _, op := range ops {
			if err := checkOp(op, left); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkOp(op *pb.RequestOp, left int) error {
	switch op := op.GetRequest().(type) {
	case *pb.RequestOp_RequestRange:
		return checkRange(op.RequestRange)
	case *pb.RequestOp_RequestPut:
		return checkPut(op.RequestPut)
	case *pb.RequestOp_RequestDeleteRange:
		return checkDelete(op.RequestDeleteRange)
	case *pb.RequestOp_RequestTxn:
		return checkOps(op.RequestTxn, left)
	}
	return rpctypes.ErrGRPCKeyNotFound
}
