package etcd

import "sort"

// inRange answers a range at a revision. The order is: find, filter, sort, limit, strip; but
// without an order and bounds, etcd 3.7 applies the limit before it sorts by something else than
// the key, and sorts one more.
func (s *State) inRange(r *Range, out *Response) {
	revision := r.Revision
	if revision <= 0 {
		revision = s.now()
	}
	early := r.Limit > 0 && r.Order == 0 && !r.bounded()
	s.each(r.Key, r.End, revision, func(kv *KeyValue) bool {
		out.Count++ // of what limit and filters do not touch
		if !r.CountOnly && r.passes(kv) && (!early || out.Count <= r.Limit+1) {
			out.KVs = append(out.KVs, *kv)
		}
		return true
	})
	if sorted := (arranged{out.KVs, byTarget(r.Target)}); r.Order == 2 {
		sort.Sort(sort.Reverse(sorted))
	} else if r.Target != 0 {
		sort.Sort(sorted)
	}
	if r.Limit > 0 && int64(len(out.KVs)) > r.Limit {
		out.KVs, out.More = out.KVs[:r.Limit], true
	}
	if r.KeysOnly { // the lease is stored with the value, which is read only to sort by it
		for i := range out.KVs {
			out.KVs[i].Value = ""
			if r.Target != 4 {
				out.KVs[i].Lease = 0
			}
		}
	}
}

// arranged sorts as etcd does: not stably, so that nobody but sort.Sort can tell in which order
// more than twelve keys come of which some are equal in what they are sorted by.
type arranged struct {
	kvs     []KeyValue
	compare func(a, b KeyValue) int
}

// Len, Less and Swap are sort.Interface.
func (a arranged) Len() int           { return len(a.kvs) }
func (a arranged) Less(i, k int) bool { return a.compare(a.kvs[i], a.kvs[k]) < 0 }
func (a arranged) Swap(i, k int)      { a.kvs[i], a.kvs[k] = a.kvs[k], a.kvs[i] }

// bounded tells whether there are bounds on revisions.
func (r *Range) bounded() bool {
	return r.MinMod != 0 || r.MaxMod != 0 || r.MinCreate != 0 || r.MaxCreate != 0
}

// passes applies the four bounds on revisions.
func (r *Range) passes(kv *KeyValue) bool {
	return (r.MinMod == 0 || kv.Mod >= r.MinMod) && (r.MaxMod == 0 || kv.Mod <= r.MaxMod) &&
		(r.MinCreate == 0 || kv.Create >= r.MinCreate) &&
		(r.MaxCreate == 0 || kv.Create <= r.MaxCreate)
}

// holds evaluates a compare: on every key in its range, or on one that is not there: all its
// numbers are 0, and its value compares with nothing.
func (s *State) holds(c *Compare) bool {
	empty, all := true, true
	s.each(c.Key, c.End, s.now(), func(kv *KeyValue) bool {
		empty = false
		all = c.on(kv)
		return all
	})
	if empty {
		return c.Target != 3 && c.on(&KeyValue{})
	}
	return all
}

// on evaluates a compare on one key.
func (c *Compare) on(kv *KeyValue) bool {
	number := int64(0)
	switch c.Target {
	case 0:
		number = kv.Version
	case 1:
		number = kv.Create
	case 2:
		number = kv.Mod
	case 3:
		return c.is(kv.Value == c.Value, kv.Value > c.Value)
	case 4:
		number = kv.Lease
	}
	return c.is(number == c.Number, number > c.Number)
}

// is turns the relation of two things into the result of a compare.
func (c *Compare) is(equal, greater bool) bool {
	switch c.Result {
	case 0:
		return equal
	case 1:
		return greater
	case 2:
		return !equal && !greater
	case 3:
		return !equal
	}
	return true // etcd does not know the kind and lets it pass
}
