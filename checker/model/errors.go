package model

// What etcd answers to a request that it refuses, as a client sees it.
const (
	errEmptyKey      = "etcdserver: key is not provided"
	errKeyNotFound   = "etcdserver: key not found"
	errValueProvided = "etcdserver: value is provided"
	errLeaseProvided = "etcdserver: lease is provided"
	errTooManyOps    = "etcdserver: too many operations in txn request"
	errDuplicateKey  = "etcdserver: duplicate key given in txn request"
	errSortOption    = "etcdserver: invalid sort option"
	errCompacted     = "etcdserver: mvcc: required revision has been compacted"
	errFuture        = "etcdserver: mvcc: required revision is a future revision"
	errLeaseNotFound = "etcdserver: requested lease not found"
	errLeaseExists   = "etcdserver: lease already exists"
	errLeaseTTL      = "etcdserver: too large lease TTL"
)

// explained tells whether an error depends on the state of the store. All others are taken as what
// they say: the operation was refused, for reasons that are none of the specification's.
func explained(text string) bool {
	switch text {
	case errKeyNotFound, errCompacted, errFuture, errLeaseNotFound, errLeaseExists:
		return true
	}
	return false
}
