package replica

import "errors"

// The ways a request can end without having been carried out.
var (
	// ErrTooMany says that too many requests wait already. The request was not proposed.
	ErrTooMany = errors.New("replica: too many requests")
	// ErrNoSpace says that the device of the log is full. The request was not proposed.
	ErrNoSpace = errors.New("replica: no space left for the log")
	// ErrTooManyFiles says that the log cannot open one more file. The request was not proposed.
	ErrTooManyFiles = errors.New("replica: too many open files")
	// ErrTimeout says that no answer came in time. A command may still be executed, once.
	ErrTimeout = errors.New("replica: no answer in time")
	// ErrNotLeader says that only the leader can do this.
	ErrNotLeader = errors.New("replica: not the leader")
	// ErrDropped says that the request will not be carried out; it may be sent again.
	ErrDropped = errors.New("replica: proposal dropped")
	// ErrMemberExists says that the member to add has been a member already.
	ErrMemberExists = errors.New("replica: member ID already exists")
	// ErrMemberUnknown says that there is no such member.
	ErrMemberUnknown = errors.New("replica: member not found")
	// ErrMemberRemoved says that the member was removed; its ID is never used again.
	ErrMemberRemoved = errors.New("replica: member was removed")
	// ErrPeerURLExists says that another member has one of the URLs.
	ErrPeerURLExists = errors.New("replica: peer URL already exists")
	// ErrNotLearner says that the member to promote votes already.
	ErrNotLearner = errors.New("replica: member is not a learner")
	// ErrTooManyLearners says that there are as many learners as there may be.
	ErrTooManyLearners = errors.New("replica: too many learners")
	// ErrCluster says that a data directory belongs to another cluster or member.
	ErrCluster = errors.New("replica: data directory of another cluster or member")
	// ErrVersion says that a stored format is newer than this program.
	ErrVersion = errors.New("replica: written by a newer version")
	// ErrUsed says that a data directory is somebody's already.
	ErrUsed = errors.New("replica: the data directory is in use by a member")
	// ErrParts says that there are signs of an earlier life of a member, and a part of it is missing
	// or is not of the same life.
	ErrParts = errors.New("replica: parts of the data directory are missing or do not belong together")
	// ErrWiped says that the cluster knows this member with another data directory.
	ErrWiped = errors.New("replica: known to the cluster with another data directory")
)
