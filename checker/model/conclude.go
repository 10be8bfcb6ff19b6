package model

import (
	"cmp"
	"slices"
	"sort"
)

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
		before, from := sighting{revision: 1}, 0
		for n, after := range s.seen {
			if after.mod == 0 || after.create > 0 {
				e.between(key, s, before, after, s.seen[from:n])
				before, from = after, n+1
			} else if after.mod == somehow && before.mod == 0 &&
				s.lastPut(before.revision, after.revision) == before.revision {
				e.need(need{key: key, after: before.revision, before: after.revision + 1, puts: 1})
			}
		}
		e.rooms = append(e.rooms, need{key: key, after: before.revision, before: last + 1})
	}
	byBegin := func(a, b need) int { return cmp.Compare(a.after, b.after) }
	slices.SortStableFunc(e.needs, byBegin)
	for k := range e.needs {
		e.needs[k].end = e.needs[k].before
	}
	slices.SortStableFunc(e.rooms, byBegin)
}

// between counts the changes of a key that are missing between two sightings. Those that say too
// little to count by stand between these.
func (e *evidence) between(
	key Bytes, s *sightings, before, after sighting, vague []sighting) {
	switch {
	case after.mod > 0 && after.mod <= before.revision:
	case after.mod > 0 && before.mod > 0 && after.create == before.create:
		missing := after.version - before.version - count(s.puts, before.revision, after.mod)
		e.need(need{key: key, after: before.revision, before: e.until(after.mod, vague),
			puts: missing, there: true, vague: vague})
	case after.mod > 0:
		e.room(key, s, before.revision, after.create)
		last := s.lastPut(before.revision, after.create-1)
		if (before.mod > 0 || last > before.revision) && !e.deletes(key, s, last, after.create+1) {
			e.need(need{key: key, after: last, before: after.create, deletion: true})
		}
		missing := after.version - 1 - count(s.puts, after.create, after.mod)
		e.need(need{key: key, after: after.create, before: e.until(after.mod, vague),
			puts: missing, there: true, vague: vague})
	default:
		e.room(key, s, before.revision, after.revision)
		last := s.lastPut(before.revision, after.revision)
		if (before.mod > 0 || last > before.revision) && !e.deletes(key, s, last, after.revision+1) {
			e.need(need{key: key, after: last, before: after.revision + 1, deletion: true})
		}
	}
}

// until returns before when changes of a key must have been that are missing, because of what else
// was seen of it: nothing happened to it between when it was changed and when it was seen.
func (e *evidence) until(end int64, vague []sighting) int64 {
	for n := len(vague) - 1; n >= 0; n-- {
		v := &vague[n]
		if v.mod > 0 && v.mod < end && v.revision < end && e.blank[end] == e.blank[v.revision+1] {
			end = v.mod
		}
	}
	return end
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
