package model

import (
	"cmp"
	"maps"
	"slices"
	"sort"
)

// missedMax bounds, for each operation, how many keys are noted that ranges did not show.
const missedMax = 4

// evidence is what was seen, by anybody, that tells who may have made the revisions without owner.
// All of it is necessary: who contradicts it is not the owner. None of it is believed when the
// history is judged: that is the replay's part.
type evidence struct {
	facts map[int64][]fact // by revision without owner
	keys  map[Bytes]*sightings
	wide  []write // known deletions of more than one key, ascending
	needs []need  // by where they begin

	sorted   []Bytes         // the keys
	reserved map[int32]int64 // lost operations that alone explain what was seen of a revision
	missed   int             // keys that ranges of many did not show
	views    []view

	rooms []need  // where puts of keys would not be noticed: windows, not needs
	blank []int32 // by revision: how many before it have no owner and were not seen

	openNeeds, openRooms agenda

	many []int32 // lost operations that may delete keys which they do not name
}

// agenda is which of a list of needs are open at a revision.
type agenda struct {
	next int    // the first that was not yet looked at
	open []need // those that were, and whose revisions are not over, by their ends
	at   int64
}

// until returns the needs of a list, sorted by where they begin, that a revision may meet, by their
// ends. It is cheap as long as revisions ascend.
func (a *agenda) until(r int64, list []need) []need {
	if r < a.at {
		a.next, a.open = 0, nil
	}
	a.at = r
	for ; a.next < len(list) && list[a.next].after < r; a.next++ {
		n := list[a.next]
		if n.before > r {
			k := sort.Search(len(a.open), func(k int) bool { return a.open[k].before > n.before })
			a.open = slices.Insert(a.open, k, n)
		}
	}
	gone := sort.Search(len(a.open), func(k int) bool { return a.open[k].before > r })
	a.open = a.open[gone:]
	return a.open
}

// view is what a watch showed: in revisions [from, to], nothing in its range changed but what facts
// say.
type view struct {
	watch    *Watch
	from, to int64
}

// fact is a change of a key that a revision made, as far as it was seen.
type fact struct {
	kv  KeyValue
	how shown
}

// shown says how much of a change was seen.
type shown int8

const (
	wholly       shown = iota // all of it
	withoutValue              // neither value nor lease
	created                   // only that the key was created
	written                   // only that the key was put
	deleted                   // that the key was deleted
)

// sightings is what was seen of one key that an operation with an unknown outcome may have changed.
type sightings struct {
	seen    []sighting // by revision
	puts    []int64    // revisions at which it was surely put, ascending
	deletes []int64    // revisions at which it was surely deleted
	lost    []int32    // operations with an unknown outcome that may change it, by call
	ends    bool       // another operation, or the end of a lease, may delete it
	needed  int        // changes that are missing
}

// sighting is a key as it was at a revision; mod 0: it was not there; create 0: neither create
// revision nor version is known.
type sighting struct {
	revision, mod, create, version int64
}

// somehow is the mod revision of a key that was there, of which nothing more is known.
const somehow = -1

// write is a deletion of a range.
type write struct {
	revision int64
	key, end Bytes
}

// need is a number of puts of a key, or a deletion, that must have happened in revisions without
// owner, after and before others, because the key's version says so.
type need struct {
	key           Bytes
	after, before int64
	puts          int64
	deletion      bool
}

