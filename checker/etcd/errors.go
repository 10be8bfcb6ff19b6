package etcd

// What etcd answers to a request that it refuses, as a client sees it.
const (
	ErrEmptyKey      = "etcdserver: key is not provided"
	ErrKeyNotFound   = "etcdserver: key not found"
	ErrValueProvided = "etcdserver: value is provided"
	ErrLeaseProvided = "etcdserver: lease is provided"
	ErrTooManyOps    = "etcdserver: too many operations in txn request"
	ErrDuplicateKey  = "etcdserver: duplicate key given in txn request"
	ErrSortOption    = "etcdserver: invalid sort option"
	ErrCompacted     = "etcdserver: mvcc: required revision has been compacted"
	ErrFuture        = "etcdserver: mvcc: required revision is a future revision"
	ErrLeaseNotFound = "etcdserver: requested lease not found"
	ErrLeaseExists   = "etcdserver: lease already exists"
	ErrLeaseTTL      = "etcdserver: too large lease TTL"
)

// Explained tells whether an error depends on the state of the store. All others are taken as what
// they say: the operation was refused, for reasons that are none of the specification's.
func Explained(text string) bool {
	switch text {
	case ErrKeyNotFound, ErrCompacted, ErrFuture, ErrLeaseNotFound, ErrLeaseExists:
		return true
	}
	return false
}
