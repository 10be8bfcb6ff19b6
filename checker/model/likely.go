package model

import (
	"cmp"
	"slices"
	"sort"
)

// likely collects who may have made a revision of which nothing was seen, the likeliest first.
//
// An operation whose answer was lost has mostly happened before its client did anything else, or
// never: those that were under way at that time are few, and among them is nearly always the right
// one. That is no more than a guess of what to try first: everybody else follows.
type likely struct {
	judge      *judge
	revision   int64
	timely     bool  // only those that were under way
	needed     bool  // for needs
	until      int64 // that end so
	candidates []candidate
	listed     map[int32]bool
	ended      map[int64]bool
}

// anybody returns who may have made a revision of which nothing was seen: first those whose keys
// need a change, those first that will not do any more soonest; then leases whose time is over;
// then who was under way; then those whose change nobody would see; then all others. timely is how
// many of them are the likeliest; truncated says that these are not all.
func (j *judge) anybody(r int64) (candidates []candidate, timely int, truncated bool) {
	l := &likely{judge: j, revision: r, candidates: j.revokes(r), listed: map[int32]bool{},
		ended: map[int64]bool{}}
	agenda, needs, tight := j.agenda(r)
	l.timely, l.needed = true, true
	l.meet(agenda[:needs])
	if tight {
		l.timely = false
		l.meet(agenda[:needs])
	} else {
		slices.SortStableFunc(l.candidates, l.bySoonest)
	}
	l.needed, l.timely = false, true
	for _, id := range j.state.withKeys() {
		l.expire(id)
	}
	l.addUnderWay()
	l.timely, timely = false, len(l.candidates)
	if !tight {
		slices.SortStableFunc(agenda, func(a, b need) int { return cmp.Compare(a.before, b.before) })
	}
	l.meet(agenda)
	truncated = l.addRest()
	return l.candidates, timely, truncated
}

// bySoonest orders those who are needed by when that will not do any more, or their clients went
// on.
func (l *likely) bySoonest(a, b candidate) int { return cmp.Compare(l.ends(a), l.ends(b)) }

func (l *likely) ends(c candidate) int64 {
	if c.op == nobody || !c.needed {
		return c.until
	}
	return min(c.until, l.judge.slotUpTo(l.judge.evidence.gaveUp[c.op]))
}

// add lists an operation once.
func (l *likely) add(i int32) {
	if !l.listed[i] {
		l.listed[i] = true
		l.candidates = append(l.candidates, candidate{op: i, needed: l.needed, until: l.until})
	}
}

// expire lists the end of a lease once, if it may have been.
func (l *likely) expire(id int64) {
	lease := l.judge.state.leases[id]
	if lease != nil && len(lease.keys) > 0 && !l.ended[id] && l.judge.mayExpire(id, l.revision) {
		l.ended[id] = true
		l.candidates = append(l.candidates, candidate{op: nobody, lease: id,
			needed: l.needed, until: l.until})
	}
}

// free tells whether a lost operation may have happened at the revision, as far as can be told
// without trying.
func (l *likely) free(i int32) bool {
	j := l.judge
	return !j.used[i] && j.evidence.reserved[i] == 0 && j.evidence.open(i, l.revision) &&
		(!l.timely || j.evidence.gaveUp[i] >= j.since[l.revision])
}

// meet lists who may do what is needed, in the order of the needs.
func (l *likely) meet(needs []need) {
	j := l.judge
	for _, n := range needs {
		id := n.lease
		l.until = n.closes(l.revision)
		if id == 0 {
			if kv := j.state.get(n.key); kv != nil && n.deletion {
				id, n.tie = kv.Lease, n.tie || kv.Lease == 0
			}
			l.eachDoer(n)
		}
		if t := j.tenures[id]; t != nil && id != 0 {
			for _, i := range t.revokes {
				if j.history[i].Call <= j.latest[l.revision] && l.free(i) {
					l.add(i)
				}
			}
			l.expire(id)
		}
		if len(l.candidates) > fillMax {
			return
		}
	}
}

// eachDoer lists the first few operations that may do what is needed.
func (l *likely) eachDoer(n need) {
	j, taken := l.judge, 0
	for _, i := range j.evidence.keys[n.key].lost {
		if j.history[i].Call > j.latest[l.revision] || taken == 2 {
			return
		}
		if l.free(i) && meets(j.history[i].Request.Ask, n) {
			l.add(i)
			taken++
		}
	}
}

// addUnderWay lists the operations that were under way, those first whose clients went on soonest.
func (l *likely) addUnderWay() {
	j := l.judge
	end := j.lostBefore(l.revision)
	var found []int32
	for _, i := range j.lost[max(0, end-underWay):end] {
		if l.free(i) && j.mayFill(i, l.revision) {
			found = append(found, i)
		}
	}
	slices.SortStableFunc(found, func(a, b int32) int {
		return cmp.Compare(j.evidence.gaveUp[a], j.evidence.gaveUp[b])
	})
	for _, i := range found {
		l.add(i)
	}
}

// addRest lists all others as far as there is room, who was called last first.
func (l *likely) addRest() (truncated bool) {
	j := l.judge
	end := j.lostBefore(l.revision)
	for k := end - 1; k >= 0; k-- {
		i := j.lost[k]
		if j.used[i] || l.listed[i] || j.evidence.reserved[i] != 0 || !j.mayFill(i, l.revision) {
			continue
		}
		if len(l.candidates) > 2*fillMax || end-k > lookMax {
			return true
		}
		l.add(i)
	}
	return false
}

// lostBefore returns how many of the lost operations were called before a revision was seen.
func (j *judge) lostBefore(r int64) int {
	return sort.Search(len(j.lost), func(k int) bool {
		return j.history[j.lost[k]].Call > j.latest[r]
	})
}

// findGaveUp finds when the clients of lost operations went on to something else.
func (j *judge) findGaveUp() {
	e := j.evidence
	e.gaveUp = make(map[int32]int64, len(j.lost))
	for _, i := range j.lost {
		e.gaveUp[i] = never
	}
	open := map[int64]int32{}
	for i := range j.history {
		o := &j.history[i]
		if k, ok := open[o.Client]; ok && o.Call > j.history[k].Call {
			e.gaveUp[k] = min(e.gaveUp[k], o.Call)
			delete(open, o.Client)
		}
		if _, lost := e.gaveUp[int32(i)]; lost && j.is(int32(i), isUnknown) {
			open[o.Client] = int32(i)
		}
	}
}
