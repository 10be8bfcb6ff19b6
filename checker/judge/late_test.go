package judge

import (
	"slices"
	"strings"
	"testing"

	"detcd/checker"
)

func TestALeaseDoesNotOutliveTheReignOfALeader(t *testing.T) {
	begin := []Operation{
		op(0, &Grant{ID: 7, TTL: 10}, &Response{Revision: 1, Lease: &LeaseReply{ID: 7, TTL: 10}}),
		op(1, &Put{Key: "a", Lease: 7}, &Response{Revision: 2}),
	}
	leased := KeyValue{Key: "a", Create: 2, Mod: 2, Version: 1, Lease: 7}
	shown := &Response{Revision: 2, KVs: []KeyValue{leased}, Count: 1}
	there := func(at int64) Operation { return op(at, &Range{Key: "a"}, shown) }
	stale := op(40, &Range{Key: "a", Serializable: true}, shown)
	renewal := func(at, ttl int64) Operation {
		return op(at, &KeepAlive{ID: 7}, &Response{Revision: 2, Lease: &LeaseReply{ID: 7, TTL: ttl}})
	}
	left := func(at, ttl int64) Operation {
		return op(at, &TimeToLive{ID: 7},
			&Response{Revision: 2, Lease: &LeaseReply{ID: 7, TTL: ttl, Granted: 10}})
	}
	lost := func(at int64) Operation {
		return Operation{Call: at * second, Request: Request{Ask: &KeepAlive{ID: 7}}, Unknown: true}
	}
	attached := op(15, &Put{Key: "b"}, &Response{Revision: 3})
	deletion := Event{Delete: true, KV: KeyValue{Key: "a", Mod: 4}, Prev: &leased}
	event := op(16, &Watched{Watch: 1},
		&Response{Revision: 4, Watch: &WatchReply{Events: []Event{deletion}}})
	watch := op(0, &Watch{Watch: 1, Key: "a", PrevKV: true}, &Response{})
	created := op(0, &Watched{Watch: 1}, &Response{Revision: 1, Watch: &WatchReply{Created: true}})
	led := func(begin, end int64) Reign { return Reign{Begin: begin * second, End: end * second} }
	for _, c := range []struct {
		name   string
		reigns []Reign
		rest   []Operation
		why    string // empty: it holds
	}{
		{"nothing is known of leaders", nil, []Operation{there(30)}, ""},
		{"in time", []Reign{led(0, 50)}, []Operation{there(12)}, ""},
		{"too long", []Reign{led(0, 50)}, []Operation{there(14)}, "13.000 s after"},
		{"seen long after the reign", []Reign{led(0, 20)}, []Operation{there(40)}, "lease 7 of 10 s"},
		{"a new leader", []Reign{led(0, 9), led(10, 50)}, []Operation{there(21)}, ""},
		{"a new leader, too long", []Reign{led(0, 9), led(10, 50)}, []Operation{there(23)}, "led for"},
		{"many new leaders", []Reign{led(0, 9), led(10, 19), led(20, 29)}, []Operation{there(40)}, ""},
		{"a leader that paused", []Reign{{Begin: 0, End: 50 * second, Pause: 3 * second}},
			[]Operation{there(14)}, ""},
		{"renewed", []Reign{led(0, 50)}, []Operation{renewal(9, 10), there(21)}, ""},
		{"renewed, too long", []Reign{led(0, 50)}, []Operation{renewal(9, 10), there(24)}, "led for"},
		{"perhaps renewed", []Reign{led(0, 50)}, []Operation{lost(12), there(40)}, ""},
		{"too long before perhaps renewed", []Reign{led(0, 50)}, []Operation{there(14), lost(20)},
			"led for"},
		{"renewed too late", []Reign{led(0, 50)}, []Operation{renewal(20, 10)}, "led for"},
		{"a member that is behind", []Reign{led(0, 50)}, []Operation{stale}, ""},
		{"a watch shows that it was there", []Reign{led(0, 50)},
			[]Operation{watch, created, attached, event}, "lease 7 of 10 s is there 14"},
		{"it has less time left", []Reign{led(0, 50)}, []Operation{left(2, 8), left(8, 2)}, ""},
		{"it has more time left", []Reign{led(0, 50)}, []Operation{left(2, 8), left(8, 6)}, "left"},
		{"more after a renewal", []Reign{led(0, 50)},
			[]Operation{left(2, 8), renewal(5, 10), left(8, 7)}, ""},
		{"more by a new leader", []Reign{led(0, 4), led(5, 50)}, []Operation{left(2, 8), left(8, 8)}, ""},
		{"renewed for longer than granted", nil, []Operation{renewal(3, 12)}, "12"},
	} {
		report := Judge(append(begin[:2:2], c.rest...), Options{Reigns: c.reigns})
		if report.Verdict == checker.Violated != (c.why != "") ||
			!strings.Contains(report.Reason, c.why) {
			t.Errorf("%s: %v %q", c.name, report.Verdict, report.Reason)
		}
	}
	drifting := Judge(append(begin[:2:2], there(14)), Options{Reigns: []Reign{led(0, 50)},
		ClockSlow: 200_000})
	if drifting.Verdict == checker.Violated {
		t.Errorf("a clock that is slow by a fifth: %s", drifting.Reason)
	}
}

