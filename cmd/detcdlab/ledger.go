package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A ledger judges a cluster by what it promised and by what it showed. Clients tell it of every
// write before it is sent and of every answer; watchers tell it of every change. It keeps the one
// order of all changes, which the watchers must agree on, and holds every answer against it:
//
//	client ── begin ────────► ┌────────┐ ◄──── deliver ── watcher a (revision 2, 3, 4, ...)
//	client ── acknowledged ─► │ ledger │ ◄──── deliver ── watcher b (the same)
//	client ── read ─────────► └────────┘ ◄──── state, hash at the end ── members
//
// Every change of the store must come from a write or a lease that the ledger knows. So the rules
// are sharp:
//
//  1. A watcher is shown every revision once, in order, without a gap, and all watchers the same.
//  2. A revision is one write, whole, that was sent and not applied before; or the end of a lease.
//  3. A write that was acknowledged is in the log, at the revision that was answered.
//  4. An answer's revision is not below any that was seen before the request was sent; that of a
//     write is above them.
//  5. A read shows the value of its revision.
//  6. A lease does not end before its time, and never while it is kept alive.
//
// What breaks a rule is kept as a violation; the first closes Broken.
type ledger struct {
	seen   atomic.Int64  // the highest revision that anybody was shown
	broken chan struct{} // closed by the first violation
	now    func() time.Duration

	mu         sync.Mutex // guards what follows
	violations []string
	first      int64              // revision of log[0]
	log        [][]change         // the changes of each revision
	live       map[string]version // keys that are there after the last of the log
	history    map[string][]version
	watchers   map[string]int64 // the last revision that each was shown
	writes     map[writeID]*write
	answered   map[int64]*write // acknowledged at a revision that the log has not reached
	reads      map[int64][]read // the same for reads
	leases     map[leaseID]*lease
	nextWrite  writeID
	counts     counts
}

// counts are what the report tells of a ledger.
type counts struct {
	Acknowledged int64 `json:"acknowledged_writes"`
	Unknown      int64 `json:"unknown_writes"`         // without an answer
	Recovered    int64 `json:"unknown_but_applied"`    // of those: found in the log, whole
	Reads        int64 `json:"linearizable_reads"`     // that were answered
	Delivered    int64 `json:"watch_events_delivered"` // over all watchers
	LeasesEnded  int64 `json:"leases_ended"`
}

type (
	writeID int64
	leaseID int64
)

// A change is what a revision did to one key.
type change struct {
	key     string
	value   string
	deleted bool
	create  int64
	version int64
	lease   leaseID
}

// A version is a key's state since a revision.
type version struct {
	revision int64
	change
}

// A write is an operation that changes keys. Its value begins with its id, so that it is known
// again wherever it shows up.
type write struct {
	id       writeID
	what     string // put, txn, ...: for people
	puts     []string
	deletes  []string
	lease    leaseID
	sent     time.Duration
	answered int64 // the revision of its acknowledgement; 0: none came
	ended    bool  // no answer can come any more
	applied  int64 // the revision at which the log has it; 0: not
}

// A read is an answer to a read of one key.
type read struct {
	key   string
	found *version // nil: no such key
	who   string
}

// The store begins at revision 1, before the first write.
const firstRevision = 2

// violationsMax bounds how many are kept; the first says what went wrong.
const violationsMax = 10

func newLedger(now func() time.Duration) *ledger {
	return &ledger{
		broken:   make(chan struct{}),
		now:      now,
		first:    firstRevision,
		live:     map[string]version{},
		history:  map[string][]version{},
		watchers: map[string]int64{},
		writes:   map[writeID]*write{},
		answered: map[int64]*write{},
		reads:    map[int64][]read{},
		leases:   map[leaseID]*lease{},
	}
}

// violate keeps a violation with the changes around its revision, if it has one.
func (l *ledger) violate(revision int64, format string, arguments ...any) {
	text := fmt.Sprintf(format, arguments...)
	if revision > 0 {
		text += l.around(revision)
	}
	if len(l.violations) == 0 {
		close(l.broken)
	}
	if len(l.violations) < violationsMax {
		l.violations = append(l.violations, fmt.Sprintf("%.3f s: %s", l.now().Seconds(), text))
	}
}

