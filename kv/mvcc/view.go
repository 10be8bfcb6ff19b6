package mvcc

import (
	"fmt"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"detcd/storage/archive"
)

// View is the store at one moment. It never changes, may be used from any goroutine, and needs no
// release.
type View struct {
	index       index
	archive     *archive.View
	keys        int
	revision    int64
	compacted   int64
	compactions []compaction
}

// Revision returns the revision of the last write in the view.
func (v *View) Revision() int64 { return v.revision }

// Compacted returns the revision of the last compaction in the view, -1 when there was none.
func (v *View) Compacted() int64 { return v.compacted }

// Keys returns how many keys exist in the view.
func (v *View) Keys() int { return v.keys }

// Meta returns what the index knows of the key as of the view; the zero Meta when there is none.
func (v *View) Meta(key []byte) Meta { return v.index.get(key).newest.meta() }

// Previous returns the key as it was just before a revision; nil when it did not exist then, or
// when that has been compacted.
func (v *View) Previous(key []byte, revision int64) (*mvccpb.KeyValue, error) {
	newest := v.index.get(key).newest
	if revision <= v.compacted || newest == nil {
		return nil, nil
	}
	before := newest.at(revision - 1)
	if before == nil || before.tombstone() {
		return nil, nil
	}
	event, err := v.event(key, before)
	return event.GetKv(), err
}

// KeyEvents is Events for one key, found by the index instead of a pass over all changes.
func (v *View) KeyEvents(key []byte, from, to int64,
	each func(revision int64, events []*mvccpb.Event) bool) error {
	if from < v.compacted {
		return ErrCompacted
	}
	newest := v.index.get(key).newest
	if newest == nil {
		return nil
	}
	next := newest.from(first(from))
	for next != nil && next.main <= to {
		revision := next.main
		var events []*mvccpb.Event
		for ; next != nil && next.main == revision; next = newest.from(next.following()) {
			event, err := v.event(key, next)
			if err != nil {
				return err
			}
			events = append(events, event)
		}
		if !each(revision, events) {
			break
		}
	}
	return nil
}

// event reads one version as an event.
func (v *View) event(key []byte, of *version) (*mvccpb.Event, error) {
	if of.tombstone() {
		return newEvent(of, key, nil), nil
	}
	value, err := v.read(of)
	return newEvent(of, key, value), err
}

// Events calls each for every revision in [from, to] that changed something, in order, until it
// returns false. The events of a revision come together, in the order of the writes; they may be
// kept but not changed. A delete has only key and mod revision, and previous values are not filled
// in. A nil want is any key; else revisions with no key that is wanted are left out. It returns
// ErrCompacted when from is below the last compaction; what is above the view's revision is not
// there yet.
func (v *View) Events(from, to int64, want func(key []byte) bool,
	each func(revision int64, events []*mvccpb.Event) bool) error {
	if from < v.compacted {
		return ErrCompacted
	}
	var revision int64
	var events []*mvccpb.Event
	var malformed error
	deliver := func() bool {
		ready := events
		events = nil
		return len(ready) == 0 || each(revision, ready)
	}
	err := v.archive.Scan(first(from), first(min(to, v.revision)+1), func(r archive.Record) bool {
		of, key, err := cutHead(r.ID, r.Head)
		if err != nil {
			malformed = err
			return false
		}
		if of.main != revision {
			if !deliver() {
				return false
			}
			revision = of.main
		}
		if want == nil || want(key) {
			events = append(events, newEvent(&of, key, r.Body))
		}
		return true
	})
	if err == nil {
		err = malformed
	}
	if err != nil {
		return fmt.Errorf("mvcc: events from revision %d on: %w", from, err)
	}
	deliver()
	return nil
}

// first is the ID of the first change of a revision.
func first(revision int64) archive.ID { return archive.ID{Major: uint64(max(revision, 0))} }

// newEvent makes the event of a change. It copies key and value.
func newEvent(of *version, key, value []byte) *mvccpb.Event {
	var e struct { // one allocation for both
		event mvccpb.Event
		kv    mvccpb.KeyValue
	}
	data := make([]byte, 0, len(key)+len(value))
	data = append(append(data, key...), value...)
	e.event.Kv = &e.kv
	e.kv.Key = data[:len(key):len(key)]
	e.kv.ModRevision = of.main
	if of.tombstone() {
		e.event.Type = mvccpb.Event_DELETE
		return &e.event
	}
	e.kv.Value = data[len(key):]
	e.kv.CreateRevision, e.kv.Version, e.kv.Lease = of.create, of.number, of.lease
	return &e.event
}