// gather collects the evidence, if there is a revision without owner.
func (j *judge) gather() *verdict {
	j.evidence = &evidence{facts: map[int64][]fact{}, keys: map[Bytes]*sightings{}}
	gaps := false
	for r := int64(2); r <= j.last; r++ {
		gaps = gaps || j.owner[r] == nobody
	}
	if !gaps {
		return nil
	}
	for _, i := range j.lost {
		for _, key := range keysOf(j.history[i].Request.Ask, nil) {
			s := j.evidence.keys[key]
			if s == nil {
				s = &sightings{}
				j.evidence.keys[key] = s
			}
			s.lost = append(s.lost, i)
		}
	}
	j.evidence.sorted = slices.Sorted(maps.Keys(j.evidence.keys))
	j.findEnds()
	for i := range j.history {
		if o := &j.history[i]; o.Succeeded() && o.Response != nil {
			j.look(o.Request.Ask, o.Response, o.Response.Revision, false)
		}
	}
	j.evidence.views = j.views()
	j.evidence.conclude(j.last)
	j.reserve()
	j.evidence.blank = make([]int32, j.last+2)
	for r := int64(1); r <= j.last; r++ {
		j.evidence.blank[r+1] = j.evidence.blank[r]
		if j.owner[r] == nobody && len(j.evidence.facts[r]) == 0 && r > 1 {
			j.evidence.blank[r+1]++
		}
	}
	return nil
}

// findEnds finds which keys may have been deleted without an answer by an operation that does not
// name them: of a range, or by the end of a lease.
func (j *judge) findEnds() {
	for _, i := range j.lost {
		if deletesMany(j.history[i].Request.Ask) {
			j.evidence.many = append(j.evidence.many, i)
		}
	}
	leased := map[Bytes]bool{}
	for i := range j.history {
		leasedBy(j.history[i].Request.Ask, leased)
	}
	for _, key := range j.evidence.sorted {
		s := j.evidence.keys[key]
		s.ends = leased[key]
		for _, i := range j.evidence.many {
			s.ends = s.ends || deletesRange(j.history[i].Request.Ask, key)
		}
	}
}

// leasedBy notes the keys that a request attaches to leases.
func leasedBy(ask any, keys map[Bytes]bool) {
	switch ask := ask.(type) {
	case *Put:
		if ask.Lease != 0 {
			keys[ask.Key] = true
		}
	case *Txn:
		for _, branch := range [][]Request{ask.Success, ask.Failure} {
			for _, part := range branch {
				leasedBy(part.Ask, keys)
			}
		}
	}
}

// reserve finds the lost operations without which nobody can have made a revision.
func (j *judge) reserve() {
	e := j.evidence
	e.reserved = map[int32]int64{}
	for r := int64(2); r <= j.last; r++ {
		for k := range e.facts[r] {
			f := &e.facts[r][k]
			s := e.keys[f.kv.Key]
			if f.how != wholly || s == nil {
				continue
			}
			only, several := nobody, false
			for _, i := range s.lost {
				if j.fits(j.history[i].Request.Ask, f) && j.history[i].Call <= j.latest[r] {
					only, several = i, only != nobody
				}
			}
			if only != nobody && !several {
				e.reserved[only] = r
			}
		}
	}
}

// views collects which revisions each watch has shown.
func (j *judge) views() []view {
	watches := map[int64]*view{}
	var numbers []int64
	for i := range j.history {
		if w, ok := j.history[i].Request.Ask.(*Watch); ok && watches[w.Watch] == nil {
			watches[w.Watch] = &view{watch: w, from: w.Start}
			numbers = append(numbers, w.Watch)
		}
	}
	for _, i := range j.watched {
		o := &j.history[i]
		v := watches[o.Request.Ask.(*Watched).Watch]
		if v == nil || o.Response == nil || o.Response.Watch == nil {
			continue
		}
		m := o.Response.Watch
		switch {
		case m.Created:
			if v.watch.Start <= 0 {
				v.from = o.Response.Revision + 1
			}
		case len(m.Events) > 0:
			v.to = max(v.to, m.Events[len(m.Events)-1].KV.Mod)
			if m.Fragment {
				v.to--
			}
		case !m.Canceled:
			v.to = max(v.to, o.Response.Revision)
		}
	}
	views := make([]view, 0, len(numbers))
	for _, number := range numbers {
		if v := watches[number]; v.from > 0 && v.to >= v.from {
			views = append(views, *v)
		}
	}
	return views
}

