package rpc

import (
	"sync/atomic"
	"time"
)

// A Scale is the limits by which durations are told apart: the first, and how many there are. Each
// is twice the one before.
type Scale struct {
	First  time.Duration
	Limits int // at most limitsMax
}

// The scales are those of etcd.
var (
	ApplyScale = Scale{100 * time.Microsecond, 20} // up to 52 s
	QuickScale = Scale{time.Millisecond, 14}       // up to 8 s
	HashScale  = Scale{10 * time.Millisecond, 15}  // up to 164 s
)

// limitsMax bounds the limits of a Scale.
const limitsMax = 24

// A Clock counts how often something took how long. The zero Clock is ready; it must always be used
// with one Scale.
type Clock struct {
	counts [limitsMax + 1]atomic.Uint64
	sum    atomic.Int64
}

// Add counts one. It costs some nanoseconds.
func (c *Clock) Add(s Scale, took time.Duration) {
	at, limit := 0, s.First
	for at < s.Limits && took > limit {
		at, limit = at+1, limit*2
	}
	c.counts[at].Add(1)
	c.sum.Add(int64(took))
}

// Read tells how many took at most so many seconds, how many there were, and how long all took.
func (c *Clock) Read(s Scale) (upto map[float64]uint64, count uint64, sum time.Duration) {
	upto = make(map[float64]uint64, s.Limits)
	limit := s.First
	for i := range s.Limits + 1 {
		count += c.counts[i].Load()
		if i < s.Limits {
			upto[limit.Seconds()] = count
		}
		limit *= 2
	}
	return upto, count, time.Duration(c.sum.Load())
}