// around returns the log near a revision, as evidence.
func (l *ledger) around(revision int64) string {
	var text strings.Builder
	for r := max(revision-2, l.first); r <= min(revision+2, l.end()); r++ {
		for _, c := range l.log[r-l.first] {
			fmt.Fprintf(&text, "\n    log: revision %d: %v", r, c)
		}
	}
	return text.String()
}

// String says a change in a few words.
func (c change) String() string {
	if c.deleted {
		return "delete " + c.key
	}
	text := fmt.Sprintf("put %s = %.24s (created %d, version %d", c.key, c.value, c.create, c.version)
	if c.lease != 0 {
		text += fmt.Sprintf(", lease %x", int64(c.lease))
	}
	return text + ")"
}

// end is the last revision of the log.
func (l *ledger) end() int64 { return l.first + int64(len(l.log)) - 1 }

// position returns the last revision of the log.
func (l *ledger) position() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.end()
}

// failure returns all violations as one error; nil when there is none.
func (l *ledger) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.violations) == 0 {
		return nil
	}
	return errors.New("VIOLATION " + strings.Join(l.violations, "\nVIOLATION "))
}

// tally returns the counts.
func (l *ledger) tally() counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.counts
}

// see notes that a revision was shown to somebody.
func (l *ledger) see(revision int64) {
	for {
		seen := l.seen.Load()
		if revision <= seen || l.seen.CompareAndSwap(seen, revision) {
			return
		}
	}
}

// deliver takes one revision that a watcher was shown.
func (l *ledger) deliver(watcher string, revision int64, changes []change) {
	l.see(revision)
	l.mu.Lock()
	defer l.mu.Unlock()
	last, known := l.watchers[watcher]
	if !known {
		last = l.first - 1
	}
	switch {
	case revision <= last:
		l.violate(revision, "watcher %s was shown revision %d again, or late: it was at %d",
			watcher, revision, last)
		return
	case revision > last+1:
		l.violate(revision, "watcher %s missed %d events or more: revisions %d to %d, then came %d",
			watcher, revision-last-1, last+1, revision-1, revision)
		return
	}
	l.watchers[watcher] = revision
	l.counts.Delivered += int64(len(changes))
	slices.SortFunc(changes, func(a, b change) int { return strings.Compare(a.key, b.key) })
	if revision <= l.end() {
		if kept := l.log[revision-l.first]; !slices.Equal(kept, changes) {
			l.violate(revision, "watcher %s was shown %v at revision %d, another %v",
				watcher, changes, revision, kept)
		}
		return
	}
	l.extend(revision, changes)
}

// extend puts the next revision at the end of the log and settles who waited for it.
func (l *ledger) extend(revision int64, changes []change) {
	l.log = append(l.log, changes)
	l.judge(revision, changes)
	for _, c := range changes {
		l.apply(revision, c)
	}
	if w := l.answered[revision]; w != nil {
		delete(l.answered, revision)
		l.confirm(w)
	}
	for _, r := range l.reads[revision] {
		l.judgeRead(revision, r)
	}
	delete(l.reads, revision)
}

// apply makes one change to the state, and compares what the change says of itself with it.
func (l *ledger) apply(revision int64, c change) {
	before, there := l.live[c.key]
	l.history[c.key] = append(l.history[c.key], version{revision, c})
	if c.deleted {
		if !there {
			l.violate(revision, "revision %d deleted %s, which was not there", revision, c.key)
		}
		delete(l.live, c.key)
		return
	}
	create, number := revision, int64(1)
	if there {
		create, number = before.create, before.version+1
	}
	if c.create != create || c.version != number {
		l.violate(revision, "revision %d: %v, want created %d, version %d",
			revision, c, create, number)
	}
	l.live[c.key] = version{revision, c}
}

// at returns the version of a key at a revision that the log has reached; nil when there was none.
func (l *ledger) at(key string, revision int64) *version {
	all := l.history[key]
	i, exact := slices.BinarySearchFunc(all, revision, func(v version, revision int64) int {
		return int(v.revision - revision)
	})
	if exact {
		i++
	}
	if i == 0 || all[i-1].deleted {
		return nil
	}
	return &all[i-1]
}
