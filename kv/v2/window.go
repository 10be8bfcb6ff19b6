package v2

import (
	"cmp"
	"slices"
)

// The bounds of the window.
const (
	EventsMax     = 1000
	EventBytesMax = 16 << 20 // keys, values, and nodeOverhead for each node told of
)

// window is the last events. A copy of it does not change: to add an event writes behind the end of
// what the copy has, or elsewhere.
type window struct {
	events      []*Event // ascending
	first, last Index    // nothing that happened from first to last is missing
	bytes       int64
}

func (w *window) add(e *Event) {
	w.events = append(w.events, e)
	w.last = e.Index()
	w.bytes += e.bytes()
	for w.last >= w.first+EventsMax || w.bytes > EventBytesMax {
		w.first++
		if w.events[0].Index() < w.first {
			w.bytes -= w.events[0].bytes()
			w.events = w.events[1:]
		}
	}
}

// from gives the events from an index on.
func (w *window) from(index Index) []*Event {
	at, _ := slices.BinarySearchFunc(w.events, index, func(e *Event, index Index) int {
		return cmp.Compare(e.Index(), index)
	})
	return w.events[at:]
}
