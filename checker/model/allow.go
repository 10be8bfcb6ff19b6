package model

import (
	"slices"
	"sort"
)

// allows tells whether a key may have become what it is, at a revision without owner, by what was
// seen of it later; and whether that needs no further change that nobody saw.
func (j *judge) allows(kv *KeyValue) (possible, free bool) {
	e := j.evidence
	s := e.keys[kv.Key]
	if s == nil {
		return true, true
	}
	i := sort.Search(len(s.seen), func(i int) bool { return s.seen[i].revision >= kv.Mod })
	there := kv.Version > 0
	for i < len(s.seen) && s.seen[i].saysNothing(kv) {
		i++
	}
	if i == len(s.seen) {
		return true, true
	}
	next := s.seen[i]
	switch {
	case next.mod == 0 && there:
		free = e.deletes(kv.Key, s, kv.Mod, next.revision+1)
		return next.revision > kv.Mod && (free || j.mayEnd(s, kv, next.revision)), free
	case next.mod == 0:
		return true, true
	case next.mod == somehow:
		return next.revision > kv.Mod, s.lastPut(kv.Mod, next.revision) > kv.Mod
	case next.mod < kv.Mod:
		return false, false
	case next.mod == kv.Mod && !there: // etcd lets a transaction delete what it puts
		return slices.Contains(e.facts[kv.Mod], fact{*kv, deleted}), true
	case next.create == 0:
		return true, true
	case next.mod == kv.Mod:
		return next.version == kv.Version && next.create == kv.Create, true
	case next.create > kv.Mod:
		free = !there || e.deletes(kv.Key, s, kv.Mod, next.create+1)
		return free || j.mayEnd(s, kv, next.create-1), free
	case !there || next.create != kv.Create:
		return false, false
	}
	return kv.Version+count(s.puts, kv.Mod, next.mod) <= next.version, true
}

// saysNothing tells that a sighting leaves open how a key became what it was.
func (v *sighting) saysNothing(kv *KeyValue) bool {
	if kv.Version == 0 {
		return v.create == 0 && v.mod > kv.Mod
	}
	return v.mod == somehow || v.create == 0 && v.mod >= kv.Mod
}

// agrees tells whether a key may have become what it is at a revision with an owner: all that was
// seen of the same version is equal.
func (j *judge) agrees(kv *KeyValue) bool {
	s := j.evidence.keys[kv.Key]
	if s == nil || kv.Version == 0 {
		return true
	}
	i := sort.Search(len(s.seen), func(i int) bool { return s.seen[i].revision >= kv.Mod })
	if i == len(s.seen) || s.seen[i].mod != kv.Mod || s.seen[i].create == 0 {
		return true
	}
	return s.seen[i].version == kv.Version && s.seen[i].create == kv.Create
}

// mayEnd tells whether something that nobody saw may have deleted a key, as it became, up to a
// revision: a deletion, or the end of the lease that it has or was given later. It is farfetched if
// that was asked for by a client that had gone on long before.
func (j *judge) mayEnd(s *sightings, kv *KeyValue, upTo int64) bool {
	if kv.Lease != 0 || s.ends || s.leased && s.lastPut(kv.Mod, upTo) > kv.Mod {
		return true
	}
	old := false
	for _, i := range s.lost {
		o := &j.history[i]
		if o.Call > j.latest[upTo] {
			break
		}
		ask := o.Request.Ask
		if j.used[i] || !meets(ask, need{key: kv.Key, deletion: true}) && !attaches(ask) {
			continue
		}
		if j.evidence.gaveUp[i] >= j.since[kv.Mod] {
			return true
		}
		old = true
	}
	j.farfetched = j.farfetched || old
	return old
}
