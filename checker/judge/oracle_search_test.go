package judge_test

import (
	"maps"
	"math"
	"slices"

	"detcd/checker/etcd"
)

// oracle tries orders.
type oracle struct {
	history []etcd.Operation
	timed   []int // what has a place in the order
	tries   int
}

// explainable tells whether any order explains a history; decided is false if it took too long.
func explainable(history []etcd.Operation, most int) (can, decided bool) {
	o := &oracle{history: history}
	for i := range history {
		switch ask := history[i].Request.Ask.(type) {
		case *etcd.Watch, *etcd.Watched:
		case *etcd.Range:
			if !ask.Serializable {
				o.timed = append(o.timed, i)
			}
		default:
			o.timed = append(o.timed, i)
		}
	}
	can = o.try(newWorld(), 0, most)
	return can, o.tries <= most
}

// try lets what is not in a set happen, in any order.
func (o *oracle) try(w *world, done uint64, most int) bool {
	if o.tries++; o.tries > most {
		return false
	}
	first, left := int64(math.MaxInt64), false
	for k, i := range o.timed {
		if op := &o.history[i]; done>>k&1 == 0 && !op.Unknown {
			first, left = min(first, op.Return), true
		}
	}
	if !left && o.agrees(w) {
		return true
	}
	for k, i := range o.timed {
		op := &o.history[i]
		if done>>k&1 != 0 || op.Call > first {
			continue
		}
		next := w.clone()
		if next.moment = max(next.moment, op.Call); op.Unknown && w.moment > op.Call {
			next.moment = w.moment
		}
		if next.does(op) && o.try(next, done|1<<k, most) {
			return true
		}
	}
	for _, id := range slices.Sorted(maps.Keys(w.leases)) {
		if l := w.leases[id]; l.ends <= first {
			next := w.clone()
			next.moment = max(next.moment, l.ends)
			next.endLease(id)
			if o.try(next, done, most) {
				return true
			}
		}
	}
	return false
}

// agrees compares everything that has no place in the order with a finished one.
func (o *oracle) agrees(w *world) bool {
	made := func(revision, by int64) bool {
		return revision <= w.revision() && (revision < 1 || w.moments[revision] <= by)
	}
	for i := range o.history {
		op := &o.history[i]
		if op.Unknown {
			continue
		}
		if op.Error == "" && !made(op.Response.Revision, op.Return) {
			return false
		}
		ask, ok := op.Request.Ask.(*etcd.Range)
		if !ok || !ask.Serializable {
			continue
		}
		if op.Error != "" {
			if !o.mayFail(w, ask, op) {
				return false
			}
			continue
		}
		then := *w
		if op.Response.Revision < 1 {
			return false
		}
		then.stores = w.stores[:op.Response.Revision+1]
		if ask.Revision > then.revision() {
			return false
		}
		if answer := then.begin().read(ask); !equal(&answer, op.Response) {
			return false
		}
	}
	return o.watched(w)
}

func (o *oracle) mayFail(w *world, ask *etcd.Range, op *etcd.Operation) bool {
	if op.Error == "etcdserver: mvcc: required revision is a future revision" {
		return ask.Revision > 1
	}
	return op.Error == "etcdserver: mvcc: required revision has been compacted" && ask.Revision > 0 &&
		slices.ContainsFunc(w.compacts, func(c compaction) bool {
			return c.revision > ask.Revision && c.at <= op.Return
		})
}

// watched compares the watches.
func (o *oracle) watched(w *world) bool {
	for i := range o.history {
		if ask, ok := o.history[i].Request.Ask.(*etcd.Watch); ok && !o.follow(w, ask, i) {
			return false
		}
	}
	return true
}

// follow compares one watch: it shows the events of every revision, in order, and all of a revision
// in one message.
func (o *oracle) follow(w *world, ask *etcd.Watch, opened int) bool {
	next, created, ended := ask.Start, false, false
	for i := range o.history {
		op := &o.history[i]
		m, ok := op.Request.Ask.(*etcd.Watched)
		if !ok || m.Watch != ask.Watch {
			continue
		}
		reply := op.Response.Watch
		if ended || op.Return < o.history[opened].Call || reply.Created == created && !reply.Canceled {
			return false
		}
		if reply.Created {
			if created = true; next <= 0 {
				next = op.Response.Revision + 1
			}
			continue
		}
		if reply.Canceled {
			ended = true
			if c := reply.Compacted; c != 0 && (next >= c || !slices.ContainsFunc(w.compacts,
				func(done compaction) bool { return done.revision == c && done.at <= op.Return })) {
				return false
			}
			continue
		}
		upTo := op.Response.Revision
		if n := len(reply.Events); n > 0 {
			if last := reply.Events[n-1].KV.Mod; last > upTo {
				return false
			} else {
				upTo = last
			}
		}
		if upTo > w.revision() {
			return false
		}
		shown := reply.Events
		for ; next <= upTo; next++ {
			for _, e := range w.events[max(0, next)] {
				if !in(e.KV.Key, ask.Key, ask.End) || e.Delete && ask.NoDelete || !e.Delete && ask.NoPut {
					continue
				}
				if len(shown) == 0 || !o.sameEvent(w, &e, &shown[0], ask, op.Return) {
					return false
				}
				shown = shown[1:]
			}
		}
		if len(shown) > 0 {
			return false
		}
	}
	return true
}

func (o *oracle) sameEvent(w *world, want, got *etcd.Event, ask *etcd.Watch, by int64) bool {
	if want.Delete != got.Delete || want.KV != got.KV {
		return false
	}
	if !ask.PrevKV || want.Prev == nil {
		return got.Prev == nil
	}
	if got.Prev == nil {
		return slices.ContainsFunc(w.compacts, func(c compaction) bool {
			return c.revision > want.Prev.Mod && c.at <= by
		})
	}
	return *got.Prev == *want.Prev
}
