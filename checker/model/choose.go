package model

import (
	"cmp"
	"slices"
	"sort"
)

// Bounds on the candidates for one revision. What is beyond them is not tried: a contradiction
// leaves the history undecided then.
const (
	endsMax   = 64   // needs that are looked at to find whether there is time for anything else
	underWay  = 512  // operations that are looked at to find those that were under way
	neededMax = 8    // keys that need a change soonest
	fillMax   = 24   // operations that nothing speaks for or against
	lookMax   = 4096 // operations that are looked at to find those
	tiedMax   = 64   // keys of a lease that are told apart: what is about more is about all keys
)

// candidate is who may have made a revision without owner: an operation, or a lease that expired.
type candidate struct {
	op     int32
	lease  int64
	needed bool  // somebody has to do just that
	until  int64 // before this revision
}

// fill finds who made a revision without owner.
func (j *judge) fill(r int64) *conflict {
	facts := j.evidence.facts[r]
	before := len(j.steps)
	if c, ok := j.plan.at(r); ok {
		if possible, _ := j.try(c, r); possible {
			j.choices = append(j.choices, choice{revision: r, steps: before, taken: c, lazy: true})
			return nil
		}
	}
	var candidates []candidate
	likely, truncated := 0, false
	if len(facts) > 0 {
		candidates = j.suspects(r, facts)
	} else {
		candidates, likely, truncated = j.anybody(r)
	}
	slices.SortStableFunc(candidates[:cmp.Or(likely, len(candidates))], func(a, b candidate) int {
		return j.rank(a, r) - j.rank(b, r)
	})
	c, rest, found := j.first(candidates, likely, r)
	if !found {
		return j.unmade(r, facts, truncated)
	}
	made := choice{revision: r, steps: before, taken: c, candidates: rest, truncated: truncated}
	if made.list(j, candidates); len(facts) == 0 || made.rivals > 0 || truncated {
		j.choices = append(j.choices, made)
	}
	return nil
}

// rank orders candidates: those first whose clients waited for them, those last that the plan needs
// elsewhere.
func (j *judge) rank(c candidate, r int64) int {
	switch {
	case c.op == nobody || !j.history[c.op].Unknown:
		return 0
	case j.plan.elsewhere(c):
		return 2
	case j.evidence.gaveUp[c.op] < j.since[r]:
		return 1
	}
	return 0
}

// first lets the first candidate make a revision that can: of the likely ones, and then of the
// others, one that needs no further change which nobody saw, or else one that needs one for which
// there is somebody; and if there are none, one that needs what is not to be expected. It returns
// those that are left.
func (j *judge) first(candidates []candidate, likely int, r int64) (
	taken candidate, rest []candidate, found bool) {
	before := len(j.steps)
	var farfetched []candidate
	for _, part := range [...][]candidate{candidates[:likely], candidates[likely:]} {
		candidates = candidates[len(part):]
		var costly []candidate
		for k, c := range part {
			possible, free := j.try(c, r)
			switch {
			case possible && (free || c.needed):
				return c, slices.Concat(costly, part[k+1:], candidates, farfetched), true
			case possible && j.farfetched:
				farfetched = append(farfetched, c)
			case possible:
				costly = append(costly, c)
			}
			j.cut(before)
		}
		if len(costly) > 0 {
			j.try(costly[0], r)
			return costly[0], slices.Concat(costly[1:], candidates, farfetched), true
		}
	}
	if len(farfetched) > 0 {
		j.try(farfetched[0], r)
		return farfetched[0], slices.Clone(farfetched[1:]), true
	}
	return candidate{}, nil, false
}

// unmade says that nobody can have made a revision.
func (j *judge) unmade(r int64, facts []fact, truncated bool) *conflict {
	op := j.witness(r)
	var core []int32
	if op != nobody {
		core = []int32{op}
	}
	found := &conflict{verdict: violated(op, core, "nobody can have made revision %d", r)}
	if truncated {
		found.verdict = undecided(op, "not all who may have made revision %d were tried", r)
	}
	if len(facts) > 0 {
		found.verdict.reason = "nobody can have written what was seen of key " +
			quote(facts[0].kv.Key) + " at its revision"
	}
	if len(facts) > 0 {
		b := newBlame(j)
		b.rivals(r, j.suspects(r, facts))
		found.keys, found.wanted, found.partial = b.keys, b.wanted, b.partial
		for _, f := range facts {
			found.keys = append(found.keys, span{key: f.kv.Key})
		}
	}
	if truncated && len(facts) == 0 {
		found.free = true
		for _, n := range j.needed(r) {
			if n.lease == 0 {
				found.keys = append(found.keys, span{key: n.key})
			}
		}
	}
	return found
}

