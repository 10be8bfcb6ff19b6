package replica

import (
	"testing"
	"time"
)

// A wire is what connects two members in a world with distances: every message takes as long as the
// way is, and chunks of snapshots go one after the other, as fast as the wire carries bytes.
type wire struct {
	t      *testing.T
	oneWay time.Duration
	rate   int // bytes a second
	busy   map[[2]MemberID]Time

	carried int            // bytes of chunks
	seen    map[string]int // by file: up to where it was carried
	twice   int            // bytes of files that were carried again
	missed  int            // bytes of files that were left out
}

func (l *wire) carry(now Time, m *Message, length int) time.Duration {
	if !m.Bulky() {
		return l.oneWay
	}
	l.carried += length
	way := [2]MemberID{m.From, m.To}
	free := max(l.busy[way], now) + Time(length)*Time(time.Second)/Time(l.rate)
	l.busy[way] = free
	return time.Duration(free-now) + l.oneWay
}

// note counts what is carried of a file. A file is read from its front to its end.
func (l *wire) note(a *actor, c *Chunk) {
	if l == nil {
		return
	}
	at := l.seen[c.Name]
	l.twice += max(0, min(at, int(c.Offset)+c.Length)-int(c.Offset))
	l.missed += max(0, int(c.Offset)-at)
	l.seen[c.Name] = max(at, int(c.Offset)+c.Length)
}

// A chase is a follower that is far behind, and the load that it has to catch up with.
type chase struct {
	*world
	leader, behind *actor

	began    Time
	bytes    int // that the follower lacked when it began
	flight   int // the most chunks under way at once
	fetching int // the most bytes that were asked for or held
	kept     int // the most bytes of log that the leader had in memory
}

const (
	chaseOneWay = 100 * time.Millisecond
	chaseRate   = 200 << 10 // bytes a second
	chaseFetch  = 60 * 700  // FetchBytesMax
	chaseValue  = 150       // bytes of a command
)

// newChase writes commands, lets a follower have the first of them, and starts it behind the rest.
func newChase(t *testing.T, seed uint64, has, lacks int) *chase {
	w := newWorld(t, seed, 0)
	w.slow = time.Millisecond
	w.bounds = Options{LogBytesMax: 6 << 10, CheckpointBytes: 12 << 10, FetchBytesMax: chaseFetch}
	members := []Member{{ID: 1}, {ID: 2}, {ID: 3}}
	for _, m := range members {
		w.add(m.ID, members)
	}
	w.run(4 * time.Second)
	c := &chase{world: w}
	c.write(has)
	w.run(2 * time.Second)
	c.behind = w.follower()
	w.crash(c.behind)
	c.write(lacks)
	w.run(3 * time.Second)
	c.leader = w.leading()
	c.bytes = c.store()
	w.wire = &wire{t: t, oneWay: chaseOneWay, rate: chaseRate, busy: map[[2]MemberID]Time{},
		seen: map[string]int{}}
	w.start(c.behind)
	c.began = w.now
	return c
}

// store is how many bytes a snapshot of the leader has now.
func (c *chase) store() int {
	bytes := 0
	for _, s := range c.leading().replica.background.latest.segments {
		bytes += int(s.Length)
	}
	return bytes
}

// write submits commands, one every two milliseconds.
func (c *chase) write(count int) {
	for range count {
		c.submitOne()
		c.run(2 * time.Millisecond)
	}
}

func (c *chase) submitOne() {
	command := make([]byte, chaseValue)
	for i := range command {
		command[i] = byte(c.random.Uint32())
	}
	if leader := c.world.leading(); leader != nil {
		c.submit(leader, string(command))
	}
}

// step lets a command's time pass, under a load of so many bytes a second.
func (c *chase) step(load int) {
	c.submitOne()
	c.run(time.Second * chaseValue / time.Duration(load))
	if c.behind.replica == nil {
		return
	}
	if v := c.behind.replica.snapshots.receiver; v != nil {
		size := v.held
		for _, q := range v.requests {
			size += q.length
		}
		c.fetching = max(c.fetching, size)
		c.flight = max(c.flight, len(v.requests))
	}
	c.kept = max(c.kept, c.leader.replica.log.bytes)
}

// level runs under a load until the follower has all but the last few commands, and returns how
// long that took.
func (c *chase) level(load int, most time.Duration) time.Duration {
	c.t.Helper()
	for time.Duration(c.now-c.began) < most {
		c.step(load)
		if c.behind.replica != nil && c.behind.replica.applied+20 >= c.leading().replica.applied &&
			c.behind.replica.applied > 1 {
			return time.Duration(c.now - c.began)
		}
	}
	c.t.Fatalf("not level after %v: %d of %d", most, c.behind.replica.applied,
		c.leading().replica.applied)
	return 0
}
