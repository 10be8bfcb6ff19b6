package main

import (
	"maps"
	"slices"
)

// settle checks what can be known only when the load is over, everything was answered and every
// watcher has reached the last revision.
func (l *ledger) settle(last int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, revision := range slices.Sorted(maps.Keys(l.answered)) {
		l.violate(revision, "acknowledged write lost: %v was acknowledged at revision %d, "+
			"the store ends at %d", l.answered[revision], revision, last)
	}
	if last < l.seen.Load() {
		l.violate(last, "revisions went back: the store ends at revision %d, but %d had been seen",
			last, l.seen.Load())
	}
	if last != l.end() {
		l.violate(0, "the store ends at revision %d, the log at %d", last, l.end())
	}
	for _, watcher := range slices.Sorted(maps.Keys(l.watchers)) {
		if at := l.watchers[watcher]; at != last {
			l.violate(0, "watcher %s ended at revision %d of %d", watcher, at, last)
		}
	}
	for _, revision := range slices.Sorted(maps.Keys(l.reads)) {
		l.violate(revision, "%d reads were answered at revision %d, the store ends at %d",
			len(l.reads[revision]), revision, last)
	}
	for _, id := range slices.Sorted(maps.Keys(l.leases)) {
		if one := l.leases[id]; one.kept && (one.ended != 0 || len(l.attached(id)) == 0) {
			l.violate(one.ended, "lease %x was kept alive and has no key any more", id)
		}
	}
}

// holds compares everything that a member holds at the last revision with the log.
func (l *ledger) holds(member string, all []version) {
	l.mu.Lock()
	defer l.mu.Unlock()
	there := map[string]bool{}
	for _, v := range all {
		there[v.key] = true
		if want, found := l.live[v.key]; !found {
			l.violate(v.revision, "%s holds %v, which the log has not", member, &v)
		} else if want != v {
			l.violate(v.revision, "%s holds %v, but the log has %v", member, &v, &want)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(l.live)) {
		if !there[key] {
			lost := l.live[key]
			l.violate(lost.revision, "%s has lost %v", member, &lost)
		}
	}
}

// written calls each for every put of the log after a revision, in order.
func (l *ledger) written(after int64, each func(v version)) {
	l.mu.Lock()
	log, first := l.log, l.first // what is in the log never changes
	l.mu.Unlock()
	for i, changes := range log {
		revision := first + int64(i)
		for _, c := range changes {
			if revision > after && !c.deleted {
				each(version{revision, c})
			}
		}
	}
}

// readBack compares the value that a read at an old revision found with what was written there.
func (l *ledger) readBack(member string, want version, found *version) {
	if found != nil && *found == want {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.violate(want.revision, "acknowledged write lost: %s finds %v at revision %d where %v was "+
		"written", member, found, want.revision, &want)
}

// startAt says that a new watcher begins at a revision.
func (l *ledger) startAt(watcher string, revision int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watchers[watcher] = revision - 1
}

// allShown tells whether every watcher was shown everything up to a revision.
func (l *ledger) allShown(revision int64) bool {
	return l.shown() >= revision
}

// shown returns the revision up to which every watcher was shown everything.
func (l *ledger) shown() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	shown := l.end()
	for _, at := range l.watchers {
		shown = min(shown, at)
	}
	return shown
}
