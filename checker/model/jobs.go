package model

import (
	"slices"
	"sort"
)

// add adds a job.
func (p *plan) add(members []member) {
	if len(members) == 0 {
		return
	}
	last := int64(0)
	for _, m := range members {
		last = max(last, m.to)
	}
	p.jobs = append(p.jobs, job{members: members, taken: nobody, last: last})
}

// addRevokes adds the ends of leases that were answered with a gap: nobody else is as likely. Then
// the lease had a key; if nobody knows of one, who attached it is needed too.
func (p *plan) addRevokes() {
	j := p.judge
	for _, i := range j.leased {
		o := &j.history[i]
		revoke, ok := o.Request.Ask.(*Revoke)
		if !ok || !o.Succeeded() || len(j.evidence.tied[revoke.ID]) == 0 {
			continue
		}
		r := j.named[i]
		if _, gap := slices.BinarySearch(p.gaps, r); !gap {
			continue
		}
		p.add([]member{{candidate{op: i}, r, r}})
		if !p.isTied(revoke.ID, r) {
			p.add(p.ties(revoke.ID, r))
		}
	}
}

// isTied tells whether the last known put of some key before a revision attached it to a lease.
func (p *plan) isTied(id, r int64) bool {
	j := p.judge
	for _, key := range j.evidence.tied[id] {
		s := j.evidence.keys[key]
		if s.leaseAt(j, key, r-1) == id {
			return true
		}
	}
	return false
}

// ties returns who may have attached a key to a lease before a revision.
func (p *plan) ties(id, r int64) (members []member) {
	j := p.judge
	for _, key := range j.evidence.tied[id] {
		for _, i := range j.evidence.keys[key].lost {
			if j.evidence.reserved[i] != 0 || leaseGiven(j.history[i].Request.Ask, key) != id {
				continue
			}
			if from, to := p.span(i, false); from <= min(to, r-1) {
				members = append(members, member{candidate{op: i}, from, min(to, r-1)})
				p.needed[i] = true
			}
		}
	}
	return members
}

// addNeed adds the jobs of a need: if just as many can do it as have to, one for each of them; if
// there are more, jobs that each of them can do.
func (p *plan) addNeed(n *need) {
	if n.tie {
		return
	}
	if n.lease != 0 {
		p.add(p.end(nil, n.lease, n.after+1, n.end-1))
		return
	}
	jobs := int(max(n.puts, 1))
	members := p.doers(n, false)
	if len(members) < jobs {
		members = p.doers(n, true)
	}
	for _, m := range members {
		p.needed[m.op] = true
	}
	for k := range min(jobs, len(members)) {
		if len(members) <= jobs {
			p.add(members[k : k+1])
		} else {
			p.add(members)
		}
	}
}

// doers returns who may meet a need.
func (p *plan) doers(n *need, late bool) (members []member) {
	j := p.judge
	s := j.evidence.keys[n.key]
	lists := [][]int32{s.lost}
	if n.deletion {
		lists = append(lists, j.evidence.many)
	}
	for _, list := range lists {
		for _, i := range list {
			if j.evidence.reserved[i] != 0 || !meets(j.history[i].Request.Ask, *n) {
				continue
			}
			from, to := p.span(i, late)
			if from, to = max(from, n.after+1), min(to, n.end-1); from <= to {
				members = append(members, member{candidate{op: i}, from, to})
			}
		}
	}
	if id := s.leaseAt(j, n.key, n.after); id != 0 && n.deletion {
		members = p.end(members, id, n.after+1, n.end-1)
	}
	return members
}

// addOthers adds the jobs of whom nobody would notice.
func (p *plan) addOthers() {
	j := p.judge
	for _, i := range j.lost {
		if p.needed[i] || j.evidence.reserved[i] != 0 {
			continue
		}
		var members []member
		alone := true
		from, to := p.span(i, false)
		ask := j.history[i].Request.Ask
		if revoke, ok := ask.(*Revoke); ok {
			if len(j.evidence.tied[revoke.ID]) > 0 {
				members = append(members, member{candidate{op: i}, from, to})
			}
		} else if keys := keysOf(ask, nil); len(keys) > 0 {
			members, alone = p.unnoticed(i, keys[0], from, to)
		} else if deletesMany(ask) {
			members = append(members, member{candidate{op: i}, from, to})
		}
		p.add(members)
		if !alone && len(members) > 0 {
			p.jobs[len(p.jobs)-1].paired = true
		}
	}
}

