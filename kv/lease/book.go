package lease

import (
	"container/heap"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tidwall/btree"
)

// Due gives out at most revokesBurst leases at once and revokesPerSecond in the long run; what is
// over it waits for a later Due. A cluster whose leases all end together goes on serving.
const (
	revokesPerSecond = 1000
	revokesBurst     = 500
)

// Book knows the leases of a cluster: which were granted and which keys they own, the same on every
// member; and on the leader their deadlines. The zero Book is empty and does not lead.
type Book struct {
	leases  btree.Map[ID, *lease]
	agenda  agenda   // on the leader: the ticking leases
	fresh   []*lease // on the leader, as granted; revoked ones stay until the next Due
	last    Serial   // of the newest grant
	leading bool
	next    Instant // when the next lease may be given out, as far as the rate is concerned
	looked  Instant // on the leader: the time of the last Due, or of Promote
	listed  *Listing
}

// Listing is the set of leases of one moment. It never changes and any goroutine may read it.
type Listing struct {
	leases *btree.Map[ID, *lease]
}

// Len is the number of leases.
func (l *Listing) Len() int { return l.leases.Len() }

// Each calls each for every lease in ascending order, with its time to live as granted.
func (l *Listing) Each(each func(id ID, ttl Seconds)) {
	l.leases.Scan(func(id ID, one *lease) bool {
		each(id, one.ttl) // it never changes; the other fields are the owner's
		return true
	})
}

// Listing is the present set of leases. It costs little when no lease came or went since the last.
func (b *Book) Listing() *Listing {
	if b.listed == nil {
		b.listed = &Listing{b.leases.Copy()}
	}
	return b.listed
}

// Count is how many leases there are.
func (b *Book) Count() int { return b.leases.Len() }

// Has tells whether there is such a lease.
func (b *Book) Has(id ID) bool {
	_, found := b.leases.Get(id)
	return found
}

// Grant adds a lease. It refuses with ErrTooLong, or ErrExists (None counts as taken). The lease
// lives ttl from the next Due at least, or from the next Promote.
func (b *Book) Grant(id ID, ttl Seconds) (Grant, error) {
	if ttl > TTLMax {
		return Grant{}, ErrTooLong
	}
	if id == None || b.Has(id) {
		return Grant{}, ErrExists
	}
	b.last++
	l := &lease{Grant: Grant{id, b.last}, ttl: ttl}
	if b.leading {
		l.phase = fresh
		b.fresh = append(b.fresh, l)
	}
	b.leases.Set(id, l)
	b.listed = nil
	return l.Grant, nil
}

// Keys are the keys of a lease, sorted; none where there is no such lease.
func (b *Book) Keys(id ID) []string {
	l, found := b.leases.Get(id)
	if !found {
		return nil
	}
	return slices.Sorted(maps.Keys(l.keys))
}

// Find gives the present grant of an ID.
func (b *Book) Find(id ID) (Grant, bool) {
	l, found := b.leases.Get(id)
	if !found {
		return Grant{}, false
	}
	return l.Grant, true
}

// Revoke removes a lease and gives the keys that it owned, sorted. It is false when there is no
// such lease.
func (b *Book) Revoke(id ID) (keys []string, found bool) {
	l, found := b.leases.Delete(id)
	if !found {
		return nil, false
	}
	if l.phase == ticking {
		heap.Remove(&b.agenda, l.place)
	}
	l.phase = resting // and if it was fresh, Due passes over it
	b.listed = nil
	return slices.Sorted(maps.Keys(l.keys)), true
}

// Attach makes a lease, which must be there, the owner of a key that has none.
func (b *Book) Attach(id ID, key []byte) {
	l, found := b.leases.Get(id)
	if !found {
		panic(fmt.Sprintf("lease: a key is attached to lease %x, which is not there", uint64(id)))
	}
	if l.keys == nil {
		l.keys = make(map[string]struct{})
	}
	l.keys[string(key)] = struct{}{}
}

// Detach takes a key from its owner. One that was revoked has let go of it already.
func (b *Book) Detach(id ID, key []byte) {
	if l, found := b.leases.Get(id); found {
		delete(l.keys, string(key))
	}
}

