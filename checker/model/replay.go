package model

import (
	"maps"
	"slices"

	"detcd/checker"
)

// step is one change of the state in the order: of keys, leases, or what is compacted.
type step struct {
	op        int32 // an operation; nobody: the beginning, or a lease that expired
	lease     int64 // that expired
	call      int64 // before which it cannot have happened
	revision  int64 // after it
	compacted int64 // after it
	changes   int   // of the state, after it
	lostOp    bool  // its outcome is unknown
}

// conflict is why a replay cannot go on.
type conflict struct {
	*verdict
	keys []span // that it is about; none: it may be about any choice
	sure bool   // it is about no choice
	free bool   // it is that others took who was needed for these keys

	wanted  map[int32]bool // operations that were not free for it
	partial bool           // it may be about others too
}

// span is a key or a range of them.
type span struct{ key, end Bytes }

// meets tells whether two spans have a key in common.
func (a span) meets(b span) bool {
	return within(a.key, b.key, b.end) || within(b.key, a.key, a.end)
}

// solve replays the history, gives it moments and compares watches with it; as long as that fails
// and there are choices left, it takes another one.
func (j *judge) solve(report *Report) *verdict {
	j.steps = append(j.steps, step{op: nobody, call: -never, revision: 1, compacted: -1})
	for r := int64(1); ; {
		if v := j.replayFrom(r); v != nil {
			return v
		}
		c, hidden := j.newQuietClock()
		v, sure := c.run()
		if v != nil && hidden && !sure {
			v.verdict = checker.Undecided
		}
		if v == nil {
			v, sure = j.judgeCompactions(c), false
		}
		if v == nil {
			v, sure = j.judgeWatches(c, report)
		}
		if v == nil {
			report.Order, report.Expiries, report.expired = c.order()
			return nil
		}
		if r, v = j.retreat(&conflict{verdict: v, sure: sure}); v != nil {
			return v
		}
	}
}

// replayFrom goes through the slots from one on whose revision was made, and goes back when
// there is a contradiction.
func (j *judge) replayFrom(r int64) *verdict {
	for r <= j.last {
		found := j.answerSlot(r)
		if found == nil {
			if r++; r <= j.last {
				found = j.makeRevision(r)
			}
		}
		if found != nil {
			var v *verdict
			if r, v = j.retreat(found); v != nil {
				return v
			}
		}
	}
	return nil
}

// stepsMax is the bound on what is replayed.
func (j *judge) stepsMax() int {
	if j.options.StepsMax > 0 {
		return j.options.StepsMax
	}
	return 10*len(j.history) + 1_000_000
}

// push notes a step that the state has just made.
func (j *judge) push(op int32, call int64) {
	s := step{op: op, call: call, revision: j.state.revision, compacted: j.state.compacted,
		changes: len(j.state.changes)}
	if op != nobody {
		s.lostOp = j.history[op].Unknown
		if s.lostOp {
			j.used[op] = true
		}
	}
	j.steps = append(j.steps, s)
}

// cut takes back all steps but so many.
func (j *judge) cut(steps int) {
	for _, s := range j.steps[steps:] {
		if s.lostOp {
			delete(j.used, s.op)
		}
	}
	j.steps = j.steps[:steps]
	j.state.undo(j.steps[steps-1].changes)
}

// makeRevision lets the owner of a revision make it, or finds one.
func (j *judge) makeRevision(r int64) *conflict {
	j.replays++
	if found := j.overdue(r); found != nil {
		return found
	}
	i := j.owner[r]
	if i == nobody {
		return j.fill(r)
	}
	o := &j.history[i]
	failure := j.apply(i)
	if failure != "" {
		return j.contradicts(i, "at revision %d it fails: %s", r, failure)
	}
	if !same(o.Response, &j.scratch) {
		return j.differs(i)
	}
	j.push(i, o.Call)
	if len(j.choices) > 0 {
		return j.foresee(i)
	}
	return nil
}

// foresee compares what the last step changed with what was seen later, so that a wrong choice is
// noticed before it is far away.
func (j *judge) foresee(i int32) *conflict {
	for _, c := range j.state.changes[j.steps[len(j.steps)-2].changes:] {
		if c.key == nil || int(c.version) < len(c.key.versions)-1 {
			continue
		}
		if kv, _ := c.versions(); !j.agrees(kv) {
			return &conflict{keys: []span{{key: kv.Key}}, verdict: violated(i, []int32{i},
				"it makes key %s %s, and later answers show otherwise", quote(kv.Key), kv.brief())}
		}
	}
	return nil
}

// overdue tells that a lease has keys still, and somebody found it gone who cannot come later.
func (j *judge) overdue(r int64) *conflict {
	for _, id := range j.evidence.dues[r] {
		l := j.state.leases[id]
		if l == nil || len(l.keys) == 0 {
			continue
		}
		i := j.tenures[id].gone
		found := &conflict{verdict: violated(i, []int32{i}, "it finds lease %x gone, whose keys are "+
			"there until revision %d at least", id, r)}
		for _, key := range slices.Sorted(maps.Keys(l.keys)) {
			found.keys = append(found.keys, span{key: key})
		}
		return found
	}
	return nil
}

// apply lets an operation happen. If a lease is missing, a grant whose answer was lost may have
// made it.
func (j *judge) apply(i int32) string {
	o := &j.history[i]
	j.scratch.clear()
	if o.Succeeded() {
		j.scratch.Lease = o.Response.Lease
	}
	failure := j.state.Apply(o.Request.Ask, &j.scratch)
	if failure == errLeaseNotFound && j.grantLost(i) {
		j.scratch.clear()
		failure = j.state.Apply(o.Request.Ask, &j.scratch)
	}
	return failure
}