// keysOf appends the single keys that a request may change.
func keysOf(ask any, keys []Bytes) []Bytes {
	switch ask := ask.(type) {
	case *Put:
		keys = append(keys, ask.Key)
	case *Delete:
		if ask.End == "" {
			keys = append(keys, ask.Key)
		}
	case *Txn:
		for _, branch := range [][]Request{ask.Success, ask.Failure} {
			for _, part := range branch {
				keys = keysOf(part.Ask, keys)
			}
		}
		slices.Sort(keys)
		keys = slices.Compact(keys)
	}
	return keys
}

// look takes the evidence from an answer at a revision. Inside a transaction that made the
// revision, a range may have come before what the transaction changed.
func (j *judge) look(ask any, answer *Response, revision int64, inside bool) {
	switch ask := ask.(type) {
	case *Range:
		j.lookAtRange(ask, answer, revision, inside)
	case *Put:
		if s := j.evidence.keys[ask.Key]; s != nil {
			s.puts = append(s.puts, revision)
		}
		j.lookBefore(ask.Key, ask.PrevKV && !inside, answer, revision)
	case *Delete:
		j.lookAtDelete(ask, answer, revision, inside)
	case *Txn:
		if answer.Succeeded && !inside {
			j.lookAtCompares(ask, revision, wrote(ask, answer))
		}
		for i, part := range ask.branch(answer.Succeeded) {
			if i < len(answer.Responses) {
				j.look(part.Ask, &answer.Responses[i], revision, inside || wrote(ask, answer))
			}
		}
	case *Watched:
		if answer.Watch != nil {
			j.lookAtEvents(answer.Watch.Events)
		}
	}
}

// lookAtRange takes what a range shows; if it is of one key, also that the key is not there.
func (j *judge) lookAtRange(ask *Range, answer *Response, revision int64, inside bool) {
	if ask.Revision > 0 {
		revision, inside = ask.Revision, false
	}
	for k := range answer.KVs {
		if kv := &answer.KVs[k]; inside && kv.Mod < revision {
			j.see(kv, revision-1, ask.KeysOnly)
		} else {
			j.see(kv, revision, ask.KeysOnly)
		}
	}
	switch {
	case inside || ask.CountOnly && answer.Count > 0 || answer.More || ask.bounded():
	case ask.End == "":
		if answer.Count == 0 {
			j.miss(ask.Key, revision)
		}
	default:
		j.missRest(ask, answer, revision)
	}
}

// missRest notes which keys a range does not show, as long as there is room for it.
func (j *judge) missRest(ask *Range, answer *Response, revision int64) {
	e := j.evidence
	shown := map[Bytes]bool{}
	for k := range answer.KVs {
		shown[answer.KVs[k].Key] = true
	}
	from := sort.Search(len(e.sorted), func(i int) bool { return e.sorted[i] >= ask.Key })
	for _, key := range e.sorted[from:] {
		if !within(key, ask.Key, ask.End) || e.missed > missedMax*len(j.history) {
			return
		}
		if !shown[key] {
			j.miss(key, revision)
			e.missed++
		}
	}
}

// lookAtCompares takes what compares that held say of mod revisions.
func (j *judge) lookAtCompares(ask *Txn, revision int64, wrote bool) {
	if wrote {
		revision--
	}
	for i := range ask.Compare {
		c := &ask.Compare[i]
		s := j.evidence.keys[c.Key]
		if c.End != "" || c.Target != 2 || c.Result != 0 || c.Number > revision || s == nil {
			continue
		}
		s.saw(sighting{revision: revision, mod: c.Number})
		if c.Number > 1 {
			j.fact(c.Number, fact{KeyValue{Key: c.Key}, written})
			if j.owner[c.Number] == nobody {
				s.puts = append(s.puts, c.Number)
			}
		}
	}
}

