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
	loss  int // percent
}

// wires are all directions between the members of a cluster. Somebody carries out what they say: a
// relay in this process, or the kernel between network namespaces.
type wires struct {
	mu      sync.Mutex // guards what follows
	all     [][]wire   // by sender and receiver
	changed chan struct{}
	apply   func(from, to int, w wire) error // may be nil
}

func newWires(members int) *wires {
	w := &wires{all: make([][]wire, members), changed: make(chan struct{})}
	for i := range w.all {
		w.all[i] = make([]wire, members)
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

// look returns a wire as it is, and what is closed when any changes.
func (w *wires) look(from, to int) (wire, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all[from][to], w.changed
}
