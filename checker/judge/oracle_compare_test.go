package judge_test

import (
	"encoding/json"
	"flag"
	"math/rand/v2"
	"slices"
	"testing"

	"detcd/checker"
	"detcd/checker/etcd"
	"detcd/checker/judge"
)

var histories = flag.Int("oracle", 4000, "how many histories are shown to the oracle")

// A maker makes small histories. Half of them are what a client of the oracle's world would see,
// and of the others one thing is changed.
type maker struct {
	*rand.Rand
	world   *world
	history []etcd.Operation
}

func (m *maker) key() etcd.Bytes { return []etcd.Bytes{"a", "b"}[m.IntN(2)] }

func (m *maker) one(n int) bool { return m.IntN(n) == 0 }

func (m *maker) lease() int64 {
	if m.one(3) {
		return 7 + m.Int64N(2)
	}
	return 0
}

func (m *maker) put() *etcd.Put {
	p := &etcd.Put{Key: m.key(), Value: []etcd.Bytes{"x", "y"}[m.IntN(2)], Lease: m.lease(),
		PrevKV: m.one(3)}
	switch {
	case m.one(6):
		p.Value, p.IgnoreValue = "", true
	case m.one(8):
		p.Lease, p.IgnoreLease = 0, true
	}
	return p
}

func (m *maker) end() etcd.Bytes { return []etcd.Bytes{"", "", "", "c"}[m.IntN(4)] }

func (m *maker) read() *etcd.Range {
	r := &etcd.Range{Key: m.key(), End: m.end(), Serializable: m.one(5)}
	if m.one(3) {
		r.Revision = 1 + m.Int64N(m.world.revision()+1)
	}
	return r
}

func (m *maker) txn() *etcd.Txn {
	t := &etcd.Txn{}
	for range m.IntN(2) {
		t.Compare = append(t.Compare, etcd.Compare{Key: m.key(), Target: int32(m.IntN(4)),
			Result: int32(m.IntN(4)), Number: m.Int64N(4), Value: "x"})
	}
	branch := func() (parts []etcd.Request) {
		written := map[etcd.Bytes]bool{}
		for range m.IntN(3) {
			switch m.IntN(3) {
			case 0:
				if p := m.put(); !written[p.Key] {
					written[p.Key] = true
					parts = append(parts, etcd.Request{Ask: p})
				}
			case 1:
				if d := (&etcd.Delete{Key: m.key()}); !written[d.Key] {
					written[d.Key] = true
					parts = append(parts, etcd.Request{Ask: d})
				}
			default:
				r := m.read()
				r.Serializable = false
				parts = append(parts, etcd.Request{Ask: r})
			}
		}
		return parts
	}
	t.Success, t.Failure = branch(), branch()
	if len(t.Success) == 0 { // else nobody promises that it is of the present
		t.Success = []etcd.Request{{Ask: &etcd.Range{Key: "a"}}}
	}
	return t
}

func (m *maker) ask() any {
	switch n := m.IntN(20); {
	case n < 6:
		return m.put()
	case n < 9:
		return m.read()
	case n < 11:
		return &etcd.Delete{Key: m.key(), End: m.end(), PrevKV: m.one(3)}
	case n < 13:
		return m.txn()
	case n < 15:
		return &etcd.Compact{Revision: 1 + m.Int64N(m.world.revision()+1)}
	case n < 17:
		return &etcd.Grant{ID: 7 + m.Int64N(2), TTL: []int64{2, 1000}[m.IntN(2)]}
	case n < 18:
		return &etcd.Revoke{ID: 7 + m.Int64N(2)}
	case n < 19:
		return &etcd.KeepAlive{ID: 7 + m.Int64N(2)}
	}
	return &etcd.TimeToLive{ID: 7 + m.Int64N(2), Keys: m.one(2)}
}

// make makes a history of so many operations.
func (m *maker) make(n int) {
	type timed struct{ call, back, at int64 }
	var times []timed
	at := int64(0)
	for range n {
		if at += m.Int64N(40); m.one(6) {
			at += 2 * nanos
		}
		times = append(times, timed{at - m.Int64N(60), at + m.Int64N(60), at})
	}
	for _, t := range times {
		m.happen(t.call, t.back, t.at)
	}
	if m.one(2) {
		m.watch(times[n-1].back + 1)
	}
}

