package judge

import (
	"math/rand/v2"
	"strings"
	"testing"

	"detcd/checker"
)

// watching tells that an operation is a message with at least so many events.
func watching(events int) func(o *Operation) bool {
	return func(o *Operation) bool {
		return o.Response.Watch != nil && len(o.Response.Watch.Events) >= events
	}
}

// withPrevious tells that the first event shows what was before.
func withPrevious(o *Operation) bool {
	return watching(1)(o) && o.Response.Watch.Events[0].Prev != nil
}

// oneRevision tells that the first two events are of one revision.
func oneRevision(o *Operation) bool {
	return watching(2)(o) && o.Response.Watch.Events[0].KV.Mod == o.Response.Watch.Events[1].KV.Mod
}

// falsehoods are mutations of watches and leases that no history survives.
func falsehoods() []mutation {
	events := func(o *Operation) *[]Event { return &o.Response.Watch.Events }
	return []mutation{
		{"dropped event", on(watching(1), func(r *rand.Rand, o *Operation) {
			list, i := *events(o), r.IntN(len(*events(o)))
			*events(o) = append(list[:i], list[i+1:]...)
		})},
		{"torn transaction", on(oneRevision, func(_ *rand.Rand, o *Operation) {
			*events(o) = append((*events(o))[:0], (*events(o))[1:]...)
		})},
		{"event twice", on(watching(1), func(_ *rand.Rand, o *Operation) {
			*events(o) = append(*events(o), (*events(o))[len(*events(o))-1])
		})},
		{"reordered events", on(watching(2), func(_ *rand.Rand, o *Operation) {
			list := *events(o)
			list[0], list[1] = list[1], list[0]
		})},
		{"other value in an event", on(watching(1), func(_ *rand.Rand, o *Operation) {
			(*events(o))[0].KV.Value += "!"
		})},
		{"other version in an event", on(watching(1), func(_ *rand.Rand, o *Operation) {
			(*events(o))[0].KV.Version++
		})},
		{"put shown as deletion", on(watching(1), func(_ *rand.Rand, o *Operation) {
			(*events(o))[0].Delete = !(*events(o))[0].Delete
		})},
		{"other previous value", on(withPrevious, func(_ *rand.Rand, o *Operation) {
			previous := *(*events(o))[0].Prev
			previous.Value += "!"
			(*events(o))[0].Prev = &previous
		})},
		{"split revision", splitRevision},
		{"progress before events", earlyProgress},
		{"message after the end", func(_ *rand.Rand, history []Operation) bool {
			history[len(history)-2].Response.Watch.Canceled = true
			return true
		}},
		{"compaction of nothing", on(watching(1), func(_ *rand.Rand, o *Operation) {
			o.Response.Watch = &WatchReply{Canceled: true, Compacted: 1 << 40}
		})},
		{"event before its call", on(watching(1), func(_ *rand.Rand, o *Operation) {
			o.Call, o.Return = -1, -1
		})},
	}
}

// splitRevision shows a revision in two messages that are not fragments.
func splitRevision(r *rand.Rand, history []Operation) bool {
	o := pick(r, history, oneRevision)
	if o == nil {
		return false
	}
	first := o.Response.Watch.Events[:1]
	rest := *o.Response.Watch
	rest.Events = rest.Events[1:]
	for i := range history {
		if &history[i] != o {
			continue
		}
		second := *o
		second.Response = &Response{Revision: o.Response.Revision, Watch: &rest}
		o.Response = &Response{Revision: o.Response.Revision, Watch: &WatchReply{Events: first}}
		shift := history[i+1]
		if w, ok := shift.Request.Ask.(*Watched); !ok || w.Watch != o.Request.Ask.(*Watched).Watch {
			return true // the rest is missing, which is as wrong
		}
		history[i+1] = second
		return true
	}
	return false
}

// earlyProgress says that all was shown before the last events.
func earlyProgress(r *rand.Rand, history []Operation) bool {
	o := pick(r, history, watching(1))
	if o == nil {
		return false
	}
	for i := range history[:len(history)-1] {
		if &history[i] == o {
			progress := *o
			progress.Response = &Response{Revision: o.Response.Watch.Events[0].KV.Mod,
				Watch: &WatchReply{}}
			history[i+1], history[i] = history[i], progress
			return true
		}
	}
	return false
}

