package replica

import (
	"bytes"
	"slices"
	"testing"
)

func TestABatchIsAppliedOnce(t *testing.T) {
	var o sessions
	batch := func(member MemberID, boot, number uint64) bool {
		return o.take(&envelope{origin: member, sessionID: boot, number: number})
	}
	for i, step := range []struct {
		member       MemberID
		boot, number uint64
		want         bool
	}{
		{2, 10, 1, true}, {2, 10, 1, false}, {2, 10, 3, true}, {2, 10, 2, false},
		{1, 10, 1, true}, {2, 10, 3, false}, {2, 11, 1, true}, {2, 10, 4, false},
		{2, 11, 1, false}, {2, 11, 2, true}, {1, 10, 2, true},
	} {
		if got := batch(step.member, step.boot, step.number); got != step.want {
			t.Errorf("step %d, %+v: %v", i, step, got)
		}
	}
	for boot := uint64(12); boot < 40; boot++ {
		if !batch(2, boot, 1) || batch(2, boot-1, 9) {
			t.Errorf("run %d", boot)
		}
	}
	if len(o[1].retired) != retiredMax {
		t.Errorf("%d earlier runs are remembered", len(o[1].retired))
	}
	w := writer{}
	w.sessions(o)
	r := reader{bytes: w.bytes}
	again := writer{}
	again.sessions(r.sessions())
	if r.bad || !bytes.Equal(again.bytes, w.bytes) {
		t.Error("it is not read as it was written")
	}
}

// The network may deliver every message twice, proposals too.
func TestADuplicatingNetworkExecutesNothingTwice(t *testing.T) {
	for seed := range uint64(6) {
		w, _ := elected(t, 200+seed, 3)
		w.twice = true
		for round := range 4 {
			w.load(1500e6, string(rune('a'+round)))
			victim := w.members[w.random.IntN(3)]
			w.crash(victim)
			w.start(victim)
		}
		w.settle()
		lists := [][]string{}
		for _, a := range w.members {
			lists = append(lists, a.machine.commands(t))
		}
		if !slices.Equal(lists[0], lists[1]) || len(lists[0]) < 300 {
			t.Errorf("seed %d: %d and %d commands", w.seed, len(lists[0]), len(lists[1]))
		}
	}
}
