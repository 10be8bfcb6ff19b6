package mvcc

import "errors"

// ErrCompacted says that the history asked for has been compacted away. The text is etcd's.
var ErrCompacted = errors.New("mvcc: required revision has been compacted")

// ErrFutureRevision says that a revision was asked for that has not happened yet. The text is
// etcd's.
var ErrFutureRevision = errors.New("mvcc: required revision is a future revision")
