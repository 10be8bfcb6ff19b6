package judge

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"

	"detcd/checker/etcd"
)

// A generator makes histories that hold, by letting a specification run: every operation gets a
// moment between its call and its return, and is applied in the order of moments.
type generator struct {
	random *rand.Rand
	state  *State

	operations, clients, keys int
	lost                      float64 // so many answers are lost; half of them never happened
	span                      int64   // how long an operation takes at most
	pause                     int64   // between the calls of a client
	leases, watches           bool
	plain                     bool // no ranges, compactions and errors: for the benchmark
	values                    int
	expiry                    map[int64]int64
	history                   []Operation

	client int64           // who calls
	held   map[int64]int64 // by client: its lease, of a plain load
	shared bool            // leases are given to keys that all write, not to the client's own
	alive  []int64         // leases of a plain load that have not ended
}

// drawn is an operation with its moment.
type drawn struct {
	op     Operation
	moment int64
}

// one tells that one of n cases is there.
func (g *generator) one(n int) bool { return g.random.IntN(n) == 0 }

// run makes the history.
func (g *generator) run() []Operation {
	g.state, g.expiry, g.held = etcd.NewState(), map[int64]int64{}, map[int64]int64{}
	plan := make([]drawn, 0, g.operations)
	next := make([]int64, g.clients)
	for range g.operations {
		client := g.random.IntN(g.clients)
		call := next[client] + g.random.Int64N(g.pause)
		length := 2 + g.random.Int64N(g.span)
		moment := call + g.random.Int64N(length)
		next[client] = call + length
		plan = append(plan, drawn{Operation{Client: int64(client), Call: call, Return: call + length},
			moment})
	}
	slices.SortFunc(plan, func(a, b drawn) int { return cmp.Compare(a.moment, b.moment) })
	for _, d := range plan {
		g.happen(d)
	}
	if g.watches {
		g.watch()
	}
	return g.history
}

// happen lets an operation happen at its moment, or not.
func (g *generator) happen(d drawn) {
	g.expire(d.moment)
	o := d.op
	g.client = o.Client
	o.Request = Request{Ask: g.ask()}
	if g.random.Float64() < g.lost {
		if g.one(2) {
			g.apply(&o)
		}
		o.Unknown, o.Return, o.Response, o.Error = true, 0, nil, ""
	} else {
		g.apply(&o)
	}
	g.history = append(g.history, o)
}

// expire ends leases whose time is over, when it pleases.
func (g *generator) expire(now int64) {
	if n := len(g.alive); n > 0 {
		k := g.random.IntN(n)
		if id := g.alive[k]; g.state.Lease(id) == nil || g.expiry[id] <= now {
			g.state.Apply(&Revoke{ID: id}, &Response{})
			g.alive = slices.Delete(g.alive, k, k+1)
		}
	}
	for id := int64(1); id <= 3; id++ {
		if at, ok := g.expiry[id]; ok && at <= now && g.state.Lease(id) != nil && g.one(2) {
			g.state.Apply(&Revoke{ID: id}, &Response{})
		}
	}
}

// apply lets the specification answer.
func (g *generator) apply(o *Operation) {
	out := &Response{}
	switch ask := o.Request.Ask.(type) {
	case *KeepAlive:
		if l := g.state.Lease(ask.ID); l != nil {
			out.Lease = &LeaseReply{ID: ask.ID, TTL: l.TTL}
			g.expiry[ask.ID] = max(g.expiry[ask.ID], o.Return+l.TTL*second)
		} else {
			out.Lease = &LeaseReply{ID: ask.ID}
		}
		out.Revision = g.state.Revision()
	case *Range:
		if ask.Serializable {
			g.past(ask, out)
			break
		}
		o.Error = g.state.Apply(ask, out)
	case *Grant:
		out.Lease = &LeaseReply{ID: ask.ID, TTL: ask.TTL}
		if o.Error = g.state.Apply(ask, out); o.Error == "" {
			g.expiry[ask.ID] = o.Return + ask.TTL*second
			if g.plain {
				g.alive = append(g.alive, ask.ID)
			}
		}
	default:
		o.Error = g.state.Apply(ask, out)
	}
	if o.Error == "" {
		o.Response = out
	}
}

