package node

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"detcd/consensus/replica"
)

// Stats is what a node has counted since it was started.
type Stats struct {
	LeaderChanges  uint64 // a leader became known that was not the one before
	Pending        int64  // commands that wait to be executed
	Failed         uint64 // commands that were not, or not in time
	LateHeartbeats uint64 // that this member sent as the leader
	ReadsFailed    uint64 // reads that all would have had to agree on, and did not in time
	ReadsSlow      uint64 // of them, those that no majority answered in time

	WritingSince time.Time // when the write to the log began that has not ended; zero: there is none
	WrittenBytes uint64    // to the log
	Writes       Durations
	Background   Durations
	Checkpoints  Durations // among them
}

// Durations tells how often something took how long.
type Durations struct {
	// Upto has for each limit of DurationLimits how many took at most so long, and all at its end.
	Upto [durationLimits + 1]uint64
	Sum  time.Duration
}

// durationLimits is the number of limits: 1 ms, 2 ms and so on up to 8.192 s.
const durationLimits = 14

// DurationLimits are the limits of Durations, ascending.
func DurationLimits() []time.Duration {
	limits := make([]time.Duration, durationLimits)
	for i := range limits {
		limits[i] = time.Millisecond << i
	}
	return limits
}

// counters are the Stats that go on.
type counters struct {
	leaderChanges, failed, readsFailed, writtenBytes atomic.Uint64
	readsSlow                                        atomic.Uint64
	lateHeartbeats                                   atomic.Uint64
	pending                                          atomic.Int64
	writing                                          atomic.Int64 // since when, in Unix nanoseconds
	writes, background, checkpoints                  clocked
}

// clocked counts durations: of each the first limit that it keeps.
type clocked struct {
	counts [durationLimits + 1]atomic.Uint64
	sum    atomic.Int64
}

func (c *clocked) add(took time.Duration) {
	i := 0
	for i < durationLimits && took > time.Millisecond<<i {
		i++
	}
	c.counts[i].Add(1)
	c.sum.Add(int64(took))
}

func (c *clocked) read() (d Durations) {
	var all uint64
	for i := range c.counts {
		all += c.counts[i].Load()
		d.Upto[i] = all
	}
	d.Sum = time.Duration(c.sum.Load())
	return d
}

// began counts a request that is about to be made.
func (c *counters) began(kind replica.InputKind) {
	if kind == replica.InputSubmit {
		c.pending.Add(1)
	}
}

// ended counts the same request when it has an answer or is given up.
func (c *counters) ended(kind replica.InputKind, err error) {
	if kind == replica.InputSubmit {
		c.pending.Add(-1)
	}
	switch {
	case err == nil:
	case kind == replica.InputSubmit:
		c.failed.Add(1)
	case kind == replica.InputRead:
		c.readsFailed.Add(1)
		if errors.Is(err, context.DeadlineExceeded) {
			c.readsSlow.Add(1)
		}
	}
}

// wrote counts a write to the log; one without records only looked for room.
func (c *counters) wrote(w *replica.Write, begun time.Time) {
	if len(w.Records) == 0 {
		return
	}
	c.writes.add(time.Since(begun))
	for _, record := range w.Records {
		c.writtenBytes.Add(uint64(len(record)))
	}
}

// Stats returns what was counted. It is cheap.
func (n *Node) Stats() Stats {
	c := &n.counted
	var writing time.Time
	if since := c.writing.Load(); since != 0 {
		writing = time.Unix(0, since)
	}
	return Stats{
		WritingSince:   writing,
		LeaderChanges:  c.leaderChanges.Load(),
		Pending:        c.pending.Load(),
		Failed:         c.failed.Load(),
		ReadsFailed:    c.readsFailed.Load(),
		ReadsSlow:      c.readsSlow.Load(),
		LateHeartbeats: c.lateHeartbeats.Load(),
		WrittenBytes:   c.writtenBytes.Load(),
		Writes:         c.writes.read(),
		Background:     c.background.read(),
		Checkpoints:    c.checkpoints.read(),
	}
}
