package model

import (
	"cmp"
	"slices"
	"sort"
)

// A window is where a transaction can do what it does if its compare holds: (from, to), while a key
// is as its compare wants it.
type window struct {
	from, to int64
	absent   bool // while it is not there
}

// findWindows finds the windows of lost transactions that compare the mod revision of a key and do
// nothing otherwise, as all do that were meant to swap one value for another.
func (j *judge) findWindows() {
	e := j.evidence
	e.windows = map[int32]window{}
	for _, i := range j.lost {
		t, ok := j.history[i].Request.Ask.(*Txn)
		if !ok || slices.ContainsFunc(t.Failure, func(r Request) bool { return changes(r.Ask) }) {
			continue
		}
		w := window{to: never}
		for k := range t.Compare {
			c := &t.Compare[k]
			if c.End != "" || c.Target != 2 || c.Result != 0 {
				continue
			}
			if c.Number == 0 {
				w.absent = true
				continue
			}
			w.from = max(w.from, c.Number)
			if s := e.keys[c.Key]; s != nil {
				w.to = min(w.to, j.until(s.puts, c.Number), j.until(s.deletes, c.Number))
			}
		}
		if w.absent || w.from > 0 {
			e.windows[i] = w
		}
	}
}

// until returns before when something is that comes after a revision and not after the first of
// some later ones; if nobody owns that, it may be what it is.
func (j *judge) until(revisions []int64, after int64) int64 {
	n := sort.Search(len(revisions), func(i int) bool { return revisions[i] > after })
	switch {
	case n == len(revisions):
		return never
	case j.owner[revisions[n]] == nobody:
		return revisions[n] + 1
	}
	return revisions[n]
}

// open tells whether a lost operation may do what it does at a revision, as far as its window says.
func (e *evidence) open(i int32, r int64) bool {
	w, ok := e.windows[i]
	return !ok || w.from < r && r < w.to
}

// needTies adds what comes before the deletion of a key that no lost operation deletes: a put, of
// which the answer was lost, has tied the key to a lease, and that before the lease ended.
func (j *judge) needTies() {
	e := j.evidence
	for _, n := range e.needs {
		if n.lease != 0 || !n.deletion {
			continue
		}
		due, possible := int64(0), false
		for _, i := range e.keys[n.key].lost {
			if e.reserved[i] != 0 || j.history[i].Call > j.latest[n.before-1] {
				continue
			}
			if possible = meets(j.history[i].Request.Ask, n); possible {
				break
			}
			for _, id := range leasesOf(j.history[i].Request.Ask, nil) {
				due = max(due, j.endedBy(id, n.before-1))
			}
		}
		if !possible && due > n.after {
			n.tie, n.before = true, due
			e.needs = append(e.needs, n)
		}
	}
	slices.SortStableFunc(e.needs, func(a, b need) int { return cmp.Compare(a.after, b.after) })
}

// endedBy returns the first revision at which a lease is sure to have ended, if it had keys.
func (j *judge) endedBy(id, atMost int64) int64 {
	t := j.single(id)
	switch {
	case t == nil:
		return atMost
	case t.revoked != nobody:
		return min(atMost, j.named[t.revoked])
	case t.gone != nobody:
		return min(atMost, j.slotUpTo(t.goneBy))
	}
	return atMost
}

// hasten takes the conclusions from who may meet a need. If there are just as many as have to, each
// of them must have happened while the need lasts. If there are more, it lasts until so many
// windows have closed that only just enough are left.
func (j *judge) hasten() {
	e := j.evidence
	for k := range e.needs {
		n := &e.needs[k]
		s := e.keys[n.key]
		if n.lease != 0 || n.deletion && (s.leased || s.ends) {
			continue
		}
		doers, ends := j.doers(n)
		spare := len(ends) - int(max(n.puts, 1))
		if spare < 0 {
			continue
		}
		for _, i := range doers {
			if spare == 0 && j.isSingle(i) {
				e.narrow(i, n.after, n.before)
			}
		}
		slices.Sort(ends)
		n.before, n.spare = ends[spare], spare
	}
	j.needTies()
	e.byEnd = slices.Clone(e.needs)
	slices.SortStableFunc(e.byEnd, func(a, b need) int { return cmp.Compare(a.before, b.before) })
}

// doers returns who may meet a need, and when for each that ends.
func (j *judge) doers(n *need) (doers []int32, ends []int64) {
	e := j.evidence
	for _, i := range e.keys[n.key].lost {
		w, ok := e.windows[i]
		if j.history[i].Call > j.latest[n.before-1] {
			break
		}
		if e.reserved[i] != 0 || !meets(j.history[i].Request.Ask, *n) ||
			ok && (w.to <= n.after+1 || w.from >= n.before-1 || w.absent && n.there) {
			continue
		}
		if !ok {
			w.to = n.before
		}
		doers, ends = append(doers, i), append(ends, min(w.to, n.before))
	}
	return doers, ends
}

// isSingle tells whether an operation can meet no need but of one key.
func (j *judge) isSingle(i int32) bool {
	return len(keysOf(j.history[i].Request.Ask, nil)) == 1 && !deletesMany(j.history[i].Request.Ask)
}

// narrow makes the window of an operation smaller.
func (e *evidence) narrow(i int32, from, to int64) {
	w, ok := e.windows[i]
	if !ok {
		w.to = never
	}
	w.from, w.to = max(w.from, from), min(w.to, to)
	e.windows[i] = w
}
