package lease

import (
	"errors"
	"time"
)

// ID names a lease. Clients may choose it; a lease ID may be used again after a revocation.
type ID int64

// None is the ID that no lease has.
const None ID = 0

// Seconds measures a time to live.
type Seconds int64

// TTLMax is the longest time to live that can be granted (etcd's bound).
const TTLMax Seconds = 9_000_000_000

// Instant is a time in nanoseconds on one member's monotonic clock.
type Instant int64

// Serial tells two grants of the same ID apart: it counts the grants of a book, from 1.
type Serial uint64

// Grant names one granted lease for ever, even when its ID is used again.
type Grant struct {
	ID     ID
	Serial Serial
}

// What Book.Grant refuses.
var (
	ErrExists  = errors.New("lease already exists")
	ErrTooLong = errors.New("too large lease TTL")
)

// Fate is what a book can say of a lease when it is asked to renew it.
type Fate int

// The fates of a lease.
const (
	Unknown   Fate = iota // there is no such lease
	Alive                 // it lives, and its deadline holds
	Undecided             // its revocation is under way, or this book does not lead: ask again
)

// lease is one granted lease. Its phase says where the book keeps it.
type lease struct {
	Grant
	ttl      Seconds
	keys     map[string]struct{}
	phase    phase
	deadline Instant // when ticking
	place    int     // in the agenda, when ticking
}

// phase is where a lease is in its life, as the leader sees it.
type phase int

const (
	resting  phase = iota // this member does not lead: no deadline
	fresh                 // granted since the last Due, whose time gives the deadline
	ticking               // in the agenda
	revoking              // Due gave it out
)

// after is the instant that is ttl later, or the last one there is.
func (i Instant) after(ttl Seconds, extend time.Duration) Instant {
	const last = Instant(1<<63 - 1)
	length := Instant(ttl) * Instant(time.Second)
	for _, step := range [...]Instant{length, Instant(extend)} {
		if i > last-step {
			return last
		}
		i += step
	}
	return i
}

// agenda is a heap of the ticking leases, the next deadline first.
type agenda []*lease

func (a agenda) Len() int { return len(a) }

func (a agenda) Less(i, j int) bool {
	if a[i].deadline != a[j].deadline {
		return a[i].deadline < a[j].deadline
	}
	return a[i].ID < a[j].ID
}

func (a agenda) Swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	a[i].place, a[j].place = i, j
}

func (a *agenda) Push(x any) {
	l := x.(*lease)
	l.place = len(*a)
	*a = append(*a, l)
}

func (a *agenda) Pop() any {
	old := *a
	l := old[len(old)-1]
	old[len(old)-1] = nil
	*a = old[:len(old)-1]
	return l
}
