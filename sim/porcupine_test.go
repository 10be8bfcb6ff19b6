package sim

import "testing"

func TestTheSecondOpinionRefusesWhatNoOrderExplains(t *testing.T) {
	opinion := func(window ...interval) Verdict {
		w := newWorld(Options{Seed: 1200})
		w.now = 1000
		w.judge.window = window
		w.judge.secondOpinion()
		return w.judge.verdict
	}
	write := func(revision, call, finished int64) interval {
		return interval{int(revision), call, finished, revision, true}
	}
	read := func(revision, call, finished int64) interval {
		return interval{100, call, finished, revision, false}
	}
	if v := opinion(write(1, 1, 5), write(2, 2, 6), read(2, 7, 8), read(1, 3, 9)); v != Green {
		t.Errorf("a legal history: %v", v)
	}
	for name, window := range map[string][]interval{
		"a stale read":                     {write(1, 1, 2), write(2, 3, 4), read(1, 5, 6)},
		"a read of the future":             {read(2, 1, 2), write(2, 3, 4)},
		"two writes of one revision":       {write(1, 1, 2), write(1, 1, 2)},
		"writes against the order of time": {write(2, 1, 2), write(1, 3, 4)},
	} {
		if v := opinion(window...); v != Safety {
			t.Errorf("%s: %v", name, v)
		}
	}
}