// witness returns an operation that shows that a revision was made.
func (j *judge) witness(r int64) int32 {
	best := nobody
	for i := range j.history {
		o := &j.history[i]
		if !o.Succeeded() || o.Response == nil || o.Response.Revision < r {
			continue
		}
		if best == nobody || o.Return < j.history[best].Return {
			best = int32(i)
		}
	}
	return best
}

// suspects returns who may have written what was seen, by what they asked for.
func (j *judge) suspects(r int64, facts []fact) []candidate {
	candidates := j.revokes(r)
	key := facts[0].kv.Key
	if s := j.evidence.keys[key]; s != nil {
		for _, i := range s.lost {
			if j.fits(j.history[i].Request.Ask, &facts[0]) {
				candidates = append(candidates, candidate{op: i})
			}
		}
	}
	if facts[0].how != deleted {
		return candidates
	}
	for _, i := range j.evidence.many {
		if deletesRange(j.history[i].Request.Ask, key) {
			candidates = append(candidates, candidate{op: i})
		}
	}
	if kv := j.state.get(key); kv != nil && kv.Lease != 0 {
		if t := j.tenures[kv.Lease]; t != nil {
			for _, i := range t.revokes {
				candidates = append(candidates, candidate{op: i})
			}
		}
		candidates = append(candidates, candidate{op: nobody, lease: kv.Lease})
	}
	return candidates
}

// fits tells whether a request may lead to a fact.
func (j *judge) fits(ask any, f *fact) bool {
	switch ask := ask.(type) {
	case *Put:
		return f.how != deleted && ask.Key == f.kv.Key &&
			(f.how != wholly || ask.IgnoreValue || ask.Value == f.kv.Value) &&
			(f.how != wholly || ask.IgnoreLease || ask.Lease == f.kv.Lease)
	case *Delete:
		return f.how == deleted && within(f.kv.Key, ask.Key, ask.End)
	case *Txn:
		for _, branch := range [][]Request{ask.Success, ask.Failure} {
			for _, part := range branch {
				if j.fits(part.Ask, f) {
					return true
				}
			}
		}
	}
	return false
}

// deletesRange tells whether a request may delete a key without naming it alone.
func deletesRange(ask any, key Bytes) bool {
	switch ask := ask.(type) {
	case *Delete:
		return ask.End != "" && within(key, ask.Key, ask.End)
	case *Txn:
		for _, branch := range [][]Request{ask.Success, ask.Failure} {
			for _, part := range branch {
				if deletesRange(part.Ask, key) {
					return true
				}
			}
		}
	}
	return false
}

// deletesMany tells whether a request may delete keys that it does not name.
func deletesMany(ask any) bool {
	switch ask := ask.(type) {
	case *Delete:
		return ask.End != ""
	case *Txn:
		for _, branch := range [][]Request{ask.Success, ask.Failure} {
			for _, part := range branch {
				if deletesMany(part.Ask) {
					return true
				}
			}
		}
	}
	return false
}

// revokes returns the ends of leases that were answered with a revision and had keys.
func (j *judge) revokes(r int64) []candidate {
	var candidates []candidate
	for _, i := range j.slot(r) {
		if revoke, ok := j.history[i].Request.Ask.(*Revoke); ok {
			if l := j.state.leases[revoke.ID]; l != nil && len(l.keys) > 0 {
				candidates = append(candidates, candidate{op: i, needed: true})
			}
		}
	}
	return candidates
}

// agenda returns what a revision of which nothing was seen could be for: first needs, by their
// ends, then rooms where a put is not noticed, by theirs; and whether there are only just enough
// revisions left for the needs.
func (j *judge) agenda(r int64) (agenda []need, needs int, tight bool) {
	agenda = j.needed(r)
	slices.SortStableFunc(agenda, func(a, b need) int { return cmp.Compare(a.closes(r), b.closes(r)) })
	needs = len(agenda)
	rooms := j.evidence.openRooms.until(r, j.evidence.rooms)
	return append(agenda, rooms[:min(len(rooms), lookMax)]...), needs, j.tight(r)
}

