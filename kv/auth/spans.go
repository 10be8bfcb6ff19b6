package auth

import (
	"cmp"
	"slices"
)

// A span is the keys from one on up to another, which is not in it.
type span struct{ from, to string }

// endless, as the end of a span, is behind all keys. No span ends before the empty key.
const endless = ""

// spanOf gives the keys that a range of a request, or of a permission, is about.
func spanOf(key, end string) span {
	switch end {
	case "":
		return span{key, key + "\x00"}
	case "\x00":
		return span{key, endless}
	}
	return span{key, end}
}

// later compares two ends.
func later(a, b string) bool { return b != endless && (a == endless || a > b) }

// spans are disjoint and do not touch each other; they ascend.
type spans []span

// spansOf is the union of the permissions for an access.
func spansOf(permissions []Permission, access Access) (all spans) {
	var single []span
	for _, p := range permissions {
		if p.Access.has(access) {
			single = append(single, spanOf(p.Key, p.End))
		}
	}
	slices.SortFunc(single, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	for _, s := range single {
		if last := len(all) - 1; last >= 0 && !later(s.from, all[last].to) {
			if later(s.to, all[last].to) {
				all[last].to = s.to
			}
			continue
		}
		all = append(all, s)
	}
	return all
}

// reach tells how far the keys go that are in the spans from one key on; false: it is not in them.
func (all spans) reach(key string) (to string, found bool) {
	i, exact := slices.BinarySearchFunc(all, key, func(s span, key string) int {
		return cmp.Compare(s.from, key)
	})
	if !exact {
		i--
	}
	if i < 0 || !later(all[i].to, key) {
		return "", false
	}
	return all[i].to, true
}

// covers tells whether every key of a span is in one of the sets, of which there may be several: it
// goes as far as any of them reaches, and on from there. A span without a key is covered when its
// first one is: so etcd has it.
func covers(sets []spans, s span) bool {
	for at := s.from; ; {
		furthest, found := at, false
		for _, set := range sets {
			if to, ok := set.reach(at); ok && (!found || later(to, furthest)) {
				furthest, found = to, true
			}
		}
		if !found || furthest == endless {
			return found
		}
		if at = furthest; !later(s.to, at) {
			return true
		}
	}
}
