package judge

import (
	"cmp"
	"fmt"
	"slices"
	"sort"

	"detcd/checker/etcd"
)

// A fact is what was seen of a revision: what it made of one key.
type fact struct {
	kv      etcd.KeyValue
	deleted bool
	partial bool // neither value nor lease were shown
}

// A sight is what was seen of a key at a revision. One of version 0 was not there.
type sight struct {
	revision int64
	kv       etcd.KeyValue
}

// collectEvidence collects what was seen of revisions without owner, and, if watches do not show
// what each of them did, what was seen of keys.
func (j *judge) collectEvidence() {
	j.facts = map[int64][]fact{}
	if j.lit < j.last {
		j.seen = map[etcd.Bytes][]sight{}
	}
	for k := range j.views {
		v := &j.views[k]
		for _, e := range v.events {
			if j.owner[e.KV.Mod] == nobody {
				j.addFact(fact{kv: e.KV, deleted: e.Delete})
			}
			if e.Prev != nil && j.seen != nil {
				j.sees(e.Prev, e.KV.Mod-1, false)
			}
		}
	}
	if j.seen == nil {
		return
	}
	for i := range j.history {
		if o := &j.history[i]; o.Succeeded() && o.Response != nil && o.Response.Watch == nil {
			j.seesAll(o.Request.Ask, o.Response, o.Response.Revision, true)
		}
	}
	for k := range j.views {
		j.seesLeft(&j.views[k])
	}
	// order-free: each list is sorted by itself
	for key, list := range j.seen {
		slices.SortFunc(list, func(a, b sight) int {
			return cmp.Or(cmp.Compare(a.revision, b.revision), cmp.Compare(a.kv.Mod, b.kv.Mod))
		})
		j.seen[key] = slices.Compact(list)
	}
}

// seesLeft notes what the revisions that a watch showed have left: of the events of a key in one
// revision the last, for a transaction may delete what it puts. So a watch with a filter, or one
// that was cut off within a revision, does not tell.
func (j *judge) seesLeft(v *view) {
	if v.ask.NoPut || v.ask.NoDelete {
		return
	}
	revision, later := int64(0), map[etcd.Bytes]bool{}
	for k := len(v.events) - 1; k >= 0; k-- {
		kv := &v.events[k].KV
		if v.partial && kv.Mod == v.to {
			continue
		}
		if kv.Mod != revision {
			revision = kv.Mod
			clear(later)
		}
		if !later[kv.Key] {
			later[kv.Key] = true
			j.sees(kv, kv.Mod, false)
		}
	}
}

// seesAll notes what an answer shows. What is not there counts only if the revision is that at
// which it was not: a transaction that writes may have deleted it just before.
func (j *judge) seesAll(ask any, answer *etcd.Response, revision int64, exact bool) {
	stripped := false
	switch ask := ask.(type) {
	case *etcd.Range:
		if stripped = ask.KeysOnly; ask.Revision > 0 {
			revision = ask.Revision
		}
		if exact && ask.End == "" && answer.Count == 0 {
			j.see(sight{revision, etcd.KeyValue{Key: ask.Key}})
		}
	case *etcd.Put, *etcd.Delete:
		revision-- // they show what was before
	case *etcd.Txn:
		if wrote(ask, answer) {
			revision, exact = revision-1, false // what a part sees is of then, unless it was changed
		}
		for k, part := range ask.Branch(answer.Succeeded) {
			if k < len(answer.Responses) {
				j.seesAll(part.Ask, &answer.Responses[k], revision, exact)
			}
		}
		return
	}
	for k := range answer.KVs {
		j.sees(&answer.KVs[k], revision, stripped)
	}
}

// sees notes that a key was there at a revision: so a fact of the revision that changed it last.
func (j *judge) sees(kv *etcd.KeyValue, revision int64, stripped bool) {
	if kv.Mod < 2 || kv.Mod > j.last {
		return
	}
	if j.owner[kv.Mod] == nobody && kv.Version > 0 {
		j.addFact(fact{kv: *kv, partial: stripped})
	}
	j.see(sight{max(revision, kv.Mod), *kv})
}

