package sim

import "time"

// clock is the monotonic clock of one member. It may run fast or slow, stand still, or jump ahead
// (as one does that counts the time a machine was suspended); it never goes back.
type clock struct {
	base  int64 // what it read at since
	since int64 // virtual time
	rate  int64 // parts per million of virtual time; 1,000,000 is exact
}

func (c *clock) read(now int64) int64 {
	return c.base + (now-c.since)/1_000_000*c.rate + (now-c.since)%1_000_000*c.rate/1_000_000
}

// setRate makes the clock run at another speed from now on.
func (c *clock) setRate(now, rate int64) {
	c.base, c.since, c.rate = c.read(now), now, rate
}

func (c *clock) jump(by time.Duration) { c.base += int64(by) }

// wait returns how long a timer of the member takes in virtual time. On a clock that stands still
// timers go on, as they do when only the reading of a clock is wrong.
func (c *clock) wait(d time.Duration) time.Duration {
	if c.rate == 0 {
		return d
	}
	rate := time.Duration(c.rate)
	return (d*1_000_000 + rate - 1) / rate // it never fires before its time
}