// past answers from a member that is behind.
func (g *generator) past(ask *Range, out *Response) {
	then := max(1, g.state.Compacted(), g.state.Revision()-g.random.Int64N(3))
	old := *ask
	old.Revision = then
	g.state.Apply(&old, out)
	out.Revision = then
}

func (g *generator) key() Bytes {
	if g.plain {
		return Bytes(fmt.Sprintf("key-%06d", g.random.IntN(g.keys)))
	}
	return Bytes([]byte{'a' + byte(g.random.IntN(g.keys))})
}

func (g *generator) value() Bytes {
	g.values++
	if !g.plain && g.one(3) {
		return "same"
	}
	return Bytes(fmt.Sprintf("v%d", g.values))
}

func (g *generator) lease() int64 {
	if g.leases && g.one(2) {
		return 1 + g.random.Int64N(3)
	}
	return 0
}

// ask draws a request.
func (g *generator) ask() any {
	n := g.random.IntN(100)
	if g.plain {
		return g.askPlain(n)
	}
	switch {
	case n < 30:
		return g.put()
	case n < 45:
		r := &Range{Key: g.key(), Serializable: g.one(6), KeysOnly: g.one(6), CountOnly: g.one(8)}
		if g.one(3) {
			r.End = "\x00"
			if g.one(2) {
				r.Limit, r.Order = int64(g.random.IntN(3)), int32(g.random.IntN(3))
				r.Target = int32(g.random.IntN(5))
			}
		}
		if !r.Serializable && g.one(3) {
			r.Revision = max(0, g.state.Revision()-g.random.Int64N(4)+g.random.Int64N(2))
		}
		return r
	case n < 60:
		return g.delete()
	case n < 80:
		return g.txn(0)
	case n < 86:
		return &Compact{Revision: max(1, g.state.Revision()-g.random.Int64N(3))}
	case !g.leases:
		return g.put()
	case n < 93:
		return &Grant{ID: 1 + g.random.Int64N(3), TTL: 2 + g.random.Int64N(4)}
	case n < 96:
		return &Revoke{ID: 1 + g.random.Int64N(3)}
	}
	return &KeepAlive{ID: 1 + g.random.Int64N(3)}
}

// askPlain draws what a real load consists of.
func (g *generator) askPlain(n int) any {
	key := g.key()
	switch {
	case n < 38:
		return &Put{Key: key, Value: g.value()}
	case n < 70:
		return &Range{Key: key}
	case n < 73:
		return &Range{Key: Bytes(fmt.Sprintf("own-%06d", g.random.IntN(g.clients)))}
	case n < 78:
		return &Range{Key: key[:9], End: key[:9] + "\xff"}
	case n < 82:
		return &Delete{Key: key, PrevKV: true}
	case n < 94:
		mod := int64(0)
		if kv := g.state.Get(key); kv != nil && !g.one(10) {
			mod = kv.Mod
		}
		return &Txn{Compare: []Compare{{Key: key, Target: 2, Number: mod}},
			Success: []Request{{Ask: &Put{Key: key, Value: g.value()}}},
			Failure: []Request{{Ask: &Range{Key: key}}}}
	case n < 96:
		return &Put{Key: key, Value: g.value(), PrevKV: true}
	}
	return g.askLease(n, key)
}

// askLease draws what a client does with its lease: it ties keys to it, keeps it alive, and at last
// revokes it or lets it expire.
func (g *generator) askLease(n int, key Bytes) any {
	id := g.held[g.client]
	switch {
	case id == 0 || g.one(50):
		id = 1000 + int64(len(g.history))
		g.held[g.client] = id
		return &Grant{ID: id, TTL: 2 + g.random.Int64N(4)}
	case n < 98:
		return &KeepAlive{ID: id}
	case n == 98 && g.one(4):
		g.held[g.client] = 0
		return &Revoke{ID: id}
	}
	if !g.shared {
		key = Bytes(fmt.Sprintf("own-%06d", g.client))
	}
	return &Put{Key: key, Value: g.value(), Lease: id}
}

