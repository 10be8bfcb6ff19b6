package kv

import (
	"maps"
	"slices"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"pgregory.net/rapid"
)

// keySets is what writes is, over the few keys of the random requests: sets, no ranges.
type keySets struct{ puts, deleted, tail map[string]bool }

func (k keySets) conflict(puts ...*pb.PutRequest) bool {
	return slices.ContainsFunc(puts, func(r *pb.PutRequest) bool {
		key := string(r.Key)
		return k.puts[key] || k.deleted[key] || k.tail[key] && (r.IgnoreValue || r.IgnoreLease)
	})
}

func naiveWrites(ops ops) (all keySets, ok bool) {
	all = keySets{map[string]bool{}, map[string]bool{}, map[string]bool{}}
	for _, op := range ops {
		if r := op.GetRequestDeleteRange(); r != nil {
			key, end := string(r.Key), string(r.RangeEnd)
			for _, k := range []string{"a", "b", "b\x00", "c", "d"} {
				all.deleted[k] = all.deleted[k] || end == "" && k == key || key <= k && k < end
				all.tail[k] = all.tail[k] || end == "\x00" && key <= k
			}
		}
	}
	for _, op := range ops {
		r := op.GetRequestTxn()
		if r == nil {
			continue
		}
		success, ok := naiveWrites(r.Success)
		failure, ok2 := naiveWrites(r.Failure)
		if !ok || !ok2 || all.conflict(append(allPuts(r.Success), allPuts(r.Failure)...)...) {
			return all, false
		}
		for _, branch := range []keySets{success, failure} {
			maps.Copy(all.puts, branch.puts)
			for k := range branch.deleted {
				all.deleted[k] = all.deleted[k] || branch.deleted[k]
				all.tail[k] = all.tail[k] || branch.tail[k]
			}
		}
	}
	for _, op := range ops {
		if r := op.GetRequestPut(); r != nil {
			if all.conflict(r) {
				return all, false
			}
			all.puts[string(r.Key)] = true
		}
	}
	return all, true
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
		_, ok := naiveWrites(ops)
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