func TestReignsAreFoundInTheTermsOfAnswers(t *testing.T) {
	told := func(at, term, revision int64) Operation {
		return op(at, &Put{Key: "a"}, &Response{Revision: revision, Term: term})
	}
	for _, c := range []struct {
		name    string
		history []Operation
		want    []Reign
	}{
		{"nobody recorded terms", []Operation{told(0, 0, 2), told(1, 0, 3)}, nil},
		{"one answer", []Operation{told(0, 2, 2)}, nil},
		{"one leader", []Operation{told(0, 2, 2), told(2, 2, 3), told(4, 2, 4)}, []Reign{{1, 4, 3}}},
		{"a pause", []Operation{told(0, 2, 2), told(2, 2, 3), told(6, 2, 4), told(8, 2, 5)},
			[]Reign{{1, 2, 3}, {7, 8, 3}}},
		{"two leaders", []Operation{told(0, 2, 2), told(2, 2, 3), told(4, 3, 4), told(6, 3, 5)},
			[]Reign{{1, 2, 3}, {5, 6, 3}}},
		{"a member that is early in the next term", []Operation{told(0, 2, 2), told(1, 3, 3),
			told(2, 2, 4), told(4, 2, 5), told(5, 3, 6), told(7, 3, 7)}, []Reign{{1, 4, 3}, {6, 7, 3}}},
	} {
		var want []Reign
		for _, r := range c.want {
			want = append(want, Reign{r.Begin * second, r.End * second, r.Pause * second})
		}
		if got := Reigns(c.history, 3*second); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", c.name, got, want)
		}
	}
}

// TestAMutatedHistoryInWhichALeaseLivesTooLongIsRefused takes histories that hold and puts minutes
// between their operations, but not between what a lease is given and its end: whoever puts a key
// with a lease then does so long after the lease must be gone.
func TestAMutatedHistoryInWhichALeaseLivesTooLongIsRefused(t *testing.T) {
	const stretch = 100
	options := Options{Reigns: []Reign{{Begin: -1, End: never}}, LeaseSlack: 60 * second}
	refused, legal := 0, 0
	for seed := range uint64(10_000) {
		g := small(seed)
		g.leases, g.lost = true, 0
		history := g.run()
		report := Judge(history, options)
		if v := Judge(history, Options{}).Verdict; report.Verdict != v {
			t.Fatalf("seed %d: %v, %v %s\n%s", seed, v, report.Verdict, report.Reason, text(history))
		}
		legal++
		for i := range history {
			history[i].Call, history[i].Return = history[i].Call*stretch, history[i].Return*stretch
		}
		late := attachedLate(history, 70*second)
		report = Judge(history, options)
		if late && report.Verdict != checker.Violated {
			t.Fatalf("seed %d: %v\n%s", seed, report.Verdict, text(history))
		}
		if late {
			refused++
		}
	}
	t.Logf("%d legal histories, %d with a lease that lives too long", legal, refused)
	if refused < 100 {
		t.Errorf("only %d histories with a lease that lives too long", refused)
	}
}

// attachedLate tells whether a key is attached to a lease, which is granted once, so long after all
// that can have given it time.
func attachedLate(history []Operation, after int64) bool {
	given, grants := map[int64]int64{}, map[int64]int{}
	for i := range history {
		o := &history[i]
		switch ask := o.Request.Ask.(type) {
		case *Grant:
			if o.Error == "" {
				grants[ask.ID]++
				given[ask.ID] = max(given[ask.ID], o.Return)
			}
		case *KeepAlive:
			given[ask.ID] = max(given[ask.ID], o.Return)
		}
	}
	return slices.ContainsFunc(history, func(o Operation) bool {
		put, ok := o.Request.Ask.(*Put)
		return ok && o.Succeeded() && put.Lease != 0 && grants[put.Lease] == 1 &&
			o.Call > given[put.Lease]+after
	})
}
