package model

import (
	"cmp"
	"maps"
	"slices"
	"sort"

	"detcd/checker"
)

// rivalsMax is the bound on who is asked why he did not make a revision. If there are more, a
// contradiction leaves the history undecided.
const rivalsMax = 512

// choice is a revision without owner: who has made it, and who else may have.
type choice struct {
	revision   int64
	steps      int // before it
	taken      candidate
	candidates []candidate // those that are left
	next       int
	truncated  bool   // there are more
	lazy       bool   // who else there is was not yet asked
	keys       []span // that it may be about
	rivals     int    // others who could have made it, as far as time tells
	why        *blame // that candidates were taken back; nil: none was
}

// others finds the other candidates of a planned choice, in the state before it.
func (c *choice) others(j *judge) {
	c.lazy = false
	j.cut(c.steps)
	candidates, _, truncated := j.anybody(c.revision)
	for _, other := range candidates {
		if other.op != c.taken.op || other.lease != c.taken.lease {
			c.candidates = append(c.candidates, other)
		}
	}
	c.list(j, append([]candidate{c.taken}, c.candidates...))
	c.truncated = truncated
}

// list notes what a choice is about: the keys of all who could have made it, and of those that were
// seen in it, for their leases say who could.
func (c *choice) list(j *judge, candidates []candidate) {
	for _, other := range candidates {
		if j.ruledOut(other, c.revision) {
			continue
		}
		c.keys = j.touches(other, c.keys)
		if other.op != c.taken.op || other.lease != c.taken.lease {
			c.rivals++
		}
	}
	for _, f := range j.evidence.facts[c.revision] {
		c.keys = append(c.keys, span{key: f.kv.Key})
		if s := j.evidence.keys[f.kv.Key]; s != nil && f.how == deleted {
			c.rivals += len(s.lost)
		}
	}
}

// ruledOut tells whether a candidate cannot have made a revision, whatever else happened.
func (j *judge) ruledOut(c candidate, r int64) bool {
	if c.op == nobody {
		return !j.mayExpire(c.lease, r)
	}
	o := &j.history[c.op]
	if !o.Unknown {
		return false
	}
	if revoke, ok := o.Request.Ask.(*Revoke); ok && !j.mayRevoke(revoke.ID, r) {
		return true
	}
	only := j.evidence.reserved[c.op]
	return o.Call > j.latest[r] || only != 0 && only != r || !j.evidence.open(c.op, r)
}