func (g *generator) put() *Put {
	return &Put{Key: g.key(), Value: g.value(), Lease: g.lease(), PrevKV: g.one(3)}
}

func (g *generator) delete() *Delete {
	d := &Delete{Key: g.key(), PrevKV: g.one(3)}
	if g.one(4) {
		d.End = "\x00"
	}
	return d
}

func (g *generator) txn(depth int) *Txn {
	t := &Txn{}
	for range g.random.IntN(3) {
		c := Compare{Key: g.key(), Target: int32(g.random.IntN(3)), Result: int32(g.random.IntN(4)),
			Number: g.random.Int64N(5)}
		t.Compare = append(t.Compare, c)
	}
	branch := func() (parts []Request) {
		for range g.random.IntN(3) {
			switch n := g.random.IntN(6); {
			case n < 3:
				parts = append(parts, Request{Ask: g.put()})
			case n == 3:
				parts = append(parts, Request{Ask: g.delete()})
			case n == 4 && depth < 2:
				parts = append(parts, Request{Ask: g.txn(depth + 1)})
			default:
				parts = append(parts, Request{Ask: &Range{Key: g.key()}})
			}
		}
		return parts
	}
	t.Success, t.Failure = branch(), branch()
	return t
}

// watch adds watches that saw everything, some of them in two parts.
func (g *generator) watch() {
	g.watchAll([]*Watch{{Watch: 1, Key: "\x00", End: "\x00", Start: 1, PrevKV: true},
		{Watch: 2, Key: g.key(), Start: 2}, {Watch: 3, Key: "a", End: "c", Start: 1, NoDelete: true},
		{Watch: 4, Key: "\x00", End: "\x00", Start: 1 + g.random.Int64N(g.state.Revision()),
			NoPut: true}})
}

// watchAll adds watches.
func (g *generator) watchAll(asks []*Watch) {
	end := int64(0)
	for i := range g.history {
		end = max(end, g.history[i].Call, g.history[i].Return)
	}
	for _, ask := range asks {
		g.history = append(g.history, Operation{Call: 0, Return: end + 1, Request: Request{Ask: ask},
			Response: &Response{}})
		g.message(ask, end+1, 1, &WatchReply{Created: true})
		g.show(ask, end+2)
	}
}

// message adds a message of a watch.
func (g *generator) message(ask *Watch, at, revision int64, m *WatchReply) {
	g.history = append(g.history, Operation{Call: at, Return: at,
		Request:  Request{Ask: &Watched{Watch: ask.Watch}},
		Response: &Response{Revision: revision, Watch: m}})
}

// show adds what a watch sees.
func (g *generator) show(ask *Watch, at int64) {
	m := &WatchReply{}
	for _, c := range g.state.Changes() {
		if !c.OfKey() {
			continue
		}
		kv, before := c.Versions()
		if kv.Mod < ask.Start || !etcd.Within(kv.Key, ask.Key, ask.End) {
			continue
		}
		if kv.Version > 0 && ask.NoPut || kv.Version == 0 && ask.NoDelete {
			continue
		}
		last := len(m.Events) - 1
		if last >= 0 && m.Events[last].KV.Mod != c.Revision && g.one(2) {
			g.message(ask, at, m.Events[last].KV.Mod, m)
			if g.one(3) {
				g.message(ask, at, c.Revision-1, &WatchReply{})
			}
			m = &WatchReply{}
		}
		e := Event{Delete: kv.Version == 0, KV: *kv}
		if ask.PrevKV && before != nil {
			previous := *before
			e.Prev = &previous
		}
		m.Events = append(m.Events, e)
	}
	if len(m.Events) > 0 {
		g.message(ask, at, m.Events[len(m.Events)-1].KV.Mod, m)
	}
	g.message(ask, at, g.state.Revision(), &WatchReply{})
}
