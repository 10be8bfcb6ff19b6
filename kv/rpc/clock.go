package rpc

import (
	"sync/atomic"
	"time"
)

// clockLimits is how many limits a Clock knows: 0.1 ms, 0.2 ms and so on, up to 52 s. They are
// those of etcd.
const clockLimits = 20

const clockLimit = 100 * time.Microsecond

// A Clock counts how often something took how long. The zero Clock is ready.
type Clock struct {
	counts [clockLimits + 1]atomic.Uint64
	sum    atomic.Int64
}

// Add counts one. It costs some nanoseconds.
func (c *Clock) Add(took time.Duration) {
	at, limit := 0, clockLimit
	for at < clockLimits && took > limit {
		at, limit = at+1, limit*2
	}
	c.counts[at].Add(1)
	c.sum.Add(int64(took))
}

// Read tells how many took at most so many seconds, how many there were, and how long all took.
func (c *Clock) Read() (upto map[float64]uint64, count uint64, sum time.Duration) {
	upto = make(map[float64]uint64, clockLimits)
	limit := clockLimit
	for i := range c.counts {
		count += c.counts[i].Load()
		if i < clockLimits {
			upto[limit.Seconds()] = count
		}
		limit *= 2
	}
	return upto, count, time.Duration(c.sum.Load())
}