func TestFalseWatchesAreRefused(t *testing.T) {
	for _, m := range falsehoods() {
		count, undecided := 0, 0
		for seed := range uint64(600) {
			g := small(seed)
			g.watches, g.operations = true, 12
			history := g.run()
			if !m.do(rand.New(rand.NewPCG(seed, 3)), history) {
				continue
			}
			count++
			report := Judge(history, Options{})
			if report.Verdict == checker.Undecided && report.Unknown > 0 {
				undecided++
				continue
			}
			if report.Verdict != checker.Violated || report.Reason == "" || report.Operation < 0 {
				t.Fatalf("seed %d, %s: %v %s\n%s", seed, m.name, report.Verdict, report.Reason,
					text(history))
			}
		}
		t.Logf("%-28s %d, of which %d undecided, else refused", m.name, count, undecided)
		if count < 50 || undecided*20 > count {
			t.Errorf("%s: only %d histories, %d undecided", m.name, count, undecided)
		}
	}
}

// op is an operation that took a second.
func op(call int64, ask any, answer *Response) Operation {
	return Operation{Call: call * second, Return: (call + 1) * second, Request: Request{Ask: ask},
		Response: answer}
}

func TestLeasesAreJudgedByTime(t *testing.T) {
	leased := KeyValue{Key: "a", Create: 2, Mod: 2, Version: 1, Lease: 7}
	begin := []Operation{
		op(0, &Grant{ID: 7, TTL: 10}, &Response{Revision: 1, Lease: &LeaseReply{ID: 7, TTL: 10}}),
		op(1, &Put{Key: "a", Lease: 7}, &Response{Revision: 2}),
	}
	renewed := op(6, &KeepAlive{ID: 7}, &Response{Revision: 2, Lease: &LeaseReply{ID: 7, TTL: 10}})
	gone := func(at int64) Operation {
		return op(at, &Range{Key: "a"}, &Response{Revision: 3})
	}
	there := func(at int64) Operation {
		return op(at, &Range{Key: "a"}, &Response{Revision: 2, KVs: []KeyValue{leased}, Count: 1})
	}
	noLease := op(20, &KeepAlive{ID: 7}, &Response{Revision: 2, Lease: &LeaseReply{ID: 7}})
	for _, c := range []struct {
		name string
		rest []Operation
		want checker.Verdict
		why  string
	}{
		{"it expires when its time is over", []Operation{gone(10)}, checker.Holds, ""},
		{"it expires early", []Operation{gone(7)}, checker.Violated, "nobody can have made"},
		{"it expires early after a renewal", []Operation{renewed, gone(12)}, checker.Violated,
			"nobody can have made"},
		{"it expires after a renewal", []Operation{renewed, gone(16)}, checker.Holds, ""},
		{"it lives longer", []Operation{there(30)}, checker.Holds, ""},
		{"keys stay without it", []Operation{noLease, there(30)}, checker.Violated, "lease 7 gone"},
		{"it has more time left than it got", []Operation{op(3, &TimeToLive{ID: 7},
			&Response{Revision: 2, Lease: &LeaseReply{ID: 7, TTL: 12, Granted: 10}})},
			checker.Violated, "12 seconds left, of 10"},
		{"a new leader gives it an election time-out more", []Operation{op(3, &TimeToLive{ID: 7},
			&Response{Revision: 2, Lease: &LeaseReply{ID: 7, TTL: 11, Granted: 10}})},
			checker.Holds, ""},
	} {
		report := Judge(append(begin[:2:2], c.rest...), Options{})
		if report.Verdict != c.want || !strings.Contains(report.Reason, c.why) {
			t.Errorf("%s: %v %q, want %v %q", c.name, report.Verdict, report.Reason, c.want, c.why)
		}
	}
	tolerant := Judge(append(begin[:2:2], gone(8)), Options{LeaseTolerance: second})
	if tolerant.Verdict != checker.Holds {
		t.Errorf("a second too early, and a second of tolerance: %v", tolerant.Reason)
	}
}