// lookAtDelete takes what a deletion shows: after one that found nothing, nothing is there.
func (j *judge) lookAtDelete(ask *Delete, answer *Response, revision int64, inside bool) {
	switch {
	case ask.End != "":
		if answer.Count > 0 {
			j.evidence.wide = append(j.evidence.wide, write{revision, ask.Key, ask.End})
		}
	case answer.Count == 0:
		j.miss(ask.Key, revision)
	default:
		if s := j.evidence.keys[ask.Key]; s != nil {
			s.deletes = append(s.deletes, revision)
			if len(answer.KVs) == 0 && !inside {
				s.saw(sighting{revision: revision - 1, mod: somehow})
			}
		}
		j.miss(ask.Key, revision)
		j.lookBefore(ask.Key, false, answer, revision)
	}
}

// lookBefore takes what was there before a write of one key, and, if nothing else in its
// transaction can have deleted it, that nothing was.
func (j *judge) lookBefore(key Bytes, missed bool, answer *Response, revision int64) {
	for k := range answer.KVs {
		j.see(&answer.KVs[k], revision-1, false)
	}
	if missed && len(answer.KVs) == 0 {
		j.miss(key, revision-1)
	}
}

// lookAtEvents takes what a watch shows.
func (j *judge) lookAtEvents(events []Event) {
	for k := range events {
		e := &events[k]
		if e.Delete {
			j.fact(e.KV.Mod, fact{e.KV, deleted})
			if s := j.evidence.keys[e.KV.Key]; s != nil {
				s.deletes = append(s.deletes, e.KV.Mod) // it may be there again, by the same change
			}
		} else {
			j.see(&e.KV, e.KV.Mod, false)
		}
		if e.Prev != nil {
			j.see(e.Prev, e.KV.Mod-1, false)
		}
	}
}

// see notes that a key was there.
func (j *judge) see(kv *KeyValue, revision int64, partial bool) {
	if kv.Mod < 2 || kv.Create < 2 || kv.Mod > j.last || kv.Create > kv.Mod {
		return // a lie: the replay will tell
	}
	revision = max(revision, kv.Mod) // less than it only inside a transaction that wrote it
	how := wholly
	if partial {
		how = withoutValue
	}
	j.fact(kv.Mod, fact{*kv, how})
	if kv.Create != kv.Mod {
		j.fact(kv.Create, fact{KeyValue{Key: kv.Key}, created})
	}
	if s := j.evidence.keys[kv.Key]; s != nil {
		s.saw(sighting{revision, kv.Mod, kv.Create, kv.Version})
		for _, r := range [...]int64{kv.Mod, kv.Create} {
			if j.owner[r] == nobody {
				s.puts = append(s.puts, r)
			}
		}
	}
}

// saw notes a sighting; of one version, only the latest of those that come one after the other.
func (s *sightings) saw(v sighting) {
	if n := len(s.seen); n > 0 {
		last := &s.seen[n-1]
		if v.mod > 0 && last.mod == v.mod && last.create == v.create && last.version == v.version {
			last.revision = max(last.revision, v.revision)
			return
		}
	}
	s.seen = append(s.seen, v)
}

// miss notes that a key was not there.
func (j *judge) miss(key Bytes, revision int64) {
	if s := j.evidence.keys[key]; s != nil {
		s.seen = append(s.seen, sighting{revision: revision})
	}
}

// fact notes what a revision without owner did.
func (j *judge) fact(revision int64, f fact) {
	if revision < 2 || revision > j.last || j.owner[revision] != nobody {
		return
	}
	if !slices.Contains(j.evidence.facts[revision], f) {
		j.evidence.facts[revision] = append(j.evidence.facts[revision], f)
	}
}

