package bench

import (
	"sync/atomic"
	"time"
)

// A stage is one stretch of load: it ends after so many operations or at a time.
type stage struct {
	tickets atomic.Int64  // operations that may still be sent; counts down
	total   int64         // the tickets that there were; 0: the time ends it
	end     time.Time     // when it is not counted
	begin   time.Time     // of the pace
	period  time.Duration // between two operations of one client; 0 is no pace
	clients int
	sent    atomic.Int64                   // operations that were begun
	gate    func(sent int64) (closed bool) // nil: always open
}

// gateInterval is the time between two looks at a gate that is closed.
const gateInterval = 100 * time.Microsecond

// closed says whether nothing more may be begun for now, because too much of what was done has not
// arrived where it is counted.
func (s *stage) closed() bool { return s.gate != nil && s.gate(s.sent.Load()) }

// newStage begins now.
func newStage(total int64, duration time.Duration, rate float64, clients int) *stage {
	s := &stage{total: total, begin: time.Now(), clients: clients}
	s.tickets.Store(total)
	s.end = s.begin.Add(duration)
	if rate > 0 {
		s.period = time.Duration(float64(clients) / rate * float64(time.Second))
	}
	return s
}

// take asks to send one more operation.
func (s *stage) take(now time.Time) bool {
	if s.total > 0 && s.tickets.Add(-1) < 0 || s.total == 0 && !now.Before(s.end) {
		return false
	}
	if s.gate != nil {
		s.sent.Add(1)
	}
	return true
}

// due returns when a client sends its operation number turn: the clients are spread over a
// period. It is the zero time when there is no pace.
func (s *stage) due(client, turn int) time.Time {
	if s.period == 0 {
		return time.Time{}
	}
	offset := s.period * time.Duration(client) / time.Duration(s.clients)
	return s.begin.Add(s.period*time.Duration(turn) + offset)
}

// fraction returns how much of the stage is over.
func (s *stage) fraction(now time.Time, done int64) float64 {
	if s.total > 0 {
		return float64(done) / float64(s.total)
	}
	return min(float64(now.Sub(s.begin))/float64(s.end.Sub(s.begin)), 1)
}
