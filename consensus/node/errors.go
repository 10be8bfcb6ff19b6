package node

import "errors"

var (
	// ErrStopped says that the member was stopped; what was asked of it may or may not happen.
	ErrStopped = errors.New("node: stopped")
	// ErrFailed says that the member ended by itself. The error that wraps it says why.
	ErrFailed = errors.New("node: the member cannot go on")
	// ErrTooMany says that too much waits for this member already; nothing was done.
	ErrTooMany = errors.New("node: too many requests")
	// ErrRefused says that the other members do not let this data directory take part.
	ErrRefused = errors.New("node: the cluster refuses this member")
	// ErrRemoved says that this member was removed from the cluster.
	ErrRemoved = errors.New("node: this member was removed from the cluster")
)
