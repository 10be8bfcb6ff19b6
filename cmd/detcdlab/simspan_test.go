package main

import "testing"

// What a run of seeds did not finish is what its last line names.
func TestARunOfSeedsSaysHowToGoOn(t *testing.T) {
	for _, c := range []struct {
		seeds, shard string
		done         []uint64
		count        uint64
		rest         string
	}{
		{"1-10", "", nil, 10, "1-10"},
		{"10", "", nil, 10, "1-10"},
		{"1-10", "", []uint64{2, 1, 4}, 10, "3-10"},
		{"1-10", "", []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 10, "11-20"},
		{"5-", "", []uint64{5, 6}, 0, "7-"},
		{"1-10", "2/3", []uint64{2}, 3, "4-10"},
		{"1-10", "2/3", []uint64{2, 5, 8}, 3, "11-20"},
		{"1-2", "3/3", nil, 0, "3-4"},
	} {
		o := &simOptions{runFlags: runFlags{seed: 1}, seeds: c.seeds, shard: c.shard}
		span, err := o.span()
		if err != nil {
			t.Errorf("%s: %v", c.seeds, err)
			continue
		}
		for _, seed := range c.done {
			span.finish(seed)
		}
		if span.count() != c.count || span.rest() != c.rest {
			t.Errorf("%s of %s after %v: %d seeds, then %s; want %d, then %s",
				c.shard, c.seeds, c.done, span.count(), span.rest(), c.count, c.rest)
		}
	}
	for _, bad := range []simOptions{{seeds: "x"}, {seeds: "3-1"}, {seeds: "-"}, {shard: "0/2"},
		{shard: "3/2"}, {shard: "half"}, {seeds: "1-99999999999999999999"},
		{seeds: "4611686018427387905"}, {shard: "1/1048577"}, {shard: "1/2/3"}} {
		if _, err := bad.span(); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

func TestAPodOfAJobRunsItsPart(t *testing.T) {
	o := &simOptions{seeds: "1-10", shard: "job/5"}
	if _, err := o.span(); err == nil {
		t.Error("a part of no job")
	}
	for index, first := range map[string]uint64{"0": 1, "4": 5, "5": 0, "-1": 0} {
		t.Setenv(podIndex, index)
		span, err := o.span()
		if first == 0 && err == nil || first > 0 && (err != nil || span.first() != first) {
			t.Errorf("index %s: %+v, %v", index, span, err)
		}
	}
}

// The last seeds of all are run once.
func TestSeedsEnd(t *testing.T) {
	const last = 1<<64 - 1
	for _, s := range []seedSpan{
		{low: last, last: last, step: 1, part: 1},
		{low: last - 4, last: last, step: 3, part: 2},
	} {
		var seeds []uint64
		for seed := range s.all() {
			seeds = append(seeds, seed)
		}
		if len(seeds) == 0 || len(seeds) > 2 || seeds[len(seeds)-1] > last {
			t.Errorf("%+v: %v", s, seeds)
		}
	}
}
