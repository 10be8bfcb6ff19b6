package judge

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"detcd/checker"
	"detcd/checker/etcd"
)

// small returns a generator of small histories.
func small(seed uint64) *generator {
	random := rand.New(rand.NewPCG(seed, 7))
	most := 9
	if seed%10 == 0 {
		most = 24
	}
	g := &generator{random: random, operations: 2 + random.IntN(most), clients: 2 + random.IntN(3),
		keys: 1 + random.IntN(3), span: 3 * second, pause: second, leases: random.IntN(2) == 0}
	if random.IntN(3) > 0 {
		g.lost = 0.05 + 0.3*random.Float64()
	}
	return g
}

// text shows a history.
func text(history []Operation) string {
	out := ""
	for i := range history {
		o := &history[i]
		request, _ := json.Marshal(o.Request)
		response, _ := json.Marshal(o.Response)
		line, _ := json.Marshal([]any{i, o.Call, o.Return, o.Error, o.Unknown})
		out += string(line) + " " + string(request) + " " + string(response) + "\n"
	}
	return out
}

// opinion asks porcupine. It knows neither watches nor that leases end, nor answers that may be
// old.
func opinion(history []Operation) checker.Verdict {
	var told []Operation
	for i := range history {
		o := history[i]
		if etcd.OfThePresent(&o) {
			told = append(told, o)
		}
		if _, ok := o.Request.Ask.(*Compact); ok && o.Succeeded() { // its revision was there
			told = append(told, Operation{Call: -never, Return: o.Return, Response: o.Response,
				Request: Request{Ask: &KeepAlive{}}})
		}
	}
	return checker.Linearizable(etcd.Spec(), told, 20*time.Second)
}

func TestHistoriesThatHoldAreFoundToHold(t *testing.T) {
	for seed := range uint64(20000) {
		g := small(seed)
		g.watches = seed%2 == 0
		history := g.run()
		report := Judge(history, Options{})
		if report.Verdict != checker.Holds {
			t.Fatalf("seed %d: %v: operation %d: %s\n%s", seed, report.Verdict, report.Operation,
				report.Reason, text(history))
		}
		if err := Certify(history, report); err != nil {
			t.Fatalf("seed %d: the certificate: %v\n%v\n%s", seed, err, report.Order, text(history))
		}
	}
}

func TestALeaseInItsLastSecondIsThere(t *testing.T) {
	history := []Operation{
		{Call: 1, Return: 2, Request: Request{Ask: &Grant{ID: 7, TTL: 1}},
			Response: &Response{Revision: 1, Lease: &LeaseReply{ID: 7, TTL: 1}}},
		{Call: 3, Return: 4, Request: Request{Ask: &TimeToLive{ID: 7}},
			Response: &Response{Revision: 1, Lease: &LeaseReply{ID: 7, Granted: 1}}},
	}
	report := Judge(history, Options{})
	if report.Verdict != checker.Holds || Certify(history, report) != nil {
		t.Errorf("%v: %s", report.Verdict, report.Reason)
	}
	history[1].Response.Lease = &LeaseReply{ID: 7, TTL: -1}
	if report := Judge(history, Options{}); report.Verdict != checker.Violated {
		t.Errorf("a lease that is gone at once: %v", report.Verdict)
	}
}

func TestALeaseThatIsSeenDidNotEndBefore(t *testing.T) {
	grant := func(call, revision int64) Operation {
		return Operation{Call: call, Return: call + 1, Request: Request{Ask: &Grant{ID: 7, TTL: 1}},
			Response: &Response{Revision: revision, Lease: &LeaseReply{ID: 7, TTL: 1}}}
	}
	history := []Operation{grant(1, 1),
		{Call: 2 * second, Return: 2*second + 1, Request: Request{Ask: &Put{Key: "a"}},
			Response: &Response{Revision: 2}},
		{Call: 3 * second, Return: 3*second + 1, Request: Request{Ask: &TimeToLive{ID: 7}},
			Response: &Response{Revision: 2, Lease: &LeaseReply{ID: 7, Granted: 1}}},
		grant(4*second, 2)}
	report := Judge(history, Options{})
	if report.Verdict != checker.Holds || Certify(history, report) != nil {
		t.Errorf("%v: %s", report.Verdict, report.Reason)
	}
}

// etcd sorts with sort.Sort, which leaves equals in an order of its own when there are more than
// twelve. Found by judging a simulated run.
func TestEqualsComeInTheOrderOfSortSort(t *testing.T) {
	s, out := etcd.NewState(), &Response{}
	// Letters are keys; those of a word are put in one revision.
	for _, keys := range []string{"agqz", "bhkt", "cmuw", "dinv", "ejpx", "flosy", "r"} {
		puts := &Txn{}
		for _, key := range keys {
			puts.Success = append(puts.Success, Request{Ask: &Put{Key: Bytes(key)}})
		}
		if failure := s.Apply(puts, out); failure != "" {
			t.Fatal(failure)
		}
		out.Clear()
	}
	s.Apply(&Range{Key: "a", End: "{", Order: 2, Target: 3}, out)
	got := ""
	for k := range out.KVs {
		got += string(out.KVs[k].Key)
	}
	if want := "ryofslxepjdivnmuwckhtbaqgz"; got != want {
		t.Errorf("the keys of seven revisions come as %s, want %s", got, want)
	}
}

