package judge_test

import (
	"maps"
	"math"
	"slices"

	"detcd/checker/etcd"
)

// The oracle decides small histories by trying every order of their operations. It was written from
// etcd's documentation and knows nothing of the judge: it shares with it the types of the format
// alone. It is slow and short on purpose.

// world is an etcd that does one thing after the other.
type world struct {
	stores    []map[etcd.Bytes]etcd.KeyValue // by revision
	events    [][]etcd.Event                 // by revision
	compacted int64
	leases    map[int64]tenure
	moment    int64
	moments   []int64         // by revision
	compacts  []compaction    // that were done
	missed    map[int64]int64 // when a lease was last found missing, or ended
}

type compaction struct{ revision, at int64 }

// tenure is a lease.
type tenure struct {
	ttl   int64
	least bool  // its TTL may be higher
	ends  int64 // not before
}

func newWorld() *world {
	return &world{stores: []map[etcd.Bytes]etcd.KeyValue{nil, {}}, events: make([][]etcd.Event, 2),
		leases: map[int64]tenure{}, missed: map[int64]int64{}, moment: math.MinInt64,
		moments: []int64{math.MinInt64, math.MinInt64}, compacted: -1}
}

func (w *world) clone() *world {
	c := *w
	c.stores, c.events = slices.Clone(w.stores), slices.Clone(w.events)
	c.moments, c.compacts = slices.Clone(w.moments), slices.Clone(w.compacts)
	c.leases, c.missed = maps.Clone(w.leases), maps.Clone(w.missed)
	return &c
}

func (w *world) revision() int64 { return int64(len(w.stores)) - 1 }

func in(key, from, end etcd.Bytes) bool {
	switch end {
	case "":
		return key == from
	case "\x00":
		return key >= from
	}
	return from <= key && key < end
}

// A draft is a revision in the making.
type draft struct {
	w      *world
	store  map[etcd.Bytes]etcd.KeyValue
	before map[etcd.Bytes]etcd.KeyValue
	events []etcd.Event
}

func (w *world) begin() *draft {
	last := w.stores[w.revision()]
	return &draft{w: w, store: maps.Clone(last), before: last}
}

// end makes the revision, if anything changed.
func (d *draft) end() {
	if len(d.events) > 0 {
		d.w.stores = append(d.w.stores, d.store)
		d.w.events = append(d.w.events, d.events)
		d.w.moments = append(d.w.moments, d.w.moment)
	}
}

func (d *draft) revision() int64 {
	if len(d.events) > 0 {
		return d.w.revision() + 1
	}
	return d.w.revision()
}

func (d *draft) put(p *etcd.Put) (answer etcd.Response) {
	mod := d.w.revision() + 1
	kv := etcd.KeyValue{Key: p.Key, Value: p.Value, Lease: p.Lease, Mod: mod, Create: mod, Version: 1}
	if old, ok := d.store[p.Key]; ok {
		kv.Create, kv.Version = old.Create, old.Version+1
		if p.IgnoreValue {
			kv.Value = old.Value
		}
		if p.IgnoreLease {
			kv.Lease = old.Lease
		}
		if p.PrevKV {
			answer.KVs = []etcd.KeyValue{old}
		}
	}
	d.store[p.Key] = kv
	d.show(etcd.Event{KV: kv})
	answer.Revision = mod
	return answer
}

// show adds an event, with what the key was before the revision.
func (d *draft) show(e etcd.Event) {
	if old, ok := d.before[e.KV.Key]; ok && (e.Delete || e.KV.Version > 1) {
		e.Prev = &old
	}
	d.events = append(d.events, e)
}

func (d *draft) remove(keys []etcd.Bytes) {
	for _, key := range keys {
		delete(d.store, key)
		d.show(etcd.Event{Delete: true, KV: etcd.KeyValue{Key: key, Mod: d.w.revision() + 1}})
	}
}

func (d *draft) delete(ask *etcd.Delete) (answer etcd.Response) {
	var keys []etcd.Bytes
	for _, key := range slices.Sorted(maps.Keys(d.store)) {
		if in(key, ask.Key, ask.End) {
			keys = append(keys, key)
			if ask.PrevKV {
				answer.KVs = append(answer.KVs, d.store[key])
			}
		}
	}
	answer.Count = int64(len(keys))
	d.remove(keys)
	answer.Revision = d.revision()
	return answer
}