// happen lets an operation happen at a moment.
func (m *maker) happen(call, back, at int64) {
	w := m.world
	w.moment = max(w.moment, at)
	for _, id := range []int64{7, 8} {
		if l, ok := w.leases[id]; ok && l.ends <= at && m.one(2) {
			w.endLease(id)
		}
	}
	o := etcd.Operation{Client: int64(len(m.history)), Call: call, Return: back}
	o.Request.Ask = m.ask()
	if m.one(4) {
		o.Unknown, o.Return = true, 0
		if m.one(2) {
			w.does(&o)
		}
		m.history = append(m.history, o)
		return
	}
	m.answer(&o)
	m.history = append(m.history, o)
}

// answer gives an operation the answer of the world.
func (m *maker) answer(o *etcd.Operation) {
	w := m.world
	o.Response = &etcd.Response{}
	switch ask := o.Request.Ask.(type) {
	case *etcd.Put:
		if o.Error = w.refuses(ask); o.Error == "" {
			d := w.begin()
			*o.Response = d.put(ask)
			d.end()
		}
	case *etcd.Delete:
		d := w.begin()
		*o.Response = d.delete(ask)
		d.end()
	case *etcd.Range:
		if o.Error = w.refuses(ask); o.Error == "" {
			*o.Response = w.begin().read(ask)
		}
	case *etcd.Txn:
		*o.Response, o.Error = w.txn(ask)
	case *etcd.Compact:
		o.Response.Revision = w.revision()
		if ask.Revision <= w.compacted {
			o.Error = "etcdserver: mvcc: required revision has been compacted"
		} else if ask.Revision > w.revision() {
			o.Error = "etcdserver: mvcc: required revision is a future revision"
		} else {
			w.does(o)
		}
	case *etcd.Grant:
		o.Response.Lease = &etcd.LeaseReply{ID: ask.ID, TTL: ask.TTL}
		o.Response.Revision = w.revision()
		if !w.does(o) {
			o.Error = "etcdserver: lease already exists"
		}
	case *etcd.Revoke:
		if _, ok := w.leases[ask.ID]; !ok {
			o.Error = "etcdserver: requested lease not found"
		} else {
			w.endLease(ask.ID)
		}
		o.Response.Revision = w.revision()
	case *etcd.KeepAlive:
		o.Response.Lease = &etcd.LeaseReply{ID: ask.ID, TTL: w.leases[ask.ID].ttl}
		o.Response.Revision = w.revision()
		w.does(o)
	case *etcd.TimeToLive:
		l, ok := w.leases[ask.ID]
		o.Response.Revision = w.revision()
		o.Response.Lease = &etcd.LeaseReply{ID: ask.ID, TTL: -1}
		if ok {
			o.Response.Lease = &etcd.LeaseReply{ID: ask.ID, Granted: l.ttl,
				TTL: max(0, (l.ends-w.moment)/nanos)}
			if ask.Keys {
				o.Response.Lease.Keys = w.keysOf(ask.ID)
			}
		}
	}
	if o.Error != "" {
		o.Response = nil
	}
}

// watch adds a watch that was heard to the end, or to a compaction.
func (m *maker) watch(at int64) {
	ask := &etcd.Watch{Watch: 1, Key: "a", End: "\x00", Start: 1 + m.Int64N(2), PrevKV: m.one(2)}
	if m.one(3) {
		ask.Key, ask.End, ask.NoPut, ask.NoDelete = m.key(), "", m.one(4), m.one(4)
	}
	add := func(ask any, response *etcd.Response) {
		m.history = append(m.history, etcd.Operation{Client: 99, Call: at, Return: at,
			Request: etcd.Request{Ask: ask}, Response: response})
	}
	add(ask, &etcd.Response{})
	told := &etcd.Watched{Watch: 1}
	add(told, &etcd.Response{Revision: m.world.revision(), Watch: &etcd.WatchReply{Created: true}})
	for r := ask.Start; r <= m.world.revision(); r++ {
		if m.world.compacted > r && m.one(2) {
			add(told, &etcd.Response{Watch: &etcd.WatchReply{Canceled: true,
				Compacted: m.world.compacted}})
			return
		}
		reply := &etcd.WatchReply{}
		for _, e := range m.world.events[r] {
			if !in(e.KV.Key, ask.Key, ask.End) || e.Delete && ask.NoDelete || !e.Delete && ask.NoPut {
				continue
			}
			if !ask.PrevKV {
				e.Prev = nil
			}
			reply.Events = append(reply.Events, e)
		}
		if len(reply.Events) > 0 || m.one(4) {
			add(told, &etcd.Response{Revision: r, Watch: reply})
		}
	}
}