// prefer puts the candidates first that change the keys of a conflict: one of them is missing; or
// those that do not, if one of them is needed elsewhere.
func (c *choice) prefer(j *judge, found *conflict) {
	distance := func(c candidate) int {
		if j.changes(c, found.keys) != found.free {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(c.candidates[c.next:], func(a, b candidate) int {
		return distance(a) - distance(b)
	})
}

// changes tells whether a candidate may change some keys.
func (j *judge) changes(c candidate, keys []span) bool {
	for _, a := range j.touches(c, nil) {
		for _, b := range keys {
			if a.meets(b) {
				return true
			}
		}
	}
	return false
}

// retreat goes back to the last choice that a conflict may be about and takes the next candidate
// there. It returns the revision that was made then, or, if there is no such choice, the verdict.
func (j *judge) retreat(found *conflict) (int64, *verdict) {
	j.open = j.open || found.verdict.verdict == checker.Undecided
	if j.wall == nil || j.state.revision > j.reached {
		j.wall, j.reached = found.verdict, j.state.revision
	}
	b := newBlame(j)
	b.join(&blame{keys: found.keys, all: len(found.keys) == 0, wanted: found.wanted,
		partial: j.open || found.partial})
	for !found.sure && len(j.choices) > 0 {
		c := &j.choices[len(j.choices)-1]
		if c.lazy {
			c.others(j)
		}
		if !b.about(c) || found.free && !j.changes(c.taken, found.keys) {
			b.partial = b.partial || c.truncated || found.free
			j.choices = j.choices[:len(j.choices)-1]
			continue
		}
		if j.replays > j.stepsMax() {
			return 0, undecided(j.wall.op, "too many choices of what happened without an answer: "+
				"none that was tried gets past this: %s", j.wall.reason)
		}
		j.cut(c.steps)
		b.join(c.why)
		c.why = b
		c.prefer(j, found)
		for c.next < len(c.candidates) {
			candidate := c.candidates[c.next]
			c.next++
			if possible, _ := j.try(candidate, c.revision); possible {
				c.taken = candidate
				return c.revision, nil
			}
		}
		b.exhaust(c)
		j.choices = j.choices[:len(j.choices)-1]
	}
	switch v := found.verdict; {
	case found.sure:
		return 0, v
	case b.partial:
		return 0, undecided(j.wall.op, "not all choices of what happened without an answer were "+
			"tried: none that was gets past this: %s", j.wall.reason)
	case v.verdict == checker.Violated && b.guessed():
		return 0, undecided(j.wall.op, "%s; unless requests about leases whose answers were lost "+
			"happened at other times", j.wall.reason)
	case v.verdict == j.wall.verdict:
		return 0, j.wall
	default:
		return 0, v
	}
}

// blame collects what a contradiction rests on. To change any other choice would not help: the same
// revisions would be made by the same operations, and the same answer would be wrong.
type blame struct {
	judge   *judge
	keys    []span
	all     bool           // it may be about any choice
	wanted  map[int32]bool // operations that were not free, because they made earlier revisions
	partial bool           // there may be more
}

func newBlame(j *judge) *blame { return &blame{judge: j, wanted: map[int32]bool{}} }

// about tells whether another candidate could make a difference.
func (b *blame) about(c *choice) bool {
	return b.wanted[c.taken.op] || b.meets(c.keys)
}

// meets tells whether it may be about some keys.
func (b *blame) meets(keys []span) bool {
	if b.all {
		return true
	}
	for _, a := range keys {
		for _, key := range b.keys {
			if a.meets(key) {
				return true
			}
		}
	}
	return false
}

// join adds another blame.
func (b *blame) join(other *blame) {
	if other == nil {
		return
	}
	b.all, b.partial = b.all || other.all, b.partial || other.partial
	b.keys = append(b.keys, other.keys...)
	b.compact()
	maps.Copy(b.wanted, other.wanted)
}

// compact drops keys that are there twice.
func (b *blame) compact() {
	slices.SortFunc(b.keys, func(x, y span) int {
		return cmp.Or(cmp.Compare(x.key, y.key), cmp.Compare(x.end, y.end))
	})
	b.keys = slices.Compact(b.keys)
}

// guessed tells whether it rests on leases whose times were guessed.
func (b *blame) guessed() bool {
	return slices.ContainsFunc(b.judge.guessed, func(id int64) bool {
		return b.meets(b.judge.tiedTo(id, nil))
	})
}

// exhaust adds why a choice had no other outcome, in the state before it.
func (b *blame) exhaust(c *choice) {
	b.partial = b.partial || c.truncated
	b.keys = append(b.keys, c.keys...)
	if facts := b.judge.evidence.facts[c.revision]; len(facts) > 0 {
		b.rivals(c.revision, b.judge.suspects(c.revision, facts))
	} else {
		b.absent(c)
	}
	b.compact()
}

// rivals adds why some candidates did not make a revision: because they had made another one, or
// because of the keys that they are about.
func (b *blame) rivals(r int64, candidates []candidate) {
	for _, c := range candidates {
		if b.judge.ruledOut(c, r) {
			continue
		}
		if c.op != nobody && b.judge.used[c.op] {
			b.wanted[c.op] = true
		} else {
			b.keys = b.judge.touches(c, b.keys)
		}
	}
}

// absent adds why those who were not even candidates did not make a revision of which nothing was
// seen.
func (b *blame) absent(c *choice) {
	j, r := b.judge, c.revision
	listed := map[candidate]bool{}
	for _, other := range append(c.candidates, c.taken) {
		listed[candidate{op: other.op, lease: other.lease}] = true
	}
	var rivals []candidate
	for _, i := range j.lost[:j.lostBefore(r)] {
		other := candidate{op: i}
		if !listed[other] && !j.ruledOut(other, r) && j.hidden(other, r) && !j.precluded(i, r) {
			rivals = append(rivals, other)
		}
	}
	for _, id := range j.evidence.leases {
		other := candidate{op: nobody, lease: id}
		if t := j.tenures[id]; !listed[other] && t != nil && t.goneBy >= j.since[r] {
			rivals = append(rivals, other)
		}
	}
	j.replays += len(rivals)
	b.partial = b.partial || len(rivals) > rivalsMax
	b.rivals(r, rivals[:min(len(rivals), rivalsMax)])
}

// precluded tells whether what was seen of a key alone, whatever else happened, says that an
// operation did not put it at a revision.
func (j *judge) precluded(i int32, r int64) bool {
	put, ok := j.history[i].Request.Ask.(*Put)
	if !ok {
		return false
	}
	s := j.evidence.keys[put.Key]
	if s == nil {
		return false
	}
	from := sort.Search(len(s.seen), func(k int) bool { return s.seen[k].revision >= r })
	for k := range s.seen[from:] {
		if seen := &s.seen[from+k]; seen.definite() {
			return seen.mod > 0 && seen.mod < r
		}
	}
	return false
}
