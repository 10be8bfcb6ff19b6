package node

import (
	"fmt"
	"log/slog"
	"time"

	"detcd/consensus/replica"
)

// What is slow is logged in etcd's words, for operators look for these lines.

// slowWrite is how long a write to the log may take that nobody is told of; etcd's.
const slowWrite = time.Second

// reportWrite tells of a write that took long. There is one at a time, so such lines are at least
// Options.SlowWrite apart.
func (n *Node) reportWrite(took time.Duration) {
	if took > n.options.SlowWrite {
		n.options.Log.Warn("slow fdatasync", slog.Duration("took", took),
			slog.Duration("expected-duration", n.options.SlowWrite))
	}
}

// lateHeartbeatEvery is the least time between two lines about late heartbeats to one member.
const lateHeartbeatEvery = 5 * time.Second

// heartbeats are those that a leader sends: to whom when the last one left, and when it was last
// told that one was late. The times are those of the loop's clock.
type heartbeats struct {
	sent, told map[replica.MemberID]time.Duration
}

// sending notes a heartbeat. It returns by how much it exceeds what may lie between two of them,
// and whether that is to be logged.
func (h *heartbeats) sending(
	to replica.MemberID, now, most time.Duration,
) (exceeded time.Duration, tell bool) {
	if h.sent == nil {
		h.sent = make(map[replica.MemberID]time.Duration)
		h.told = make(map[replica.MemberID]time.Duration)
	}
	before, known := h.sent[to]
	h.sent[to] = now
	if exceeded = now - before - most; !known || exceeded <= 0 {
		return 0, false
	}
	told, once := h.told[to]
	if tell = !once || now-told >= lateHeartbeatEvery; tell {
		h.told[to] = now
	}
	return exceeded, tell
}

// beat notes a heartbeat that is about to be sent, and tells of one that is late.
func (o *loop) beat(to replica.MemberID) {
	period := o.node.tickPeriod()
	exceeded, tell := o.beats.sending(to, time.Since(o.start), 2*period)
	if exceeded > 0 {
		o.node.counted.lateHeartbeats.Add(1)
	}
	if tell {
		o.node.options.Log.Warn("leader failed to send out heartbeat on time; took too long, "+
			"leader is overloaded likely from slow disk",
			slog.String("to", fmt.Sprintf("%x", uint64(to))),
			slog.Duration("heartbeat-interval", period),
			slog.Duration("expected-duration", 2*period),
			slog.Duration("exceeded-duration", exceeded))
	}
}