// grantLost makes the leases that a request names, if grants with unknown outcomes may have.
func (j *judge) grantLost(i int32) bool {
	granted, until := false, int64(never)
	if o := &j.history[i]; !o.Unknown {
		until = o.Return
	}
	for _, id := range leasesOf(j.history[i].Request.Ask, nil) {
		if t := j.single(id); t != nil && t.begun == never && t.missing {
			j.guess(id) // nobody found it, and some looked: it is not tried
			continue
		}
		for _, g := range j.lost {
			grant, ok := j.history[g].Request.Ask.(*Grant)
			if ok && !j.used[g] && j.state.leases[id] == nil && grant.ID == id &&
				j.history[g].Call <= until {
				j.guess(id)
				j.state.grant(id, grant.TTL)
				j.push(g, j.history[g].Call)
				granted = true
			}
		}
	}
	return granted
}

// guess notes that a lease may have been made or ended at other times than those that are tried.
func (j *judge) guess(id int64) {
	if !slices.Contains(j.guessed, id) {
		j.guessed = append(j.guessed, id)
	}
}

// leasesOf appends the leases that a request needs.
func leasesOf(ask any, ids []int64) []int64 {
	switch ask := ask.(type) {
	case *Put:
		if ask.Lease != 0 {
			ids = append(ids, ask.Lease)
		}
	case *Revoke:
		ids = append(ids, ask.ID)
	case *Txn:
		for _, branch := range [][]Request{ask.Success, ask.Failure} {
			for _, part := range branch {
				ids = leasesOf(part.Ask, ids)
			}
		}
	}
	return ids
}

// answerSlot replays what belongs behind a revision: reads, and leases that come and go without
// keys. Those are tried again as long as others make them possible.
func (j *judge) answerSlot(r int64) *conflict {
	var waiting []int32
	j.begin(r)
	for _, i := range j.slot(r) {
		j.replays++
		o := &j.history[i]
		switch o.Request.Ask.(type) {
		case *Revoke:
			if !j.madeBy(i, r) {
				waiting = append(waiting, i)
			}
		case *Grant:
			waiting = append(waiting, i)
		default:
			if found := j.answerRead(i); found != nil {
				return found
			}
		}
	}
	return j.answerSteps(waiting)
}

// madeBy tells whether an operation made a revision that names no owner.
func (j *judge) madeBy(i int32, r int64) bool {
	for k := len(j.steps) - 1; k > 0 && j.steps[k].revision >= r; k-- {
		if j.steps[k].op == i {
			return true
		}
	}
	return false
}

// answerSteps lets changes of leases without keys happen: always the first that can, in the
// order of their calls.
func (j *judge) answerSteps(waiting []int32) *conflict {
	for len(waiting) > 0 {
		first := int64(never) // who was called later than the first return has to wait
		for _, i := range waiting {
			first = min(first, j.history[i].Return)
		}
		try := func(i int32) bool {
			return j.history[i].Call <= first && j.applyQuietly(i) == ""
		}
		at := slices.IndexFunc(waiting, try)
		if at < 0 { // something that nobody saw must have come before
			at = slices.IndexFunc(waiting, func(i int32) bool {
				return j.history[i].Call <= first && (j.grantLost(i) || j.endQuietly(i)) && try(i)
			})
		}
		if at < 0 {
			return j.contradicts(waiting[0], "at revision %d it fails: %s", j.state.revision,
				j.applyQuietly(waiting[0]))
		}
		waiting = slices.Delete(waiting, at, at+1)
	}
	return nil
}

// applyQuietly lets an operation happen that must not change keys.
func (j *judge) applyQuietly(i int32) string {
	o := &j.history[i]
	if revoke, ok := o.Request.Ask.(*Revoke); ok {
		if l := j.state.leases[revoke.ID]; l != nil && len(l.keys) > 0 {
			return "it deletes keys, which makes a revision"
		}
	}
	j.scratch.clear()
	j.scratch.Lease = o.Response.Lease
	if failure := j.state.Apply(o.Request.Ask, &j.scratch); failure != "" {
		return failure
	}
	j.push(i, o.Call)
	return ""
}

// endQuietly ends a lease without keys that stands in the way of a grant: by a request whose answer
// was lost, or because its time is over.
func (j *judge) endQuietly(i int32) bool {
	if _, ok := j.history[i].Request.Ask.(*Grant); !ok {
		return false
	}
	id := j.granted(i)
	if l := j.state.leases[id]; l == nil || len(l.keys) > 0 {
		return false
	}
	for _, k := range j.lost {
		revoke, ok := j.history[k].Request.Ask.(*Revoke)
		if ok && revoke.ID == id && !j.used[k] && j.history[k].Call <= j.history[i].Return {
			j.state.apply(revoke, &j.scratch)
			j.push(k, j.history[k].Call)
			j.guess(id)
			return true
		}
	}
	if j.expiry(id) > j.history[i].Return {
		return false
	}
	j.state.apply(&Revoke{id}, &j.scratch)
	j.push(nobody, j.expiry(id))
	j.steps[len(j.steps)-1].lease = id
	return true
}

// answerRead compares an answer that changed nothing.
func (j *judge) answerRead(i int32) *conflict {
	o := &j.history[i]
	failure := j.apply(i)
	if len(j.state.changes) != j.steps[len(j.steps)-1].changes {
		j.state.undo(j.steps[len(j.steps)-1].changes)
		return j.contradicts(i, "at revision %d it changes keys, but its answer says it did not",
			j.state.revision)
	}
	if failure != "" {
		return j.contradicts(i, "at revision %d it fails: %s", j.state.revision, failure)
	}
	if !same(o.Response, &j.scratch) {
		return j.differs(i)
	}
	return nil
}