// conclude sorts the evidence and counts what is missing.
func (e *evidence) conclude(last int64) {
	slices.SortFunc(e.wide, func(a, b write) int { return cmp.Compare(a.revision, b.revision) })
	for _, key := range e.sorted {
		s := e.keys[key]
		slices.SortFunc(s.seen, func(a, b sighting) int {
			return cmp.Or(cmp.Compare(a.revision, b.revision), cmp.Compare(a.mod, b.mod))
		})
		s.seen = slices.Compact(s.seen)
		slices.Sort(s.puts)
		s.puts = slices.Compact(s.puts)
		slices.Sort(s.deletes)
		before := sighting{revision: 1}
		for _, after := range s.seen {
			if after.mod == 0 || after.create > 0 {
				e.between(key, s, before, after)
				before = after
			} else if after.mod == somehow && before.mod == 0 &&
				s.lastPut(before.revision, after.revision) == before.revision {
				e.need(need{key: key, after: before.revision, before: after.revision + 1, puts: 1})
			}
		}
		e.rooms = append(e.rooms, need{key: key, after: before.revision, before: last + 1})
	}
	byBegin := func(a, b need) int { return cmp.Compare(a.after, b.after) }
	slices.SortStableFunc(e.needs, byBegin)
	slices.SortStableFunc(e.rooms, byBegin)
}

// between counts the changes of a key that are missing between two sightings.
func (e *evidence) between(key Bytes, s *sightings, before, after sighting) {
	switch {
	case after.mod > 0 && after.mod <= before.revision:
	case after.mod > 0 && before.mod > 0 && after.create == before.create:
		missing := after.version - before.version - count(s.puts, before.revision, after.mod)
		e.need(need{key: key, after: before.revision, before: after.mod, puts: missing})
	case after.mod > 0:
		e.room(key, s, before.revision, after.create)
		last := s.lastPut(before.revision, after.create-1)
		if (before.mod > 0 || last > before.revision) && !e.deletes(key, s, last, after.create+1) {
			e.need(need{key: key, after: last, before: after.create, deletion: true})
		}
		missing := after.version - 1 - count(s.puts, after.create, after.mod)
		e.need(need{key: key, after: after.create, before: after.mod, puts: missing})
	default:
		e.room(key, s, before.revision, after.revision)
		last := s.lastPut(before.revision, after.revision)
		if (before.mod > 0 || last > before.revision) && !e.deletes(key, s, last, after.revision+1) {
			e.need(need{key: key, after: last, before: after.revision + 1, deletion: true})
		}
	}
}

// room notes that puts of a key would not be noticed, because it was deleted later.
func (e *evidence) room(key Bytes, s *sightings, after, upTo int64) {
	last := after
	if n := sort.Search(len(s.deletes), func(i int) bool { return s.deletes[i] > upTo }); n > 0 {
		last = max(last, s.deletes[n-1])
	}
	n := sort.Search(len(e.wide), func(i int) bool { return e.wide[i].revision > upTo })
	for n--; n >= 0 && e.wide[n].revision > last; n-- {
		if within(key, e.wide[n].key, e.wide[n].end) {
			last = e.wide[n].revision
		}
	}
	if last > after {
		e.rooms = append(e.rooms, need{key: key, after: after, before: last})
	}
}

// lastPut returns the last revision in (after, upTo] at which a key was surely put; after, if there
// is none.
func (s *sightings) lastPut(after, upTo int64) int64 {
	n := sort.Search(len(s.puts), func(i int) bool { return s.puts[i] > upTo })
	if n > 0 {
		return max(after, s.puts[n-1])
	}
	return after
}

// need notes what is missing, if anything is.
func (e *evidence) need(n need) {
	if n.puts > 0 || n.deletion {
		e.needs = append(e.needs, n)
		e.keys[n.key].needed += int(max(n.puts, 1))
	}
}

// count returns how many of the revisions are in (after, upTo].
func count(revisions []int64, after, upTo int64) int64 {
	from := sort.Search(len(revisions), func(i int) bool { return revisions[i] > after })
	to := sort.Search(len(revisions), func(i int) bool { return revisions[i] > upTo })
	return int64(max(0, to-from))
}

// deletes tells whether a known operation may have deleted a key in (after, before).
func (e *evidence) deletes(key Bytes, s *sightings, after, before int64) bool {
	if count(s.deletes, after, before-1) > 0 {
		return true
	}
	from := sort.Search(len(e.wide), func(i int) bool { return e.wide[i].revision > after })
	for _, w := range e.wide[from:] {
		if w.revision >= before {
			break
		}
		if within(key, w.key, w.end) {
			return true
		}
	}
	return false
}