// The expiry of a lease that was granted twice is that of the first time; somebody saw it later.
func TestALeaseThatWasGrantedAgainEndsAfterItWasSeen(t *testing.T) {
	at := func(seconds int64, ask any, lease *LeaseReply) Operation {
		return Operation{Call: seconds * second, Return: seconds*second + 1, Request: Request{Ask: ask},
			Response: &Response{Revision: 1, Lease: lease}}
	}
	granted := &LeaseReply{ID: 7, TTL: 5}
	gone := Operation{Call: 200 * second, Return: 200*second + 1,
		Request: Request{Ask: &Revoke{ID: 7}},
		Error:   etcd.ErrLeaseNotFound}
	history := []Operation{
		at(0, &Grant{ID: 7, TTL: 5}, granted), at(2, &Revoke{ID: 7}, nil),
		at(100, &Grant{ID: 7, TTL: 5}, granted), at(101, &Put{Key: "a"}, nil),
		at(104, &KeepAlive{ID: 7}, granted), gone,
	}
	for i := 3; i < len(history)-1; i++ {
		history[i].Response.Revision = 2
	}
	if report := Judge(history, Options{}); report.Verdict != checker.Holds {
		t.Errorf("%v: %s", report.Verdict, report.Reason)
	}
	history[4].Call, history[4].Return = 201*second, 201*second+1
	if report := Judge(history, Options{}); report.Verdict == checker.Holds {
		t.Errorf("it was gone, and is kept alive: %v: %s", report.Verdict, report.Reason)
	}
}

// Which key comes first, sorted by when it was made, depends on others too. Here it is the oldest,
// whose lease has expired.
func TestWhatASortedRangeShowsDependsOnAllItsKeys(t *testing.T) {
	for _, leases := range [][2]int64{{1, 2}, {2, 1}} {
		at := int64(0)
		var history []Operation
		do := func(ask any, response *Response) {
			at += int64(time.Second)
			history = append(history, Operation{Client: 1, Call: at, Return: at + 5,
				Request: Request{Ask: ask}, Response: response})
		}
		for _, id := range leases {
			do(&Grant{ID: id, TTL: 1}, &Response{Revision: 1, Lease: &LeaseReply{ID: id, TTL: 1}})
		}
		do(&Put{Key: "z", Lease: leases[0]}, &Response{Revision: 2})
		do(&Put{Key: "a"}, &Response{Revision: 3})
		do(&Put{Key: "y", Lease: leases[1]}, &Response{Revision: 4})
		at += int64(time.Minute)
		do(&Range{Key: "a", End: "zz", Limit: 1, Target: 2}, &Response{Revision: 5, Count: 2,
			More: true, KVs: []KeyValue{{Key: "a", Create: 3, Mod: 3, Version: 1}}})
		if report := Judge(history, Options{}); report.Verdict != checker.Holds {
			t.Errorf("%v: %s\n%s", report.Verdict, report.Reason, text(history))
		}
	}
}

// Leases that expire make revisions that nobody sees, beside everything else that happens.
func TestLegalHistoriesWithLeasesAreNotRefused(t *testing.T) {
	undecided := 0
	for seed := range uint64(20_000) {
		g := small(seed)
		g.leases, g.lost = true, 0
		history := g.run()
		switch report := Judge(history, Options{}); report.Verdict {
		case checker.Violated:
			t.Fatalf("seed %d: %s\n%s", seed, report.Reason, text(history))
		case checker.Undecided:
			undecided++
		}
	}
	if undecided > 20 {
		t.Errorf("%d are undecided", undecided)
	}
}

// A transaction may put a key and delete it: deletions without an end may overlap with puts. A
// watch shows both, or only one if it has a filter or is cut off, and what the revision left is the
// second. Found by judging simulated runs.
func TestAKeyThatIsPutAndDeletedAtOnce(t *testing.T) {
	both := &Txn{Success: []Request{{Ask: &Put{Key: "b", Value: "1"}},
		{Ask: &Delete{Key: "a", End: "\x00"}}}}
	reply := func(call, revision int64, reply *WatchReply) Operation {
		return Operation{Client: 2, Call: call, Return: call, Request: Request{Ask: &Watched{Watch: 1}},
			Response: &Response{Revision: revision, Watch: reply}}
	}
	put := Event{KV: KeyValue{Key: "b", Value: "1", Create: 2, Mod: 2, Version: 1}}
	gone := Event{KV: KeyValue{Key: "b", Mod: 2}, Delete: true}
	for name, c := range map[string]struct {
		watch Watch
		told  WatchReply
	}{
		"both":      {Watch{}, WatchReply{Events: []Event{put, gone}}},
		"only puts": {Watch{NoDelete: true}, WatchReply{Events: []Event{put}}},
		"no puts":   {Watch{NoPut: true}, WatchReply{Events: []Event{gone}}},
		"the first": {Watch{}, WatchReply{Events: []Event{put}, Fragment: true}},
	} {
		c.watch.Watch, c.watch.Key, c.watch.Start = 1, "b", 1
		history := []Operation{
			{Client: 1, Call: 20, Request: Request{Ask: both}, Unknown: true},
			{Client: 2, Call: 1, Return: 1, Request: Request{Ask: &c.watch}, Response: &Response{}},
			reply(2, 1, &WatchReply{Created: true}),
			reply(60, 2, &c.told),
		}
		report := Judge(history, Options{})
		if report.Verdict != checker.Holds || Certify(history, report) != nil {
			t.Errorf("%s: %v: %s", name, report.Verdict, report.Reason)
		}
	}
}
