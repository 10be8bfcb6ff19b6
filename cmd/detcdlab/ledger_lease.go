package main

import (
	"slices"
	"time"
)

// A lease is what the ledger knows of one.
type lease struct {
	id       leaseID
	kept     bool          // its owner keeps it alive to the end
	revoking bool          // its owner asked for its end
	until    time.Duration // it must not end before that
	ended    int64         // the revision at which it took its keys away; 0: not
}

// leaseSent makes a lease known before it is granted.
func (l *ledger) leaseSent(id leaseID, kept bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.leases[id] = &lease{id: id, kept: kept}
}

// leaseAlive notes that a grant or a keep-alive that was sent at a time was answered: the lease
// lasts for ttl from then at least.
func (l *ledger) leaseAlive(id leaseID, sent, ttl time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.leases[id]
	one.until = max(one.until, sent+ttl)
	if one.ended != 0 {
		l.violate(one.ended, "lease %x ended at revision %d, and was alive after that",
			id, one.ended)
	}
}

// leaseGone takes the answer that there is no such lease.
func (l *ledger) leaseGone(id leaseID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if one := l.leases[id]; one.kept {
		l.violate(one.ended, "lease %x, which is kept alive, is gone", id)
	}
}

// leaseRevoking notes that the end of the lease is about to be asked for.
func (l *ledger) leaseRevoking(id leaseID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.leases[id].revoking = true
}

// judgeLeaseEnd checks a revision that only deletes: it must be the end of one lease, take all of
// its keys, and not come too early.
func (l *ledger) judgeLeaseEnd(revision int64, keys []string) {
	var id leaseID
	for _, key := range keys {
		if of := l.live[key].lease; id != 0 && of != id {
			l.violate(revision, "revision %d deleted keys of leases %x and %x", revision, id, of)
		} else {
			id = of
		}
	}
	one := l.leases[id]
	if one == nil {
		l.violate(revision, "revision %d deleted %v, which nobody asked for", revision, keys)
		return
	}
	one.ended = revision
	l.counts.LeasesEnded++
	now := l.now()
	switch {
	case one.kept:
		l.violate(revision, "lease %x took its keys %v away, but was kept alive until %.3f s "+
			"at least", id, keys, one.until.Seconds())
	case !one.revoking && now < one.until:
		l.violate(revision, "lease %x ended %.3f s too early", id, (one.until - now).Seconds())
	}
	if attached := l.attached(id); !sameKeys(attached, keys) {
		l.violate(revision, "the end of lease %x took %v away, but its keys were %v",
			id, keys, attached)
	}
}

// attached returns the keys of a lease, in order.
func (l *ledger) attached(id leaseID) []string {
	var keys []string
	for key, v := range l.live {
		if v.lease == id {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// leasesWithKeys returns the leases that are attached to a key now, those that are kept apart from
// those that must end.
func (l *ledger) leasesWithKeys() (kept, ending []leaseID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, one := range l.leases {
		switch {
		case len(l.attached(id)) == 0:
		case one.kept:
			kept = append(kept, id)
		default:
			ending = append(ending, id)
		}
	}
	slices.Sort(kept)
	slices.Sort(ending)
	return kept, ending
}
