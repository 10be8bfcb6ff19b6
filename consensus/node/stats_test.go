package node

import (
	"errors"
	"testing"
	"time"

	"detcd/consensus/replica"
)

func TestDurationsAreCountedUpToEachLimit(t *testing.T) {
	var c clocked
	all := []time.Duration{
		0, time.Millisecond, time.Millisecond + 1, 3 * time.Millisecond, 8192 * time.Millisecond,
		time.Hour,
	}
	var sum time.Duration
	for _, took := range all {
		c.add(took)
		sum += took
	}
	got := c.read()
	for i, limit := range DurationLimits() {
		var want uint64
		for _, took := range all {
			if took <= limit {
				want++
			}
		}
		if got.Upto[i] != want {
			t.Errorf("%d took at most %v, want %d", got.Upto[i], limit, want)
		}
	}
	if got.Upto[durationLimits] != uint64(len(all)) || got.Sum != sum {
		t.Errorf("%+v", got)
	}
}

func TestRequestsAreCountedByHowTheyEnd(t *testing.T) {
	var n Node
	for _, err := range []error{nil, errors.New("late")} {
		for _, kind := range []replica.InputKind{
			replica.InputSubmit, replica.InputRead, replica.InputQuery, replica.InputView,
		} {
			n.counted.began(kind)
			n.counted.ended(kind, err)
		}
	}
	n.counted.began(replica.InputSubmit)
	n.counted.wrote(&replica.Write{}, time.Now())
	n.counted.wrote(&replica.Write{Records: [][]byte{{1, 2}, {3}}}, time.Now())
	got := n.Stats()
	if got.Pending != 1 || got.Failed != 1 || got.ReadsFailed != 1 || got.WrittenBytes != 3 ||
		got.Writes.Upto[durationLimits] != 1 {
		t.Errorf("%+v", got)
	}
}
