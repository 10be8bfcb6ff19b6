package judge

import (
	"cmp"
	"maps"
	"slices"

	"detcd/checker/etcd"
)

// candidatesMax bounds who is tried for a revision of which nothing was seen. Beyond it a history
// is not found to be violated.
const candidatesMax = 4096

// A lostIndex finds operations whose answers were lost by what they are about. Lists are by call.
type lostIndex struct {
	keyed       map[etcd.Bytes][]int32 // what puts or deletes a key by name
	wide        []int32                // what deletes ranges
	grants      map[int64][]int32
	all         map[int64][]int32 // all grants that may have happened, answered or not
	found       map[int64][]found // what was found of leases, by call
	revokes     map[int64][]int32
	compactions []int32
	makers      []int32 // all that may change keys
}

// found says whether an operation found a lease.
type found struct {
	call  int64
	there bool
}

// indexLeases sorts what is known of leases by them.
func (j *judge) indexLeases(x *lostIndex) {
	for _, i := range j.leased {
		o := &j.history[i]
		if grant, ok := o.Request.Ask.(*etcd.Grant); ok && o.Error == "" {
			id := grantedBy(o, grant)
			x.all[id] = append(x.all[id], i)
			if o.Succeeded() {
				x.found[id] = append(x.found[id], found{o.Call, false})
			}
		}
		if !o.Unknown {
			j.eachLease(i, func(id int64, there bool) {
				x.found[id] = append(x.found[id], found{o.Call, there})
			})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(x.found)) {
		slices.SortStableFunc(x.found[id], func(a, b found) int { return cmp.Compare(a.call, b.call) })
	}
}

// isGoneSoon tells whether who asked next for a lease did not find it.
func (s *search) isGoneSoon(id int64) bool {
	for _, f := range s.index.found[id] {
		if f.call >= s.latest {
			return !f.there
		}
	}
	return false
}

// indexLost sorts the operations whose answers were lost.
func (j *judge) indexLost() lostIndex {
	x := lostIndex{keyed: map[etcd.Bytes][]int32{}, grants: map[int64][]int32{},
		revokes: map[int64][]int32{}, all: map[int64][]int32{}, found: map[int64][]found{}}
	j.indexLeases(&x)
	for _, i := range j.lost {
		switch ask := j.history[i].Request.Ask.(type) {
		case *etcd.Compact:
			x.compactions = append(x.compactions, i)
			continue
		case *etcd.Grant:
			x.grants[ask.ID] = append(x.grants[ask.ID], i)
			continue
		case *etcd.Revoke:
			x.revokes[ask.ID] = append(x.revokes[ask.ID], i)
		}
		x.makers = append(x.makers, i)
		x.addKeys(i, j.history[i].Request.Ask)
	}
	slices.SortStableFunc(x.compactions, func(a, b int32) int { // the least does the least harm
		return cmp.Compare(j.history[a].Request.Ask.(*etcd.Compact).Revision,
			j.history[b].Request.Ask.(*etcd.Compact).Revision)
	})
	return x
}

// addKeys sorts an operation by what it may change.
func (x *lostIndex) addKeys(i int32, ask any) {
	wide := false
	eachPart(ask, func(part any) {
		var key etcd.Bytes
		switch part := part.(type) {
		case *etcd.Put:
			key = part.Key
		case *etcd.Delete:
			if key = part.Key; part.End != "" {
				wide = true
				return
			}
		default:
			return
		}
		if list := x.keyed[key]; len(list) == 0 || list[len(list)-1] != i {
			x.keyed[key] = append(list, i)
		}
	})
	if wide {
		x.wide = append(x.wide, i)
	}
}

// possible returns everything that may happen next and would not be as good later: who may make the
// next revision; what was answered and changes the state; and, of what nobody saw, only what those
// need who cannot happen otherwise, for all else can wait until somebody needs it.
func (s *search) possible() (options []option) {
	add := func(o option) {
		if !slices.Contains(options, o) {
			options = append(options, o)
		}
	}
	s.chosen, s.equals = nobody, nil
	late := s.compactsLate()
	var missing []int64
	if !s.outOfDate() {
		missing = s.addNext(add)
	}
	for _, i := range s.members[s.slotMid:s.slotEnd] {
		if !s.placed[i] {
			add(option{kind: atQuiet, op: i})
		}
	}
	for _, k := range s.stuck {
		f := &s.floats[k]
		if f.isCompaction && f.kind == outcome && late || s.fits(f) {
			add(option{kind: atFloat, op: k})
		}
	}
	s.addHelp(add, missing, late)
	return options
}

// outOfDate tells whether an answered compaction names the present revision: it has to come before
// the next.
func (s *search) outOfDate() bool {
	return slices.ContainsFunc(s.stuck, func(k int32) bool {
		f := &s.floats[k]
		return f.isCompaction && f.kind == outcome && f.notBefore <= s.rev
	})
}

// compactsLate tells whether a compaction need not wait any more. It only takes from others what
// they can read: while the owner of the next revision can make it, a compaction can come behind
// that, unless a transaction needs it: behind that its comparisons may lead it past what it could
// not read.
func (s *search) compactsLate() bool {
	return s.outOfDate() || !s.canGoOn() || slices.ContainsFunc(s.stuck, func(k int32) bool {
		o := &s.history[s.floats[k].op]
		_, transaction := o.Request.Ask.(*etcd.Txn)
		return transaction && o.Error == etcd.ErrCompacted
	})
}

// addNext adds who may make the next revision. It returns the leases that some of them miss.
func (s *search) addNext(add func(option)) (missing []int64) {
	if !s.slotDone() || s.rev == s.end {
		s.cutShort = s.cutShort || s.rev == s.end && s.end == s.last+tailMax
		return nil
	}
	r := s.rev + 1
	if i := s.owner[r]; i != nobody {
		add(option{kind: atMaker, op: i})
		return attached(s.history[i].Request.Ask, nil)
	}
	for _, i := range s.slot(r) {
		if revoke, ok := s.history[i].Request.Ask.(*etcd.Revoke); ok && s.roles[i] == quiet {
			if l := s.state.Lease(revoke.ID); l != nil && l.HasKeys() {
				add(option{kind: atQuiet, op: i})
			}
		}
	}
	if facts := s.facts[r]; len(facts) > 0 {
		return s.addSeen(add, r, facts)
	}
	if r > s.lit {
		return s.addUnseen(add)
	}
	return nil
}

// addSeen adds who may have made a revision of which something was seen.
func (s *search) addSeen(add func(option), r int64, facts []fact) (missing []int64) {
	f := &facts[0]
	lists := [][]int32{s.index.keyed[f.kv.Key]}
	if f.deleted {
		lists = append(lists, s.index.wide)
	}
	var able []int32
	for _, list := range lists {
		for _, i := range list {
			if f.mayBeBy(s.history[i].Request.Ask) && !slices.Contains(able, i) {
				able = append(able, i)
			}
		}
	}
	if r <= s.lit && (len(able) > 1 || len(able) == 1 && s.placed[able[0]]) {
		able = s.oneOf(able)
	}
	kv := s.state.Get(f.kv.Key)
	ended := f.deleted && kv != nil && kv.Lease != 0
	if ended && s.isGoneSoon(kv.Lease) {
		s.addEnds(add, kv.Lease)
	}
	for _, i := range able {
		if !s.placed[i] {
			add(option{kind: atLost, op: i})
			missing = attached(s.history[i].Request.Ask, missing)
		}
	}
	if ended {
		s.addEnds(add, kv.Lease)
	}
	return missing
}

// addEnds adds the ways in which a lease may have ended that nobody saw.
func (s *search) addEnds(add func(option), id int64) {
	for _, i := range s.index.revokes[id] {
		if !s.placed[i] {
			add(option{kind: atLost, op: i})
		}
	}
	if end, ok := s.ends[id]; ok && s.state.Lease(id) != nil && end != never {
		add(option{kind: atExpiry, op: nobody, lease: id})
	}
}

// addUnseen adds who may have made a revision of which nothing was seen: those first that were
// called last, for most are over soon.
func (s *search) addUnseen(add func(option)) (missing []int64) {
	bound, count := s.bound(), 0
	for n := len(s.index.makers) - 1; n >= 0; n-- {
		i := s.index.makers[n]
		if s.placed[i] || s.history[i].Call > bound {
			continue
		}
		if count++; count > candidatesMax {
			s.cutShort = true
			break
		}
		add(option{kind: atLost, op: i})
		missing = attached(s.history[i].Request.Ask, missing)
	}
	for _, id := range slices.Sorted(maps.Keys(s.ends)) {
		if l := s.state.Lease(id); l != nil && l.HasKeys() && s.ends[id] <= bound {
			add(option{kind: atExpiry, op: nobody, lease: id})
		}
	}
	return missing
}

// addHelp adds what nobody saw, and what those need that cannot happen otherwise.
func (s *search) addHelp(add func(option), missing []int64, late bool) {
	for _, id := range missing {
		if s.state.Lease(id) == nil {
			s.addLease(add, id)
		}
	}
	for _, i := range s.members[s.slotMid:s.slotEnd] {
		if !s.placed[i] {
			s.addLease(add, LeaseOf(&s.history[i]))
		}
	}
	over := int64(never)
	for _, d := range s.owed[s.owedLow:] {
		over = min(over, d.over)
	}
	for _, k := range s.stuck {
		f := &s.floats[k]
		ask := s.history[f.op].Request.Ask
		switch {
		case f.kind != outcome:
			over = min(over, f.compacted-1)
			continue
		case s.history[f.op].Error == etcd.ErrCompacted:
			over = min(over, oldestCompacted(ask))
		}
		if id := LeaseOf(&s.history[f.op]); id != 0 {
			s.addLease(add, id)
		}
		for _, id := range attached(ask, nil) {
			s.addLease(add, id)
		}
	}
	for _, i := range s.index.compactions {
		if late && !s.placed[i] && s.history[i].Request.Ask.(*etcd.Compact).Revision > over {
			add(option{kind: atLost, op: i})
		}
	}
}

// oldestCompacted returns what has to be compacted, and a little more, before a request fails.
func oldestCompacted(ask any) int64 {
	if compact, ok := ask.(*etcd.Compact); ok {
		return compact.Revision - 1
	}
	return max(oldestAsked(ask), 0)
}

// addLease adds what nobody saw of a lease and would change whether it is there.
func (s *search) addLease(add func(option), id int64) {
	l := s.state.Lease(id)
	switch {
	case id == 0 || l != nil && l.HasKeys():
	case l != nil:
		s.addEnds(add, id)
	default:
		for _, i := range s.index.grants[id] {
			if !s.placed[i] {
				add(option{kind: atLost, op: i})
			}
		}
	}
}

// oneOf returns who is to make the next revision, of several operations: all of them that can have
// made just what was seen of it are the same to everybody else, so one is enough; and if all of
// them are taken, one that another can take the place of. Ends of leases are not the same.
func (s *search) oneOf(able []int32) []int32 {
	var equal, others []int32
	chosen := nobody
	for _, i := range able {
		if _, revoke := s.history[i].Request.Ask.(*etcd.Revoke); revoke {
			others = append(others, i)
			continue
		}
		taken := s.placed[i]
		at, swapped := s.at[i]
		s.placed[i] = false
		n := len(s.trail)
		if s.happen(option{kind: atLost, op: i}) == nil {
			s.undo(n)
			if equal = append(equal, i); !taken && chosen == nobody {
				chosen = i
			}
		} else if !taken {
			others = append(others, i) // something may be missing
		}
		if s.placed[i] = taken; swapped {
			s.at[i] = at
		}
	}
	if len(equal) == 0 {
		return others
	}
	if chosen == nobody {
		chosen = s.release(equal, map[int32]bool{})
	}
	if chosen == nobody {
		return others
	}
	s.chosen, s.equals = chosen, equal
	return append([]int32{chosen}, others...)
}

// release lets another operation take the place of one of some; nobody: there is none.
func (s *search) release(taken []int32, tried map[int32]bool) int32 {
	for _, i := range taken {
		at, ok := s.at[i]
		if !ok || tried[i] {
			continue
		}
		tried[i] = true
		other := nobody
		for _, k := range s.swaps[at] {
			if !s.placed[k] {
				other = k
				break
			}
		}
		if other == nobody {
			other = s.release(s.swaps[at], tried)
		}
		if other == nobody {
			continue
		}
		t := &s.trail[at]
		s.hash ^= t.identity()
		t.op = other
		s.hash ^= t.identity()
		s.placed[i], s.placed[other] = false, true
		s.at[other] = at
		delete(s.at, i)
		return i
	}
	return nobody
}