// closes returns before when a need can be met from a revision on without a break: what was seen of
// the key may say that it then did not change for a while.
func (n *need) closes(r int64) int64 {
	for k := range n.vague {
		if n.spare > 0 {
			break
		}
		if mod := n.vague[k].mod; mod > r {
			return min(mod, n.before)
		}
	}
	return n.before
}

// tight tells whether every revision of which nothing was seen, from one on until some need ends,
// has to meet a need: as far as the next ends of needs go.
func (j *judge) tight(r int64) bool {
	e := j.evidence
	from := sort.Search(len(e.byEnd), func(k int) bool { return e.byEnd[k].before > r })
	total := int64(0)
	for _, n := range e.byEnd[from:min(len(e.byEnd), from+endsMax)] {
		if (n.tie || !n.deletion) && (n.after >= r || j.misses(&n)) { // one revision may delete many keys
			total += max(n.puts, 1)
		}
		if int64(e.blank[n.before]-e.blank[r]) <= total {
			return true
		}
	}
	return false
}

// needed returns what needs a change at a revision, soonest first, at most neededMax.
func (j *judge) needed(r int64) []need {
	var needs []need
	for _, n := range j.evidence.openNeeds.until(r, j.evidence.needs) {
		if j.misses(&n) {
			needs = append(needs, n)
			if len(needs) == neededMax {
				break
			}
		}
	}
	return needs
}

// meets tells whether a request may do what is needed.
func meets(ask any, n need) bool {
	switch ask := ask.(type) {
	case *Put:
		return ask.Key == n.key && (!n.deletion || n.tie && ask.Lease != 0)
	case *Delete:
		return n.deletion && within(n.key, ask.Key, ask.End)
	case *Txn:
		for _, branch := range [][]Request{ask.Success, ask.Failure} {
			for _, part := range branch {
				if meets(part.Ask, n) {
					return true
				}
			}
		}
	}
	return false
}

// misses tells whether a need is not yet met, and takes off what is.
func (j *judge) misses(n *need) bool {
	if n.lease != 0 {
		l := j.state.leases[n.lease]
		return l != nil && len(l.keys) > 0
	}
	h := j.state.keys[n.key]
	if h == nil {
		return n.puts > 0
	}
	if n.tie {
		kv := &h.versions[len(h.versions)-1]
		return kv.Version > 0 && kv.Lease == 0
	}
	met := int64(0)
	for k := len(h.versions) - 1; k >= 0 && h.versions[k].Mod > n.after; k-- {
		if h.versions[k].Version == 0 {
			return !n.deletion && met < n.puts
		}
		if j.owner[h.versions[k].Mod] == nobody && len(j.evidence.facts[h.versions[k].Mod]) == 0 {
			met++
		}
	}
	n.puts -= met
	return n.deletion || n.puts > 0
}

// mayFill tells whether an operation could make a revision of which nothing was seen. It is a
// quick look; try decides.
func (j *judge) mayFill(i int32, r int64) bool {
	put, ok := j.history[i].Request.Ask.(*Put)
	if !ok {
		_, quiet := j.history[i].Request.Ask.(*Compact)
		_, grant := j.history[i].Request.Ask.(*Grant)
		return !quiet && !grant
	}
	kv := KeyValue{Key: put.Key, Mod: r, Create: r, Version: 1}
	if before := j.state.get(put.Key); before != nil {
		kv.Create, kv.Version = before.Create, before.Version+1
	}
	possible, _ := j.allows(&kv)
	return possible
}

