package main

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"detcd/checker/etcd"
)

// A tally counts operations over time. Its methods may be called from any goroutine.
type tally struct {
	mu      sync.Mutex // guards what follows
	width   time.Duration
	slots   []slot
	total   slot
	started time.Time
}

// A slot is what returned in a stretch of time.
type slot struct {
	answered  int64
	refused   int64
	lost      int64
	events    int64           // of watches
	latencies []time.Duration // of what was answered; at most latenciesMax
}

// Bounds of a tally.
const (
	slotsMax     = 240
	slotMin      = 50 * time.Millisecond
	latenciesMax = 20_000 // in a slot; what comes beyond is counted, not timed
)

func newTally(length time.Duration) *tally {
	return &tally{width: max(slotMin, (length / slotsMax).Round(10*time.Millisecond)),
		started: time.Now()}
}

// add counts an operation when it is recorded.
func (t *tally) add(o *etcd.Operation) {
	t.mu.Lock()
	defer t.mu.Unlock()
	at := int(time.Since(t.started) / t.width)
	for len(t.slots) <= at && len(t.slots) < 2*slotsMax {
		t.slots = append(t.slots, slot{})
	}
	at = min(at, len(t.slots)-1)
	for _, s := range []*slot{&t.slots[at], &t.total} {
		switch _, event := o.Request.Ask.(*etcd.Watched); {
		case event:
			s.events += int64(len(o.Response.Watch.Events))
		case o.Unknown:
			s.lost++
		case o.Error != "":
			s.refused++
		default:
			s.answered++
			if s != &t.total && len(s.latencies) < latenciesMax {
				s.latencies = append(s.latencies, time.Duration(o.Return-o.Call))
			}
		}
	}
}

// String is the tally in words.
func (t *tally) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return fmt.Sprintf("%d answered, %d refused, %d lost, %d watch events", t.total.answered,
		t.total.refused, t.total.lost, t.total.events)
}

// quantile returns the latency that so many out of a hundred do not exceed.
func (s *slot) quantile(percent int) time.Duration {
	if len(s.latencies) == 0 {
		return 0
	}
	slices.Sort(s.latencies)
	return s.latencies[(len(s.latencies)-1)*percent/100]
}
