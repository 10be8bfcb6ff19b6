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
}

// tally is the Counts that go on. The owner adds, and anyone may read.
type tally struct {
	ranges, puts, deletes, txns, putBytes, granted, revoked, expired atomic.Uint64
}

// Counts returns what was counted. It is the one method of a Store that any goroutine may call.
func (s *Store) Counts() Counts {
	t := &s.tally
	return Counts{
		Ranges: t.ranges.Load(), Puts: t.puts.Load(), Deletes: t.deletes.Load(), Txns: t.txns.Load(),
		PutBytes:      t.putBytes.Load(),
		LeasesGranted: t.granted.Load(), LeasesRevoked: t.revoked.Load(),
		LeasesExpired: t.expired.Load(),
	}
}
