package kv

import (
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"pgregory.net/rapid"
)

// naiveWrites is writesOf over the few keys of the random requests: sets, no intervals.
func naiveWrites(ops ops) (puts, dels, tails map[string]bool, ok bool) {
	puts, dels, tails = map[string]bool{}, map[string]bool{}, map[string]bool{}
	universe := []string{"a", "b", "b\x00", "c", "d"}
	for _, op := range ops {
		if r := op.GetRequestDeleteRange(); r != nil {
			key, end := string(r.Key), string(r.RangeEnd)
			for _, k := range universe {
				dels[k] = dels[k] || end == "" && k == key || key <= k && k < end
				tails[k] = tails[k] || end == "\x00" && key <= k
			}
		}
	}
	conflict := func(r *pb.PutRequest, puts map[string]bool) bool {
		k := string(r.Key)
		return puts[k] || dels[k] || tails[k] && (r.IgnoreValue || r.IgnoreLease)
	}
	for _, op := range ops {
		r := op.GetRequestTxn()
		if r == nil {
			continue
		}
		before := map[string]bool{}
		for k := range puts {
			before[k] = true
		}
		var added []map[string]bool
		for _, inner := range []([]*pb.RequestOp){r.Success, r.Failure} {
			_, d, tl, ok := naiveWrites(inner)
			if !ok {
				return nil, nil, nil, false
			}
			for _, p := range allPuts(inner) {
				if conflict(p, before) {
					return nil, nil, nil, false
				}
				puts[string(p.Key)] = true
			}
			added = append(added, d, tl)
		}
		for i, set := range added {
			for k, in := range set {
				if i%2 == 0 {
					dels[k] = dels[k] || in
				} else {
					tails[k] = tails[k] || in
				}
			}
		}
	}
	for _, op := range ops {
		if r := op.GetRequestPut(); r != nil {
			if conflict(r, puts) {
				return nil, nil, nil, false
			}
			puts[string(r.Key)] = true
		}
	}
	return puts, dels, tails, true
}

func allPuts(ops ops) (out []*pb.PutRequest) {
	for _, op := range ops {
		if r := op.GetRequestPut(); r != nil {
			out = append(out, r)
		}
		if r := op.GetRequestTxn(); r != nil {
			out = append(out, append(allPuts(r.Success), allPuts(r.Failure)...)...)
		}
	}
	return out
}

func TestConflictsAreTheNaiveConflicts(t *testing.T) {
	verdicts := map[bool]int{}
	rapid.Check(t, func(t *rapid.T) {
		ops := anyOps(t, 3)
		_, err := writesOf(ops)
		_, _, _, ok := naiveWrites(ops)
		if verdicts[ok]++; ok != (err == nil) {
			t.Fatalf("%v: %v, naively %t", ops, err, ok)
		}
	})
	if verdicts[true] == 0 || verdicts[false] == 0 {
		t.Errorf("the random branches are all alike: %v", verdicts)
	}
}

func TestRangesJoin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var set ranges
		var naive [30]bool
		for range rapid.IntRange(0, 12).Draw(t, "ranges") {
			from := rapid.IntRange(0, 29).Draw(t, "from")
			to := rapid.IntRange(0, 29).Draw(t, "to")
			set.add(string(rune('A'+from)), string(rune('A'+to)))
			for i := from; i < to; i++ {
				naive[i] = true
			}
		}
		before, count := "", 0
		set.ends.Scan(func(start, end string) bool {
			if count++; start >= end || start <= before {
				t.Fatalf("[%s, %s) after %s", start, end, before)
			}
			before = end
			return true
		})
		for i, want := range naive {
			if got := set.has(string(rune('A' + i))); got != want {
				t.Fatalf("%c: %t", 'A'+i, got)
			}
		}
	})
}