// Promote makes this member the one that watches the deadlines. Every lease gets its whole time to
// live and extend besides.
func (b *Book) Promote(now Instant, extend time.Duration) {
	b.Demote()
	b.leading, b.next, b.looked = true, now, now
	b.agenda = make(agenda, 0, b.leases.Len())
	b.leases.Scan(func(_ ID, l *lease) bool {
		l.phase, l.deadline, l.place = ticking, now.after(l.ttl, extend), len(b.agenda)
		b.agenda = append(b.agenda, l)
		return true
	})
	heap.Init(&b.agenda)
}

// Demote forgets all deadlines: another member watches them.
func (b *Book) Demote() {
	if !b.leading {
		return
	}
	b.leading, b.agenda, b.fresh = false, nil, nil
	b.leases.Scan(func(_ ID, l *lease) bool {
		l.phase = resting
		return true
	})
}

// Due gives out the leases whose time is over, the earliest first; each once in a leadership. From
// now on nothing but Revoke, or Demote, changes their fate. A book that does not lead has none.
func (b *Book) Due(now Instant) []Grant {
	b.looked = now
	for _, l := range b.fresh {
		if l.phase == fresh {
			l.phase, l.deadline = ticking, now.after(l.ttl, 0)
			heap.Push(&b.agenda, l)
		}
	}
	clear(b.fresh)
	b.fresh = b.fresh[:0]
	const interval = Instant(time.Second) / revokesPerSecond
	b.next = max(b.next, now-(revokesBurst-1)*interval)
	var due []Grant
	for len(b.agenda) > 0 && b.agenda[0].deadline <= now && b.next <= now {
		l := heap.Pop(&b.agenda).(*lease)
		l.phase = revoking
		due = append(due, l.Grant)
		b.next += interval
	}
	return due
}

// Renew gives a lease its whole time to live, counted from since, which may lie in the past. It
// never brings a deadline forward.
func (b *Book) Renew(id ID, since Instant) (ttl Seconds, fate Fate) {
	l, found := b.leases.Get(id)
	switch {
	case !b.leading:
		return 0, Undecided
	case !found:
		return 0, Unknown
	case l.phase == revoking:
		return 0, Undecided
	case l.phase == ticking:
		l.deadline = max(l.deadline, since.after(l.ttl, 0))
		heap.Fix(&b.agenda, l.place)
	}
	return l.ttl, Alive
}

// Each calls each for every lease with its keys, in ascending order.
func (b *Book) Each(each func(id ID, keys []string)) {
	b.leases.Scan(func(id ID, l *lease) bool {
		each(id, slices.Sorted(maps.Keys(l.keys)))
		return true
	})
}

// Schedule calls each for every lease in ascending order of ID, with when it ends as far as is
// known at a time: one that was granted since the last Due ends its whole time to live after that,
// or after now if that is later. A book that does not lead knows of none, and says so.
func (b *Book) Schedule(
	now Instant, each func(grant Grant, deadline Instant),
) (leads bool) {
	if !b.leading {
		return false
	}
	b.leases.Scan(func(_ ID, l *lease) bool {
		deadline := l.deadline
		if l.phase == fresh {
			deadline = max(now, b.looked).after(l.ttl, 0)
		}
		each(l.Grant, deadline)
		return true
	})
	return true
}

// Status is what is known of one lease.
type Status struct {
	TTL       Seconds // as granted
	Remaining Seconds // whole ones
	Keys      []string
}

// Status describes a lease at a time; its keys, sorted, on request.
func (b *Book) Status(id ID, now Instant, keys bool) (Status, Fate) {
	l, found := b.leases.Get(id)
	switch {
	case !b.leading:
		return Status{}, Undecided
	case !found:
		return Status{}, Unknown
	}
	status := Status{TTL: l.ttl}
	switch l.phase {
	case fresh: // some of its time is over, nobody knows how much
		status.Remaining = l.ttl - 1
	case ticking:
		status.Remaining = Seconds(max(0, l.deadline-now) / Instant(time.Second))
	}
	if keys {
		status.Keys = slices.Sorted(maps.Keys(l.keys))
	}
	return status, Alive
}
