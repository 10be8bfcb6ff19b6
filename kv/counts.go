package kv

import "sync/atomic"

// Counts is what the commands that were applied have done since the member was started. A range, a
// put or a deletion inside of a transaction counts like one by itself.
type Counts struct {
	Ranges        uint64 // reads inside of transactions
	Puts          uint64
	Deletes       uint64 // requests, whatever they found
	Txns          uint64 // with more than one operation
	PutBytes      uint64 // of keys and values
	LeasesGranted uint64
	LeasesRevoked uint64 // expired ones included
	LeasesExpired uint64
	LeasesRenewed uint64 // by this member, as the leader

	LeaseTTLs   [ttlLimits + 1]uint64 // granted ones, of 1 s at most, of 2 s, of 4 s and so on, of any
	LeaseTTLSum uint64                // seconds
}

// ttlLimits is how many limits of a time to live are told apart.
const ttlLimits = 24

// tally is the Counts that go on. The owner adds, and anyone may read.
type tally struct {
	ranges, puts, deletes, txns, putBytes, granted, revoked, expired, renewed atomic.Uint64

	ttls   [ttlLimits + 1]atomic.Uint64 // above the limit before
	ttlSum atomic.Uint64
}

// grant counts a lease that lives so many seconds.
func (t *tally) grant(seconds int64) {
	at := 0
	for at < ttlLimits && seconds > 1<<at {
		at++
	}
	t.granted.Add(1)
	t.ttls[at].Add(1)
	t.ttlSum.Add(uint64(seconds))
}

// Counts returns what was counted. It is the one method of a Store that any goroutine may call.
func (s *Store) Counts() Counts {
	t := &s.tally
	counts := Counts{
		Ranges: t.ranges.Load(), Puts: t.puts.Load(), Deletes: t.deletes.Load(), Txns: t.txns.Load(),
		PutBytes:      t.putBytes.Load(),
		LeasesGranted: t.granted.Load(), LeasesRevoked: t.revoked.Load(),
		LeasesExpired: t.expired.Load(), LeasesRenewed: t.renewed.Load(),
		LeaseTTLSum: t.ttlSum.Load(),
	}
	all := uint64(0)
	for i := range t.ttls {
		all += t.ttls[i].Load()
		counts.LeaseTTLs[i] = all
	}
	return counts
}
