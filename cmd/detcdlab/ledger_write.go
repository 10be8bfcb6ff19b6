package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// begin makes a write known before it is sent and gives it an id. The floor that it returns is to
// be handed to the methods that take its answer.
func (l *ledger) begin(w *write) (floor int64) {
	floor = l.seen.Load()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.nextWrite++
	w.id, w.sent = l.nextWrite, l.now()
	l.writes[w.id] = w
	return floor
}

// value returns what the write puts at its keys: its id and padding to a size.
func (w *write) value(size int) string {
	text := strconv.FormatInt(int64(w.id), 10) + "."
	return text + strings.Repeat("x", max(size-len(text), 0))
}

// valueID returns the id at the beginning of a value; 0 when there is none.
func valueID(value string) writeID {
	digits, _, _ := strings.Cut(value, ".")
	id, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0
	}
	return writeID(id)
}

// String says a write in a few words.
func (w *write) String() string {
	text := fmt.Sprintf("write %d (%s of %s", w.id, w.what, strings.Join(w.puts, ", "))
	if len(w.deletes) > 0 {
		text += ", deletes " + strings.Join(w.deletes, ", ")
	}
	return text + fmt.Sprintf("; sent at %.3f s)", w.sent.Seconds())
}

// acknowledged takes the answer of a write that succeeded.
func (l *ledger) acknowledged(w *write, revision, floor int64) {
	l.see(revision)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts.Acknowledged++
	w.answered, w.ended = revision, true
	if revision <= floor {
		l.violate(revision, "revisions went back: %v was acknowledged at revision %d, "+
			"after revision %d had been seen", w, revision, floor)
		return
	}
	if revision <= l.end() {
		l.confirm(w)
		return
	}
	if other := l.answered[revision]; other != nil {
		l.violate(revision, "%v and %v were both acknowledged at revision %d", w, other, revision)
	}
	l.answered[revision] = w
}

// confirm holds an acknowledged write against the log, which has reached its revision.
func (l *ledger) confirm(w *write) {
	if w.applied != w.answered {
		l.violate(w.answered, "acknowledged write lost: %v was acknowledged at revision %d, "+
			"where the log has something else", w, w.answered)
		return
	}
	delete(l.writes, w.id)
}

// unanswered notes that no answer to the write came or will come: it may have happened, or may
// still happen, once.
func (l *ledger) unanswered(w *write) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts.Unknown++
	w.ended = true
	if w.applied > 0 {
		l.counts.Recovered++
		delete(l.writes, w.id)
	}
}

// notApplied takes the answer that the write did nothing, as of a revision: its condition did not
// hold.
func (l *ledger) notApplied(w *write, revision, floor int64) {
	l.see(revision)
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.writes, w.id)
	if revision < floor {
		l.violate(revision, "revisions went back: %v was refused at revision %d, "+
			"after revision %d had been seen", w, revision, floor)
	}
	if w.applied > 0 {
		l.violate(w.applied, "%v was refused, but is in the log at revision %d", w, w.applied)
	}
}

// judge finds out which write, or the end of which lease, a revision is.
func (l *ledger) judge(revision int64, changes []change) {
	var id writeID
	var puts, deletes []string
	for i, c := range changes {
		if i > 0 && c.key == changes[i-1].key {
			l.violate(revision, "revision %d changed %s twice", revision, c.key)
		}
		if c.deleted {
			deletes = append(deletes, c.key)
			continue
		}
		if id != 0 && valueID(c.value) != id {
			l.violate(revision, "revision %d mixes writes %d and %d", revision, id,
				valueID(c.value))
		}
		id = valueID(c.value)
		puts = append(puts, c.key)
	}
	if len(puts) == 0 {
		l.judgeLeaseEnd(revision, deletes)
		return
	}
	w := l.writes[id]
	if w == nil {
		l.violate(revision, "revision %d has write %d, which was never sent, was refused, "+
			"or is in the log already", revision, id)
		return
	}
	if w.applied > 0 {
		l.violate(revision, "%v was applied twice: at revisions %d and %d", w, w.applied, revision)
		return
	}
	w.applied = revision
	if !sameKeys(puts, w.puts) || !sameKeys(deletes, w.deletes) {
		l.violate(revision, "revision %d has %v only in part: puts %v, deletes %v",
			revision, w, puts, deletes)
	}
	for _, c := range changes {
		if !c.deleted && c.lease != w.lease {
			l.violate(revision, "%v is attached to lease %x, not %x", c, c.lease, w.lease)
		}
	}
	if w.answered == 0 && w.ended {
		l.counts.Recovered++
		delete(l.writes, w.id)
	}
}

func sameKeys(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// readAnswered takes the answer of a linearizable read of one key.
func (l *ledger) readAnswered(key string, found *version, revision, floor int64, who string) {
	l.see(revision)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts.Reads++
	if revision < floor {
		l.violate(revision, "revisions went back: a read of %s by %s was answered at revision %d, "+
			"after revision %d had been seen", key, who, revision, floor)
		return
	}
	l.place(revision, read{key, found, who})
}

// serializableRead takes the answer of a member that may lag, but not invent.
func (l *ledger) serializableRead(key string, found *version, revision int64, who string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.place(revision, read{key, found, who})
}

// place judges a read at its revision, as soon as the log has reached that.
func (l *ledger) place(revision int64, r read) {
	if revision > l.end() {
		l.reads[revision] = append(l.reads[revision], r)
		return
	}
	l.judgeRead(revision, r)
}

func (l *ledger) judgeRead(revision int64, r read) {
	want := l.at(r.key, revision)
	switch {
	case want == nil && r.found == nil:
	case want == nil || r.found == nil || *want != *r.found:
		l.violate(revision, "a read of %s by %s at revision %d found %v, but the log has %v",
			r.key, r.who, revision, r.found, want)
	}
}

// String says a version in a few words.
func (v *version) String() string {
	if v == nil {
		return "nothing"
	}
	return fmt.Sprintf("%v of revision %d", v.change, v.revision)
}
