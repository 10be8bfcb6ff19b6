package model

import (
	"cmp"
	"slices"
)

// compactAll adds the compactions that succeeded, and of those whose answers were lost the ones
// that a failure needs, of the least revisions. It tells whether there are such.
func (c *clock) compactAll() (compacted *clock, guess bool) {
	j := c.judge
	happened := slices.Clone(j.compactions)
	for {
		compacted = newClock(j, c.compact(happened))
		compacted.reset()
		if v, _ := compacted.tick(); v != nil {
			return compacted, guess
		}
		i := compacted.needsCompaction()
		if i == nobody {
			return compacted, guess
		}
		happened, guess = append(happened, i), true
	}
}

// needsCompaction returns a lost compaction that explains a failure; nobody if there is none.
func (c *clock) needsCompaction() int32 {
	j, best := c.judge, nobody
	for k := range c.items {
		item := c.items[k]
		o := &j.history[item.op]
		if !item.loose || o.Error != errCompacted {
			continue
		}
		if v, _, _ := c.settle(&item); v == nil {
			continue
		}
		for _, i := range j.lost {
			compact, ok := j.history[i].Request.Ask.(*Compact)
			if !ok || c.has(i) || j.history[i].Call > o.Return || !j.failsAfter(o, compact.Revision) {
				continue
			}
			if best == nobody || compact.Revision < j.target(best) {
				best = i
			}
		}
		if best != nobody {
			return best
		}
	}
	return nobody
}

// compact adds compactions to the steps of a clock. Their answers name the
// revision of when etcd had compacted, which may be later than that of when it did. So the order is
// that of what was compacted, and each is where its call is, but behind every read of something
// older that succeeded.
func (c *clock) compact(compactions []int32) []step {
	j := c.judge
	if len(compactions) == 0 {
		return c.steps
	}
	c.reset()
	if v, _ := c.tick(); v != nil {
		return c.steps
	}
	sorted := slices.Clone(compactions)
	slices.SortStableFunc(sorted, func(a, b int32) int {
		return cmp.Or(cmp.Compare(j.target(a), j.target(b)),
			cmp.Compare(j.history[a].Call, j.history[b].Call))
	})
	steps, p := slices.Clone(c.steps), 1
	reads := j.readsOfThePast()
	for n, i := range sorted {
		slot := max(1, j.target(i), reads.before(j.target(i)))
		at := c.from(j.history[i].Call)
		if named := revisionOf(&j.history[i]); named > 0 && int(named) < len(c.makers) {
			at = min(at, int(c.makers[named]))
		}
		p = max(p, at+n, int(c.makers[min(slot, j.last)-1])+1+n)
		s := step{op: i, call: j.history[i].Call, revision: steps[p-1].revision,
			changes: steps[p-1].changes, lostOp: j.history[i].Unknown}
		steps = slices.Insert(steps, p, s)
		for k := p; k < len(steps); k++ {
			steps[k].compacted = max(steps[k].compacted, j.target(i))
		}
		p++
	}
	return steps
}

// target returns what an operation compacted.
func (j *judge) target(i int32) int64 { return j.history[i].Request.Ask.(*Compact).Revision }

// past is a read of an old revision, in a slot.
type past struct{ revision, slot int64 }

// pasts are reads of old revisions, by them; each slot is the highest of those before.
type pasts []past

// readsOfThePast returns all reads of old revisions that succeeded.
func (j *judge) readsOfThePast() pasts {
	var reads pasts
	for i := range j.history {
		o := &j.history[i]
		if !o.Succeeded() || o.Response == nil || !isPresent(o) {
			continue
		}
		if oldest := oldestIn(o.Request.Ask, o.Response); oldest > 0 {
			reads = append(reads, past{oldest, o.Response.Revision})
		}
	}
	slices.SortFunc(reads, func(a, b past) int { return cmp.Compare(a.revision, b.revision) })
	for k := 1; k < len(reads); k++ {
		reads[k].slot = max(reads[k].slot, reads[k-1].slot)
	}
	return reads
}

// before returns the last slot of a read of what is older than a revision; 0: there is none.
func (p pasts) before(revision int64) int64 {
	k, _ := slices.BinarySearchFunc(p, revision, func(a past, r int64) int {
		return cmp.Compare(a.revision, r)
	})
	if k == 0 {
		return 0
	}
	return p[k-1].slot
}

// judgeCompactions checks what compactions promise each other and the revisions that they name.
func (j *judge) judgeCompactions(c *clock) *verdict {
	for p := range c.steps {
		i := c.steps[p].op
		if i == nobody {
			continue
		}
		if _, ok := j.history[i].Request.Ask.(*Compact); !ok || !j.history[i].Succeeded() {
			continue
		}
		o := &j.history[i]
		target, named := j.target(i), o.Response.Revision
		switch {
		case target <= c.steps[p-1].compacted:
			return violated(i, []int32{i}, "revision %d was compacted when that was asked for again",
				target)
		case target > c.steps[p].revision || named < c.steps[p].revision:
			return violated(i, []int32{i}, "revision %d cannot have been compacted at revision %d",
				target, named)
		case c.moment[c.makers[named-1]] > o.Return:
			return violated(i, []int32{i}, "it names revision %d at %d, which cannot have been made "+
				"before %d", named, o.Return, c.moment[c.makers[named-1]])
		}
	}
	return nil
}
