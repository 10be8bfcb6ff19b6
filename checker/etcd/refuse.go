package etcd

import (
	"maps"
	"slices"
)

// txnOpsMax is etcd's default bound on a part of a transaction.
const txnOpsMax = 128

// leaseTTLMax is etcd's bound on a TTL, in seconds.
const leaseTTLMax = 9_000_000_000

// refuse returns why a request is refused whatever the store contains, or nothing.
func refuse(ask any) string {
	switch ask := ask.(type) {
	case *Range:
		return refuseRange(ask)
	case *Put:
		switch {
		case ask.Key == "":
			return ErrEmptyKey
		case ask.IgnoreValue && ask.Value != "":
			return ErrValueProvided
		case ask.IgnoreLease && ask.Lease != 0:
			return ErrLeaseProvided
		}
	case *Delete:
		if ask.Key == "" {
			return ErrEmptyKey
		}
	case *Txn:
		if failure := refuseParts(ask, txnOpsMax); failure != "" {
			return failure
		}
		return refuseBoth(ask)
	case *Grant:
		if ask.TTL > leaseTTLMax {
			return ErrLeaseTTL
		}
	}
	return ""
}

// refuseRange refuses a range without a key, and orders and targets that do not exist.
func refuseRange(r *Range) string {
	switch {
	case r.Key == "":
		return ErrEmptyKey
	case r.Order < 0 || r.Order > 2 || r.Target < 0 || r.Target > 4:
		return ErrSortOption
	}
	return ""
}

// refuseParts checks every part at every depth by itself. A nested transaction may have as many
// operations as the one around it left over.
func refuseParts(t *Txn, most int) string {
	left := most - max(len(t.Compare), len(t.Success), len(t.Failure))
	if left < 0 {
		return ErrTooManyOps
	}
	for i := range t.Compare {
		if t.Compare[i].Key == "" {
			return ErrEmptyKey
		}
	}
	for _, branch := range [...][]Request{t.Success, t.Failure} {
		for _, part := range branch {
			if failure := refusePart(part.Ask, left); failure != "" {
				return failure
			}
		}
	}
	return ""
}

// refusePart checks one operation of a branch.
func refusePart(ask any, left int) string {
	switch ask := ask.(type) {
	case *Range, *Put, *Delete:
		return refuse(ask)
	case *Txn:
		return refuseParts(ask, left)
	}
	return ErrKeyNotFound
}

// refuseBoth refuses a transaction of which one run could write a key twice.
func refuseBoth(t *Txn) string {
	for _, branch := range [...][]Request{t.Success, t.Failure} {
		if len(branch) == 1 {
			if nested, ok := branch[0].Ask.(*Txn); !ok {
				continue // alone it writes nothing twice
			} else if failure := refuseBoth(nested); failure != "" {
				return failure
			}
			continue
		}
		if _, _, twice := writesOf(branch); twice {
			return ErrDuplicateKey
		}
	}
	return ""
}

// writesOf returns the keys that a branch may put and what it may delete, at all depths, and
// whether a run may put a key twice, or put one that it deletes. etcd looks at operations in this
// order: deletions, nested transactions, puts; and does not see what a deletion without an end
// covers, nor that a nested transaction deletes what an earlier one put.
func writesOf(branch []Request) (puts map[Bytes]bool, deletes []*Delete, twice bool) {
	puts = map[Bytes]bool{}
	add := func(keys map[Bytes]bool, but map[Bytes]bool) {
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			covered := slices.ContainsFunc(deletes, func(d *Delete) bool {
				return d.End != "\x00" && Within(key, d.Key, d.End)
			})
			twice = twice || covered || puts[key] && !but[key]
			puts[key] = true
		}
	}
	for _, part := range branch {
		if d, ok := part.Ask.(*Delete); ok {
			deletes = append(deletes, d)
		}
	}
	for _, part := range branch {
		if nested, ok := part.Ask.(*Txn); ok {
			then, thenDeletes, thenTwice := writesOf(nested.Success)
			other, otherDeletes, otherTwice := writesOf(nested.Failure)
			add(then, nil)
			add(other, then)
			deletes = slices.Concat(deletes, thenDeletes, otherDeletes)
			twice = twice || thenTwice || otherTwice
		}
	}
	for _, part := range branch {
		if p, ok := part.Ask.(*Put); ok {
			add(map[Bytes]bool{p.Key: true}, nil)
		}
	}
	return puts, deletes, twice
}

// Within tells whether a key is in [from, end), by etcd's conventions.
func Within(key, from, end Bytes) bool {
	switch end {
	case "":
		return key == from
	case "\x00":
		return key >= from
	}
	return key >= from && key < end
}