// unnoticed returns where in revisions [from, to] a change of a key would not be noticed, and
// whether that is so without another one.
func (p *plan) unnoticed(i int32, key Bytes, from, to int64) (members []member, alone bool) {
	s := p.judge.evidence.keys[key]
	k := sort.Search(len(s.seen), func(k int) bool { return s.seen[k].revision >= from })
	before := sighting{revision: 1}
	for n := k - 1; n >= 0; n-- {
		if s.seen[n].definite() {
			before = s.seen[n]
			break
		}
	}
	for ; before.revision < to; k++ {
		after := sighting{revision: p.judge.last, mod: never, create: p.judge.last + 1}
		if k < len(s.seen) {
			if after = s.seen[k]; !after.definite() {
				continue
			}
		}
		end := after.create - 1
		if after.mod == 0 {
			end = after.revision
		}
		a, b := max(from, before.revision+1), min(to, end)
		if a <= b && (after.mod == 0 || before.mod == 0 || after.create != before.create) {
			members = append(members, member{candidate{op: i}, a, b})
			alone = alone || before.mod > 0 || after.mod == never ||
				s.lastPut(before.revision, end) > before.revision
		}
		before = after
	}
	return members, alone
}

// span returns the revisions that a lost operation can have made while its client waited, or, if
// late, later too.
func (p *plan) span(i int32, late bool) (from, to int64) {
	j := p.judge
	call := j.history[i].Call
	from = int64(sort.Search(len(j.latest), func(r int) bool { return j.latest[r] >= call }))
	to = j.last
	if !late {
		to = min(to, j.slotUpTo(j.evidence.gaveUp[i]))
	}
	if w, ok := j.evidence.windows[i]; ok {
		from, to = max(from, w.from+1), min(to, w.to-1)
	}
	return from, to
}

// end adds who may end a lease in revisions [from, to]: by a request without an answer, or by
// nobody.
func (p *plan) end(members []member, id, from, to int64) []member {
	j := p.judge
	t := j.tenures[id]
	if t == nil {
		return members
	}
	for _, i := range t.revokes {
		if a, b := p.span(i, false); max(a, from) <= min(b, to) {
			members = append(members, member{candidate{op: i}, max(a, from), min(b, to)})
		}
	}
	if t.revoked != nobody && t.grants == 1 {
		return members
	}
	at := j.expiry(id)
	since := int64(sort.Search(len(j.latest), func(r int) bool { return j.latest[r] >= at }))
	if from = max(from, since); t.grants == 1 {
		from = max(from, t.aliveAt+1)
	}
	if from <= to {
		members = append(members, member{candidate{op: nobody, lease: id}, from, to})
	}
	return members
}

// leaseAt returns the lease that the last known put of a key gave it, up to a revision.
func (s *sightings) leaseAt(j *judge, key Bytes, upTo int64) int64 {
	k := sort.Search(len(s.puts), func(k int) bool { return s.puts[k] > upTo })
	if k == 0 {
		return 0
	}
	r := s.puts[k-1]
	if i := j.owner[r]; i != nobody {
		return leaseGiven(j.history[i].Request.Ask, key)
	}
	for _, f := range j.evidence.facts[r] {
		if f.kv.Key == key && f.how == wholly {
			return f.kv.Lease
		}
	}
	return 0
}

// leaseGiven returns the lease that a request gives to a key.
func leaseGiven(ask any, key Bytes) int64 {
	switch ask := ask.(type) {
	case *Put:
		if ask.Key == key {
			return ask.Lease
		}
	case *Txn:
		for _, branch := range [...][]Request{ask.Success, ask.Failure} {
			for _, part := range branch {
				if id := leaseGiven(part.Ask, key); id != 0 {
					return id
				}
			}
		}
	}
	return 0
}

// definite tells that a sighting says all of how a key was.
func (v *sighting) definite() bool { return v.mod == 0 || v.create > 0 }