// see notes what was seen of a key, if it may help.
func (j *judge) see(v sight) {
	if j.seen != nil && v.revision > j.lit {
		j.seen[v.kv.Key] = append(j.seen[v.kv.Key], v)
	}
}

// addFact adds a fact that is not yet there.
func (j *judge) addFact(f fact) {
	list := j.facts[f.kv.Mod]
	if !slices.Contains(list, f) {
		j.facts[f.kv.Mod] = append(list, f)
	}
}

// mayBeBy tells whether a request may lead to a fact.
func (f *fact) mayBeBy(ask any) (may bool) {
	eachPart(ask, func(part any) {
		switch part := part.(type) {
		case *etcd.Put:
			may = may || !f.deleted && part.Key == f.kv.Key &&
				(f.partial || part.IgnoreValue || part.Value == f.kv.Value) &&
				(f.partial || part.IgnoreLease || part.Lease == f.kv.Lease)
		case *etcd.Delete:
			may = may || f.deleted && etcd.Within(f.kv.Key, part.Key, part.End)
		}
	})
	return may
}

// believable compares what a revision made that nobody owns with what was seen of it, and of what
// it changed, then and later.
func (s *search) believable(r int64, i int32, changes []etcd.Change) *conflict {
	facts := s.facts[r]
	for k := range facts {
		f := &facts[k]
		if !slices.ContainsFunc(changes, func(c etcd.Change) bool { return f.explainedBy(&c) }) {
			return &conflict{op: i, say: func() string {
				return fmt.Sprintf("it does not explain what was seen of key %s at revision %d",
					quote(f.kv.Key), r)
			}}
		}
	}
	if r <= s.lit {
		return nil
	}
	for k := range changes {
		if !changes[k].OfKey() {
			continue
		}
		if kv, _ := changes[k].Versions(); s.isLast(kv) && !s.foreseen(kv) {
			key := kv.Key
			return &conflict{op: i, say: func() string {
				return fmt.Sprintf("it changes key %s at revision %d, and later answers show otherwise",
					quote(key), r)
			}}
		}
	}
	return nil
}

// isLast tells whether a version is what its revision left: etcd lets a transaction delete what it
// puts.
func (s *search) isLast(kv *etcd.KeyValue) bool {
	versions := s.state.History(kv.Key)
	return kv == &versions[len(versions)-1]
}

// explainedBy tells whether a change is what a fact says.
func (f *fact) explainedBy(c *etcd.Change) bool {
	if !c.OfKey() {
		return false
	}
	kv, _ := c.Versions()
	switch {
	case kv.Key != f.kv.Key || f.deleted != (kv.Version == 0):
		return false
	case f.partial:
		return kv.Version == f.kv.Version && kv.Create == f.kv.Create && kv.Mod == f.kv.Mod
	}
	return *kv == f.kv
}

// foreseen tells whether a key may have become what it is, by what was seen of it next.
func (s *search) foreseen(kv *etcd.KeyValue) bool {
	list := s.seen[kv.Key]
	n := sort.Search(len(list), func(n int) bool { return list[n].revision >= kv.Mod })
	if n == len(list) {
		return true
	}
	next := &list[n]
	there := kv.Version > 0
	switch {
	case next.kv.Version == 0 && next.kv.Mod == 0: // it was not there
		return next.revision > kv.Mod || !there
	case next.kv.Mod < kv.Mod:
		return false
	case next.kv.Mod == kv.Mod:
		return (next.kv.Version > 0) == there && next.kv.Version == kv.Version
	case next.kv.Version == 0 || next.kv.Create > kv.Mod:
		return true
	}
	return there && next.kv.Create == kv.Create && next.kv.Version > kv.Version
}
