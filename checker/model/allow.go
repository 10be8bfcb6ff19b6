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
	for there && i < len(s.seen) && (s.seen[i].mod == somehow ||
		s.seen[i].create == 0 && s.seen[i].mod >= kv.Mod) {
		i++ // it says too little
	}
	if i == len(s.seen) {
		return true, true
	}
	next := s.seen[i]
	switch {
	case next.mod == 0 && there:
		free = e.deletes(kv.Key, s, kv.Mod, next.revision+1)
		return next.revision > kv.Mod && (free || j.mayEnd(s, kv.Key, next.revision)), free
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
		return free || j.mayEnd(s, kv.Key, next.create), free
	case !there || next.create != kv.Create:
		return false, false
	}
	return kv.Version+count(s.puts, kv.Mod, next.mod) <= next.version, true
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

// mayEnd tells whether something that nobody saw may have deleted a key up to a revision.
func (j *judge) mayEnd(s *sightings, key Bytes, upTo int64) bool {
	if s.ends {
		return true
	}
	for _, i := range s.lost {
		if o := &j.history[i]; o.Call > j.latest[upTo] {
			return false
		} else if !j.used[i] && meets(o.Request.Ask, need{key: key, deletion: true}) {
			return true
		}
	}
	return false
}