// lie changes one thing.
func (m *maker) lie() {
	o := &m.history[m.IntN(len(m.history))]
	switch n := m.IntN(9); {
	case n == 0:
		shift := m.Int64N(200) - 100
		o.Call, o.Return = o.Call+shift, o.Return+shift
	case o.Unknown:
	case n == 1 && o.Error != "":
		o.Error = []string{"etcdserver: key not found", "etcdserver: requested lease not found",
			"etcdserver: mvcc: required revision has been compacted", "etcdserver: lease already exists",
			"etcdserver: mvcc: required revision is a future revision"}[m.IntN(5)]
	case n == 2 && o.Error == "" && len(o.Response.KVs) > 0:
		o.Response.KVs = slices.Clone(o.Response.KVs)
		kv := &o.Response.KVs[0]
		switch m.IntN(4) {
		case 0:
			kv.Value = "z"
		case 1:
			kv.Version++
		case 2:
			kv.Lease = 7 - kv.Lease
		default:
			kv.Mod++
		}
	case n < 5 && o.Error == "":
		copied := *o.Response
		copied.Revision = max(0, copied.Revision+m.Int64N(3)-1)
		o.Response = &copied
	case n == 5 && o.Error == "" && o.Response.Lease != nil:
		l := *o.Response.Lease
		if l.TTL += m.Int64N(5) - 2; m.one(3) {
			l.Granted += m.Int64N(3) - 1
		}
		copied := *o.Response
		copied.Lease = &l
		o.Response = &copied
	case n == 6 && o.Error == "" && o.Response.Watch != nil && len(o.Response.Watch.Events) > 0:
		reply := *o.Response.Watch
		reply.Events = slices.Clone(reply.Events)
		if m.one(2) {
			reply.Events[0].Prev = nil
		} else {
			reply.Events = reply.Events[1:]
		}
		copied := *o.Response
		copied.Watch = &reply
		o.Response = &copied
	case n == 7:
		if _, message := o.Request.Ask.(*etcd.Watched); !message {
			if _, watch := o.Request.Ask.(*etcd.Watch); !watch {
				o.Unknown, o.Response, o.Error, o.Return = true, nil, "", 0
			}
		}
	}
}

func shown(history []etcd.Operation) (out string) {
	for i := range history {
		o := &history[i]
		request, _ := json.Marshal(o.Request)
		response, _ := json.Marshal(o.Response)
		head, _ := json.Marshal([]any{o.Call, o.Return, o.Error, o.Unknown})
		out += string(head) + " " + string(request) + " " + string(response) + "\n"
	}
	return out
}

// TestTheOracleAgrees shows the same small histories to the judge and to the oracle.
func TestTheOracleAgrees(t *testing.T) {
	counts := map[checker.Verdict]int{}
	open := 0
	for seed := range uint64(*histories) {
		m := &maker{Rand: rand.New(rand.NewPCG(seed, 21)), world: newWorld()}
		m.make(2 + m.IntN(6))
		for range seed % 4 {
			m.lie()
		}
		can, decided := explainable(m.history, 200_000)
		if !decided {
			open++
			continue
		}
		want := checker.Violated
		if can {
			want = checker.Holds
		}
		report := judge.Judge(m.history, judge.Options{})
		counts[want]++
		if report.Verdict != want {
			t.Fatalf("seed %d: %v: operation %d: %s; the oracle: %v\n%s", seed, report.Verdict,
				report.Operation, report.Reason, want, shown(m.history))
		}
		if report.Verdict == checker.Holds {
			if err := judge.Certify(m.history, report); err != nil {
				t.Fatalf("seed %d: %v\n%s", seed, err, shown(m.history))
			}
		}
	}
	t.Logf("%d hold, %d are violated, %d took the oracle too long", counts[checker.Holds],
		counts[checker.Violated], open)
	if counts[checker.Violated]*10 < counts[checker.Holds] || open*50 > *histories {
		t.Error("these histories try little")
	}
}