// try lets a candidate make a revision, if it can and nothing that was seen says otherwise; and
// tells whether that needs no further change that nobody saw.
func (j *judge) try(c candidate, r int64) (possible, free bool) {
	before := len(j.steps)
	j.farfetched = false
	j.replays++
	if c.op == nobody {
		if j.state.leases[c.lease] == nil || !j.mayExpire(c.lease, r) {
			return false, false
		}
		call := j.expiry(c.lease)
		j.state.apply(&Revoke{c.lease}, &j.scratch)
		j.push(nobody, call)
		j.steps[len(j.steps)-1].lease = c.lease
	} else {
		o := &j.history[c.op]
		if o.Unknown && (j.used[c.op] || o.Call > j.latest[r]) {
			return false, false
		}
		if only := j.evidence.reserved[c.op]; only != 0 && only != r ||
			o.Unknown && !j.evidence.open(c.op, r) {
			return false, false
		}
		call := o.Call
		if revoke, ok := o.Request.Ask.(*Revoke); ok && o.Unknown {
			if !j.mayRevoke(revoke.ID, r) {
				return false, false
			}
			if t := j.single(revoke.ID); t != nil {
				call = max(call, t.aliveAfter)
			}
		}
		failure := j.apply(c.op)
		j.push(c.op, call)
		if failure != "" {
			j.cut(before)
			return false, false
		}
	}
	possible, free = j.believable(before, r)
	if j.state.revision != r || !possible {
		j.cut(before)
		return false, false
	}
	return true, free
}

// believable tells whether what was seen agrees with what the last steps changed, and whether that
// needs no further change that nobody saw.
func (j *judge) believable(before int, r int64) (possible, free bool) {
	changes := j.state.changes[j.steps[before-1].changes:]
	facts := j.evidence.facts[r]
	for k := range facts {
		if !j.explains(changes, &facts[k], r) {
			return false, false
		}
	}
	free = true
	for _, c := range changes {
		if c.key == nil {
			continue
		}
		kv, _ := c.versions()
		if !j.shown(kv, r, facts) {
			return false, false
		}
		if int(c.version) < len(c.key.versions)-1 {
			continue // etcd lets a transaction delete what it puts
		}
		ok, easy := j.allows(kv)
		if !ok {
			return false, false
		}
		free = free && easy
	}
	return true, free
}

// explains tells whether a fact is among some changes.
func (j *judge) explains(changes []change, f *fact, r int64) bool {
	for _, c := range changes {
		if c.key == nil || c.key.key != f.kv.Key {
			continue
		}
		kv, _ := c.versions()
		explained := *kv == f.kv
		switch f.how {
		case deleted:
			explained = kv.Version == 0
		case created:
			explained = kv.Version == 1
		case written:
			explained = kv.Version > 0
		case withoutValue:
			explained = kv.Version == f.kv.Version && kv.Create == f.kv.Create
		}
		if explained {
			return true
		}
	}
	return false
}

// shown tells whether every watch that has shown a revision has shown a change that was made in it.
func (j *judge) shown(kv *KeyValue, r int64, facts []fact) bool {
	for k := range j.evidence.views {
		v := &j.evidence.views[k]
		if r < v.from || r > v.to || !within(kv.Key, v.watch.Key, v.watch.End) ||
			(v.watch.NoPut && kv.Version > 0) || (v.watch.NoDelete && kv.Version == 0) {
			continue
		}
		seen := slices.ContainsFunc(facts, func(f fact) bool { return f.kv.Key == kv.Key })
		if !seen {
			return false
		}
	}
	return true
}

// touches appends the keys that a candidate may read or change.
func (j *judge) touches(c candidate, keys []span) []span {
	if c.op != nobody {
		return j.spansOf(j.history[c.op].Request.Ask, keys)
	}
	return j.tiedTo(c.lease, keys)
}

// tiedTo appends the keys that requests attach to a lease: no others change when it ends.
func (j *judge) tiedTo(id int64, keys []span) []span {
	tied := j.evidence.tied[id]
	if len(tied) > tiedMax {
		return append(keys, span{"\x00", "\x00"})
	}
	for _, key := range tied {
		keys = append(keys, span{key: key})
	}
	return keys
}

// spansOf appends the keys that a request may read or change.
func (j *judge) spansOf(ask any, keys []span) []span {
	switch ask := ask.(type) {
	case *Put:
		keys = append(keys, span{key: ask.Key})
	case *Range:
		keys = append(keys, span{ask.Key, ask.End})
	case *Delete:
		keys = append(keys, span{ask.Key, ask.End})
	case *Revoke:
		keys = j.tiedTo(ask.ID, keys)
	case *Txn:
		for i := range ask.Compare {
			keys = append(keys, span{ask.Compare[i].Key, ask.Compare[i].End})
		}
		for _, branch := range [][]Request{ask.Success, ask.Failure} {
			for _, part := range branch {
				keys = j.spansOf(part.Ask, keys)
			}
		}
	}
	return keys
}