func (d *draft) read(ask *etcd.Range) (answer etcd.Response) {
	store := d.store
	if ask.Revision > 0 {
		store = d.w.stores[ask.Revision]
	}
	for _, key := range slices.Sorted(maps.Keys(store)) {
		if in(key, ask.Key, ask.End) {
			answer.Count++
			answer.KVs = append(answer.KVs, store[key])
		}
	}
	answer.Revision = d.revision()
	return answer
}

func (w *world) refuses(ask any) string {
	switch ask := ask.(type) {
	case *etcd.Range:
		if ask.Revision > w.revision() {
			return "etcdserver: mvcc: required revision is a future revision"
		}
		if ask.Revision > 0 && ask.Revision < w.compacted {
			return "etcdserver: mvcc: required revision has been compacted"
		}
	case *etcd.Put:
		if _, ok := w.leases[ask.Lease]; ask.Lease != 0 && !ok {
			return "etcdserver: requested lease not found"
		}
		_, ok := w.stores[w.revision()][ask.Key]
		if (ask.IgnoreValue || ask.IgnoreLease) && !ok {
			return "etcdserver: key not found"
		}
	}
	return ""
}

func (w *world) holds(c *etcd.Compare) bool {
	kv, there := w.stores[w.revision()][c.Key]
	number := [...]int64{kv.Version, kv.Create, kv.Mod}
	equal, greater := false, false
	if c.Target == 3 {
		if !there {
			return false
		}
		equal, greater = kv.Value == c.Value, kv.Value > c.Value
	} else {
		equal, greater = number[c.Target] == c.Number, number[c.Target] > c.Number
	}
	return [...]bool{equal, greater, !equal && !greater, !equal}[c.Result]
}

func (w *world) txn(t *etcd.Txn) (answer etcd.Response, failure string) {
	answer.Succeeded = true
	for i := range t.Compare {
		answer.Succeeded = answer.Succeeded && w.holds(&t.Compare[i])
	}
	branch := t.Failure
	if answer.Succeeded {
		branch = t.Success
	}
	for _, part := range branch {
		if failure := w.refuses(part.Ask); failure != "" {
			return answer, failure
		}
	}
	d := w.begin()
	for _, part := range branch {
		switch ask := part.Ask.(type) {
		case *etcd.Put:
			answer.Responses = append(answer.Responses, d.put(ask))
		case *etcd.Delete:
			answer.Responses = append(answer.Responses, d.delete(ask))
		case *etcd.Range:
			answer.Responses = append(answer.Responses, d.read(ask))
		}
	}
	d.end()
	answer.Revision = w.revision()
	return answer, ""
}

// endLease ends a lease: its keys go in one revision.
func (w *world) endLease(id int64) {
	d := w.begin()
	d.remove(w.keysOf(id))
	delete(w.leases, id)
	d.end()
	w.missed[id] = w.moment
}

func (w *world) keysOf(id int64) (keys []etcd.Bytes) {
	store := w.stores[w.revision()]
	for _, key := range slices.Sorted(maps.Keys(store)) {
		if store[key].Lease == id {
			keys = append(keys, key)
		}
	}
	return keys
}

const nanos = int64(1_000_000_000)

// does lets an operation happen now, and says whether it may have its outcome.
func (w *world) does(o *etcd.Operation) bool {
	var answer etcd.Response
	failure := ""
	switch ask := o.Request.Ask.(type) {
	case *etcd.Put:
		if failure = w.refuses(ask); failure == "" {
			d := w.begin()
			answer = d.put(ask)
			d.end()
		}
	case *etcd.Delete:
		d := w.begin()
		answer = d.delete(ask)
		d.end()
	case *etcd.Range:
		if failure = w.refuses(ask); failure == "" {
			answer = w.begin().read(ask)
		}
	case *etcd.Txn:
		answer, failure = w.txn(ask)
	case *etcd.Compact:
		if ask.Revision <= w.compacted {
			failure = "etcdserver: mvcc: required revision has been compacted"
		} else if ask.Revision > w.revision() {
			failure = "etcdserver: mvcc: required revision is a future revision"
		} else {
			w.compacted = ask.Revision
			w.compacts = append(w.compacts, compaction{ask.Revision, w.moment})
			if !o.Unknown && o.Error == "" {
				return o.Response.Revision >= w.revision()
			}
		}
	default:
		return w.doesLease(o)
	}
	if failure == "etcdserver: requested lease not found" {
		w.misses(o.Request.Ask)
	}
	switch {
	case o.Unknown:
		return true
	case o.Error != "" || failure != "":
		return o.Error == failure
	}
	return equal(&answer, o.Response)
}

