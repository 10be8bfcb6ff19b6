package judge

import (
	"slices"
	"strings"
	"testing"

	"detcd/checker"
)

// by lets a client do something.
func by(client int64, o Operation) Operation {
	o.Client = client
	return o
}

// The requests of the story. The lock is "l/", what it guards is "g".

func grantsTwoSeconds(client, call, id int64) Operation {
	return by(client, op(call, &Grant{ID: id, TTL: 2},
		&Response{Revision: 1, Lease: &LeaseReply{ID: id, TTL: 2}}))
}

func enters(client, call int64, key Bytes, lease, revision int64) Operation {
	return by(client, op(call, &Txn{Compare: []Compare{{Key: key, Target: 1}},
		Success: []Request{{Ask: &Put{Key: key, Lease: lease}}}},
		&Response{Revision: revision, Succeeded: true, Responses: []Response{{Revision: revision}}}))
}

func seesFirst(client, call int64, key Bytes, create, revision int64) Operation {
	kv := KeyValue{Key: key, Create: create, Mod: create, Version: 1, Lease: create + 5}
	return by(client, op(call, &Range{Key: "l/", End: "l0", Target: 2, Limit: 1},
		&Response{Revision: revision, KVs: []KeyValue{kv}, Count: 1}))
}

func holds(client, from, to int64, key Bytes, create, revision int64) Operation {
	return Operation{Client: client, Call: from * second, Return: to * second,
		Request:  Request{Ask: &Held{Lock: "l/", Key: key, Create: create, Guards: "g"}},
		Response: &Response{Revision: revision}}
}

func writes(client, call, revision int64) Operation {
	return by(client, op(call, &Put{Key: "g", Value: "v"}, &Response{Revision: revision}))
}

func writesFenced(client, call int64, key Bytes, create, revision int64, done bool) Operation {
	o := by(client, op(call, &Txn{Compare: []Compare{{Key: key, Target: 1, Number: create}},
		Success: []Request{{Ask: &Put{Key: "g", Value: "v"}}}}, &Response{Revision: revision}))
	if done {
		o.Response.Succeeded, o.Response.Responses = true, []Response{{Revision: revision}}
	}
	return o
}

// TestTheUnsafeLockAndItsRepair is the story that Jepsen told of etcd 3.4.3: Ann has the lock and
// dozes until her lease has ended, Bob takes it and writes, and Ann writes over what he wrote.
func TestTheUnsafeLockAndItsRepair(t *testing.T) {
	const ann, bob = 1, 2
	begin := []Operation{
		grantsTwoSeconds(ann, 0, 7), grantsTwoSeconds(bob, 0, 8), enters(ann, 2, "l/a", 7, 2),
		seesFirst(ann, 4, "l/a", 2, 2), enters(bob, 4, "l/b", 8, 3), seesFirst(bob, 8, "l/b", 3, 4),
	}
	annHeld, bobHeld := holds(ann, 5, 20, "l/a", 2, 2), holds(bob, 9, 12, "l/b", 3, 4)
	for _, c := range []struct {
		name                           string
		rest                           []Operation
		together, writes, unsafe, lost int
		why                            string // a violation
	}{
		{"without fences", []Operation{annHeld, bobHeld, writes(bob, 10, 5), writes(ann, 14, 6)},
			1, 2, 1, 1, ""},
		{"nothing is lost", []Operation{annHeld, bobHeld, writes(ann, 10, 5)}, 1, 1, 1, 0, ""},
		{"in time", []Operation{holds(ann, 5, 7, "l/a", 2, 2), bobHeld, writes(bob, 10, 5)},
			0, 1, 0, 0, ""},
		{"with fences", []Operation{annHeld, bobHeld, writesFenced(bob, 10, "l/b", 3, 5, true),
			writesFenced(ann, 14, "l/a", 2, 5, false)}, 1, 1, 0, 0, ""},
		{"somebody else writes", []Operation{annHeld, bobHeld, writes(3, 10, 5)}, 1, 0, 0, 0, ""},
		{"a false holder", []Operation{annHeld, holds(bob, 5, 9, "l/b", 3, 3)}, 0, 0, 0, 0,
			`holds "l/" with the key "l/b" of revision 3, which "l/a" of revision 2 holds`},
		{"a fence that lets through", []Operation{annHeld, bobHeld,
			writesFenced(ann, 14, "l/a", 2, 5, true)}, 0, 0, 0, 0, "the compares of the transaction"},
	} {
		report := Judge(slices.Concat(begin, c.rest), Options{})
		if c.why != "" {
			if report.Verdict != checker.Violated || !strings.Contains(report.Reason, c.why) {
				t.Errorf("%s: %v %s", c.name, report.Verdict, report.Reason)
			}
			continue
		}
		l := report.Locks
		if report.Verdict != checker.Holds || l == nil {
			t.Errorf("%s: %v %s", c.name, report.Verdict, report.Reason)
			continue
		}
		if l.Holders != 2 || l.Together != c.together || l.Writes != c.writes ||
			len(l.Unsafe) != c.unsafe || l.Lost != c.lost {
			t.Errorf("%s: %+v", c.name, *l)
		}
		for _, u := range l.Unsafe {
			if !strings.HasPrefix(u.Text, "client 1 wrote \"g\"") ||
				!strings.Contains(u.Text, "\"l/b\" of revision 3 held it, of client 2") ||
				strings.Contains(u.Text, "what client 2 wrote at revision 5 is lost") != (c.lost > 0) {
				t.Errorf("%s: %s", c.name, u.Text)
			}
		}
	}
}
