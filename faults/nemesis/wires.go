package nemesis

import (
	"sync"
	"time"
)

// A wire is one direction between two members: what it does to bytes that go that way. Faults that
// overlap add up.
type wire struct {
	cuts  int // faults that cut it
	delay time.Duration
	loss  int       // percent
	rate  int64     // bytes a second; 0: no limit
	free  time.Time // when what was sent before has left, where there is a rate
}

// wires are all directions between the members of a cluster. Somebody carries out what they say: a
// relay in this process, or the kernel between network namespaces.
type wires struct {
	mu      sync.Mutex // guards what follows
	all     [][]wire   // by sender and receiver
	changed chan struct{}
	apply   func(from, to int, w wire) error // may be nil
}

func newWires(members int, distance Distance) *wires {
	w := &wires{all: make([][]wire, members), changed: make(chan struct{})}
	for i := range w.all {
		w.all[i] = make([]wire, members)
		for j := range w.all[i] {
			w.all[i][j] = wire{delay: distance.OneWay, rate: distance.Rate}
		}
	}
	return w
}

// change does something to one wire and tells those who wait.
func (w *wires) change(from, to int, how func(*wire)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	how(&w.all[from][to])
	close(w.changed)
	w.changed = make(chan struct{})
	if w.apply == nil {
		return nil
	}
	return w.apply(from, to, w.all[from][to])
}

// send puts bytes on a wire and returns when they arrive: behind those before them, and a way
// later.
func (w *wires) send(from, to, bytes int) (arrive time.Time, loss int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	one := &w.all[from][to]
	now := time.Now()
	if one.rate == 0 {
		return now.Add(one.delay), one.loss
	}
	if one.free.Before(now) {
		one.free = now
	}
	one.free = one.free.Add(time.Duration(int64(bytes) * int64(time.Second) / one.rate))
	return one.free.Add(one.delay), one.loss
}

// look returns a wire as it is, and what is closed when any changes.
func (w *wires) look(from, to int) (wire, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all[from][to], w.changed
}
