package model

import (
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
	byEnd []need  // the same by where they end

	sorted   []Bytes         // the keys
	reserved map[int32]int64 // lost operations that alone explain what was seen of a revision
	missed   int             // keys that ranges of many did not show
	views    []view

	rooms []need  // where puts of keys would not be noticed: windows, not needs
	blank []int32 // by revision: how many before it have no owner and were not seen

	openNeeds, openRooms agenda

	many []int32 // lost operations that may delete keys which they do not name

	windows map[int32]window // of lost operations
	gaveUp  map[int32]int64  // by lost operation: when its client did something else

	tied   map[int64][]Bytes // by lease: the keys that requests attach to it
	leases []int64           // to which they attach keys
	dues   map[int64][]int64 // by revision: leases that have ended before, if they had keys
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

// sightings is what was seen of one key that may have been changed without an answer: by an
// operation with an unknown outcome, or by the end of a lease.
type sightings struct {
	seen    []sighting // by revision
	puts    []int64    // revisions at which it was surely put, ascending
	deletes []int64    // revisions at which it was surely deleted
	lost    []int32    // operations with an unknown outcome that may change it, by call
	leased  bool       // some request ties it to a lease
	ends    bool       // an operation with an unknown outcome that does not name it may delete it
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
	lease         int64 // no key, but the end of a lease that may have keys
	there         bool  // all the time the key is there
	tie           bool  // to tie the key to a lease is the first step to a deletion

	end   int64      // before, as long as nothing was concluded from who may meet it
	spare int        // so many more operations may meet it than have to
	vague []sighting // what else was seen of the key meanwhile
}

// gather collects the evidence, if there is a revision without owner.
func (j *judge) gather() *verdict {
	j.evidence = &evidence{facts: map[int64][]fact{}, keys: map[Bytes]*sightings{},
		dues: map[int64][]int64{}, tied: map[int64][]Bytes{}}
	gaps := false
	for r := int64(2); r <= j.last; r++ {
		gaps = gaps || j.owner[r] == nobody
	}
	if !gaps {
		return nil
	}
	for _, i := range j.lost {
		for _, key := range keysOf(j.history[i].Request.Ask, nil) {
			s := j.evidence.of(key)
			s.lost = append(s.lost, i)
		}
	}
	for _, i := range j.leased {
		j.tie(j.history[i].Request.Ask)
	}
	j.evidence.sorted = slices.Sorted(maps.Keys(j.evidence.keys))
	j.findEnds()
	for i := range j.history {
		if o := &j.history[i]; o.Succeeded() && o.Response != nil {
			j.look(o.Request.Ask, o.Response, o.Response.Revision, false)
		}
	}
	j.evidence.views = j.views()
	j.reserve()
	j.countBlank()
	j.needEnds()
	j.evidence.conclude(j.last)
	j.findWindows()
	j.findGaveUp()
	j.hasten()
	j.plan = j.makePlan()
	return nil
}

// needEnds notes by when leases must have ended, because somebody found them gone.
func (j *judge) needEnds() {
	for _, id := range slices.Sorted(maps.Keys(j.tenures)) {
		t := j.single(id)
		if t == nil || t.gone == nobody || t.revoked != nobody || !t.keyed {
			continue
		}
		due := min(j.slotUpTo(t.goneBy), j.last) + 1
		j.evidence.dues[due] = append(j.evidence.dues[due], id)
		j.evidence.needs = append(j.evidence.needs, need{lease: id, deletion: true,
			after: max(1, t.aliveAt), before: due})
	}
}

// countBlank counts the revisions of which nothing was seen.
func (j *judge) countBlank() {
	j.evidence.blank = make([]int32, j.last+2)
	for r := int64(1); r <= j.last; r++ {
		j.evidence.blank[r+1] = j.evidence.blank[r]
		if j.owner[r] == nobody && len(j.evidence.facts[r]) == 0 && r > 1 {
			j.evidence.blank[r+1]++
		}
	}
}

// of returns the sightings of a key.
func (e *evidence) of(key Bytes) *sightings {
	s := e.keys[key]
	if s == nil {
		s = &sightings{}
		e.keys[key] = s
	}
	return s
}

// findEnds finds which keys may have been deleted without an answer by an operation that does not
// name them: of a range, or a lease.
func (j *judge) findEnds() {
	for _, i := range j.lost {
		if deletesMany(j.history[i].Request.Ask) {
			j.evidence.many = append(j.evidence.many, i)
		}
	}
	for _, key := range j.evidence.sorted {
		s := j.evidence.keys[key]
		for _, i := range j.evidence.many {
			s.ends = s.ends || deletesRange(j.history[i].Request.Ask, key)
		}
	}
}

// tie notes the keys that a request attaches to leases.
func (j *judge) tie(ask any) {
	switch ask := ask.(type) {
	case *Put:
		if ask.Lease != 0 {
			j.evidence.of(ask.Key).leased = true
			tied := j.evidence.tied[ask.Lease]
			if len(tied) == 0 {
				j.evidence.leases = append(j.evidence.leases, ask.Lease)
			}
			if !slices.Contains(tied, ask.Key) {
				j.evidence.tied[ask.Lease] = append(tied, ask.Key)
			}
		}
	case *Txn:
		for _, branch := range [][]Request{ask.Success, ask.Failure} {
			for _, part := range branch {
				j.tie(part.Ask)
			}
		}
	}
}

// reserve finds the lost operations without which nobody can have made a revision, and what they
// found when they did: that tells of more revisions.
func (j *judge) reserve() {
	e := j.evidence
	e.reserved = map[int32]int64{}
	for found := true; found; {
		found = false
		for r := int64(2); r <= j.last; r++ {
			for k := range e.facts[r] {
				f := &e.facts[r][k]
				if i := j.onlyAuthor(f, r); i != nobody && e.reserved[i] == 0 {
					e.reserved[i], found = r, true
					if t, ok := j.history[i].Request.Ask.(*Txn); ok && j.fitsNoFailure(t, f) {
						j.lookAtCompares(t, r, true)
					}
				}
			}
		}
	}
}

// onlyAuthor returns the one lost operation that can have written what was seen; nobody if there
// are none or several, or it was no put.
func (j *judge) onlyAuthor(f *fact, r int64) int32 {
	s := j.evidence.keys[f.kv.Key]
	if s == nil || f.how == deleted {
		return nobody
	}
	only := nobody
	for _, i := range s.lost {
		at := j.evidence.reserved[i]
		if at == r {
			return i
		}
		if at == 0 && j.history[i].Call <= j.latest[r] && j.fits(j.history[i].Request.Ask, f) {
			if only != nobody {
				return nobody
			}
			only = i
		}
	}
	return only
}

// fitsNoFailure tells that only if its compares hold a transaction can lead to a fact.
func (j *judge) fitsNoFailure(t *Txn, f *fact) bool {
	return !slices.ContainsFunc(t.Failure, func(part Request) bool { return j.fits(part.Ask, f) })
}

// views collects which revisions each watch has shown.
func (j *judge) views() []view {
	watches := map[int64]*view{}
	var numbers []int64
	for _, i := range j.asked {
		if w := j.history[i].Request.Ask.(*Watch); watches[w.Watch] == nil {
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
	if t := j.single(kv.Lease); t != nil {
		t.aliveAt = max(t.aliveAt, revision)
	}
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