// misses notes what an operation says of the one lease that it did not find.
func (w *world) misses(ask any) {
	var ids []int64
	switch ask := ask.(type) {
	case *etcd.Put:
		ids = append(ids, ask.Lease)
	case *etcd.Txn:
		for _, branch := range [][]etcd.Request{ask.Success, ask.Failure} {
			for _, part := range branch {
				if p, ok := part.Ask.(*etcd.Put); ok && p.Lease != 0 {
					ids = append(ids, p.Lease)
				}
			}
		}
	}
	slices.Sort(ids)
	ids = slices.DeleteFunc(slices.Compact(ids), func(id int64) bool {
		_, there := w.leases[id]
		return there
	})
	if len(ids) == 1 {
		w.missed[ids[0]] = w.moment
	}
}

// doesLease is does for what is about leases.
func (w *world) doesLease(o *etcd.Operation) bool {
	switch ask := o.Request.Ask.(type) {
	case *etcd.Grant:
		l, there := w.leases[ask.ID]
		if there {
			return o.Unknown || o.Error == "etcdserver: lease already exists"
		}
		l = tenure{ttl: ask.TTL, least: true, ends: w.moment + ask.TTL*nanos}
		if !o.Unknown {
			if o.Error != "" || o.Response.Lease.ID != ask.ID || o.Response.Lease.TTL < ask.TTL ||
				o.Response.Revision != w.revision() {
				return false
			}
			l.ttl, l.least = o.Response.Lease.TTL, false
			l.ends = w.moment + l.ttl*nanos
		} else if at, ok := w.missed[ask.ID]; ok {
			l.ends = max(at, o.Call) + ask.TTL*nanos
		} else {
			l.ends = o.Call + ask.TTL*nanos
		}
		w.leases[ask.ID] = l
		return true
	case *etcd.Revoke:
		if _, there := w.leases[ask.ID]; !there {
			w.missed[ask.ID] = w.moment
			return o.Unknown || o.Error == "etcdserver: requested lease not found"
		}
		w.endLease(ask.ID)
		return o.Unknown || o.Error == "" && o.Response.Revision == w.revision()
	case *etcd.KeepAlive:
		return w.renews(ask.ID, o)
	case *etcd.TimeToLive:
		return w.tells(ask, o)
	}
	return true
}

func (w *world) renews(id int64, o *etcd.Operation) bool {
	l, there := w.leases[id]
	switch {
	case o.Unknown:
		return true
	case o.Error != "" || o.Response.Revision > w.revision():
		return false
	case !there:
		w.missed[id] = w.moment
		return o.Response.Lease.TTL <= 0
	}
	ttl := o.Response.Lease.TTL
	if ttl < l.ttl || ttl > l.ttl && !l.least {
		return false
	}
	l.ends = max(l.ends, w.moment+ttl*nanos)
	w.leases[id] = l
	return true
}

func (w *world) tells(ask *etcd.TimeToLive, o *etcd.Operation) bool {
	l, there := w.leases[ask.ID]
	if o.Unknown {
		return true
	}
	if o.Error != "" || o.Response.Revision > w.revision() {
		return false
	}
	answer := o.Response.Lease
	if !there {
		w.missed[ask.ID] = w.moment
		return answer.TTL <= 0 && answer.Granted == 0
	}
	if answer.TTL <= 0 && answer.Granted == 0 || answer.Granted < l.ttl ||
		answer.Granted > l.ttl && !l.least || !l.least && answer.TTL > l.ttl+1 {
		return false
	}
	if (answer.TTL+1)*nanos <= l.ends-o.Return {
		return false
	}
	keys := slices.Sorted(slices.Values(answer.Keys))
	if !ask.Keys {
		return len(keys) == 0
	}
	return slices.Equal(keys, w.keysOf(ask.ID))
}

func equal(a, b *etcd.Response) bool {
	return a.Revision == b.Revision && a.Count == b.Count && a.More == b.More &&
		a.Succeeded == b.Succeeded && slices.Equal(a.KVs, b.KVs) &&
		slices.EqualFunc(a.Responses, b.Responses, func(x, y etcd.Response) bool {
			return equal(&x, &y)
		})
}
