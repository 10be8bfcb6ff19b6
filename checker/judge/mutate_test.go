package judge

import (
	"math/rand/v2"

	"detcd/checker/etcd"
)

// A mutation breaks one thing in a history, if there is such a thing.
type mutation struct {
	name string
	do   func(r *rand.Rand, history []Operation) bool
}

// pick returns an operation that fits, in a copy of its own that may be changed.
func pick(r *rand.Rand, history []Operation, fits func(o *Operation) bool) *Operation {
	from := r.IntN(len(history))
	for k := range history {
		o := &history[(from+k)%len(history)]
		if o.Succeeded() && o.Response != nil && fits(o) {
			copied := *o.Response
			copied.KVs = append([]KeyValue(nil), o.Response.KVs...)
			copied.Responses = append([]Response(nil), o.Response.Responses...)
			if m := o.Response.Watch; m != nil {
				message := *m
				message.Events = append([]Event(nil), m.Events...)
				copied.Watch = &message
			}
			o.Response = &copied
			return o
		}
	}
	return nil
}

// on makes a mutation of one operation.
func on(fits func(o *Operation) bool, do func(r *rand.Rand, o *Operation),
) func(*rand.Rand, []Operation) bool {
	return func(r *rand.Rand, history []Operation) bool {
		o := pick(r, history, fits)
		if o == nil {
			return false
		}
		do(r, o)
		return true
	}
}

func hasKVs(o *Operation) bool { return len(o.Response.KVs) > 0 }

func hasRevision(o *Operation) bool {
	_, renewal := o.Request.Ask.(*KeepAlive)
	return etcd.OfThePresent(o) && !renewal
}

func isTxn(o *Operation) bool {
	t, ok := o.Request.Ask.(*Txn)
	return ok && !t.MayBeOld()
}

func hasParts(o *Operation) bool { return isTxn(o) && len(o.Response.Responses) > 0 }

func wasGranted(o *Operation) bool {
	_, ok := o.Request.Ask.(*Grant)
	return ok
}

func isRange(o *Operation) bool {
	_, ok := o.Request.Ask.(*Range)
	return ok
}

// mutations of what is about keys, compactions and leases.
func mutations() []mutation { return append(ofContents(), ofOutcomes()...) }

// ofContents change what an answer shows.
func ofContents() []mutation {
	return []mutation{
		{"other value", on(hasKVs, func(_ *rand.Rand, o *Operation) {
			o.Response.KVs[0].Value += "!"
		})},
		{"other version", on(hasKVs, func(_ *rand.Rand, o *Operation) {
			o.Response.KVs[0].Version++
		})},
		{"other create revision", on(hasKVs, func(_ *rand.Rand, o *Operation) {
			o.Response.KVs[0].Create--
		})},
		{"older mod revision", on(hasKVs, func(_ *rand.Rand, o *Operation) {
			o.Response.KVs[0].Mod--
		})},
		{"other lease", on(hasKVs, func(_ *rand.Rand, o *Operation) {
			o.Response.KVs[0].Lease++
		})},
		{"missing key", on(hasKVs, func(_ *rand.Rand, o *Operation) {
			o.Response.KVs = o.Response.KVs[1:]
		})},
		{"key that is not there", on(isRange, func(_ *rand.Rand, o *Operation) {
			o.Response.KVs = append(o.Response.KVs, KeyValue{Key: "d", Create: 2, Mod: 2, Version: 1})
			o.Response.Count++
		})},
		{"other count", on(isRange, func(_ *rand.Rand, o *Operation) {
			o.Response.Count++
		})},
		{"other more", on(isRange, func(_ *rand.Rand, o *Operation) {
			o.Response.More = !o.Response.More
		})},
		{"torn transaction", on(hasParts, func(_ *rand.Rand, o *Operation) {
			o.Response.Responses = o.Response.Responses[:len(o.Response.Responses)-1]
		})},
		{"early expiry", on(wasGranted, func(_ *rand.Rand, o *Operation) { // it was to live for longer
			ask := *o.Request.Ask.(*Grant)
			ask.TTL += 100
			o.Request = Request{Ask: &ask}
			o.Response.Lease = &LeaseReply{ID: ask.ID, TTL: ask.TTL}
		})},
		{"later revision", on(hasRevision, func(_ *rand.Rand, o *Operation) {
			o.Response.Revision++
		})},
		{"earlier revision", on(hasRevision, func(_ *rand.Rand, o *Operation) {
			o.Response.Revision--
		})},
		{"other branch", on(isTxn, func(_ *rand.Rand, o *Operation) {
			o.Response.Succeeded = !o.Response.Succeeded
		})},
	}
}

// ofOutcomes change when an operation was, and how it ended.
func ofOutcomes() []mutation {
	return []mutation{
		{"swapped answers", swapAnswers},
		{"called later", on(etcd.OfThePresent, func(r *rand.Rand, o *Operation) {
			length := o.Return - o.Call
			o.Call = o.Return + r.Int64N(4*second)
			o.Return = o.Call + length
		})},
		{"returned earlier", on(etcd.OfThePresent, func(r *rand.Rand, o *Operation) {
			o.Return = o.Call + (o.Return-o.Call)/(2+r.Int64N(9))
		})},
		{"failed after all", on(etcd.OfThePresent, func(_ *rand.Rand, o *Operation) {
			o.Error, o.Response = etcd.ErrCompacted, nil
		})},
		{"said that nothing happened", on(etcd.OfThePresent, func(_ *rand.Rand, o *Operation) {
			o.Error, o.Response = "etcdserver: too many requests", nil
		})},
		{"lost answer", on(etcd.OfThePresent, func(_ *rand.Rand, o *Operation) {
			o.Unknown, o.Response, o.Return = true, nil, 0
		})},
		{"no operation", func(r *rand.Rand, history []Operation) bool {
			i := r.IntN(len(history))
			if !etcd.OfThePresent(&history[i]) {
				return false
			}
			history[i] = Operation{Unknown: true, Request: Request{Ask: &Range{Key: "a"}}}
			return true
		}},
		{"other error", func(r *rand.Rand, history []Operation) bool {
			i := r.IntN(len(history))
			if !etcd.Explained(history[i].Error) {
				return false
			}
			history[i].Error = []string{etcd.ErrFuture, etcd.ErrLeaseNotFound,
				etcd.ErrKeyNotFound}[r.IntN(3)]
			return true
		}},
	}
}

// swapAnswers swaps what two operations of a kind were answered.
func swapAnswers(r *rand.Rand, history []Operation) bool {
	a := pick(r, history, isRange)
	b := pick(r, history, isRange)
	if a == nil || b == nil || a == b {
		return false
	}
	a.Response, b.Response = b.Response, a.Response
	return true
}
