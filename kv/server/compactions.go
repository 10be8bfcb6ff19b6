package server

import (
	"sync/atomic"
	"time"

	"detcd/kv/rpc"
)

// The scales of etcd's durations of compactions: pauses up to 4 s, whole ones up to 14 minutes.
var (
	compactionScale = rpc.Scale{First: time.Millisecond, Limits: 13}
	compactedScale  = rpc.Scale{First: 100 * time.Millisecond, Limits: 14}
)

// compactions measures them. Its owner counts, and anyone may read the clocks.
type compactions struct {
	revision int64 // of the last one
	begun    time.Time

	last   atomic.Int64 // when one was finished, in Unix seconds
	pauses rpc.Clock    // the pieces in which they are done; commands wait for each
	whole  rpc.Clock    // from when they were executed until all was let go of
}

// began notes that a compaction was executed, if one was.
func (c *compactions) began(revision int64, at time.Time) {
	if revision > c.revision {
		c.revision, c.begun = revision, at
	}
}

func (c *compactions) finished() {
	c.whole.Add(compactedScale, time.Since(c.begun))
	c.last.Store(time.Now().Unix())
}
