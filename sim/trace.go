package sim

import (
	"fmt"
	"time"
)

// Line is one event of a run, as it is told to people.
type Line struct {
	At     time.Duration // virtual, since the start
	Number uint64        // of the event in the run
	Hash   uint64        // running hash up to and including this event
	Kind   string        // of event: one of LineKinds
	Member int           // whom it happened to; 0: nobody in particular
	Text   string
}

// String tells the line.
func (l Line) String() string {
	who := "  "
	if l.Member > 0 {
		who = fmt.Sprintf("m%d", l.Member)
	}
	return fmt.Sprintf("%12.6fs %-3s %-8s %s", l.At.Seconds(), who, l.Kind, l.Text)
}

// trace carries the running hash of a run. Every event goes into it with its moment and what tells
// it from its neighbours; the words that tell it to people are made only when somebody listens.
type trace struct {
	hash   uint64
	events uint64
	listen func(Line)
}

// mix adds a number to the hash.
func (t *trace) mix(x uint64) {
	t.hash = (t.hash ^ x) * 0x9E3779B97F4A7C15
	t.hash ^= t.hash >> 29
}

// The kinds of event that are hashed. Their names are what a trace shows.
const (
	eventSend = iota + 1
	eventLost
	eventReceive
	eventWrite
	eventBulk
	eventApply
	eventReplica
	eventFault
	eventStart
	eventStop
	eventCall
	eventReturn
	eventWatch
)

var eventNames = [...]string{"", "send", "lost", "receive", "write", "bulk", "apply", "raft",
	"fault", "start", "stop", "call", "return", "watch"}

// LineKinds returns the kinds of event that a Line can have.
func LineKinds() []string { return append([]string(nil), eventNames[1:]...) }

// event notes that something happened. a and b tell what; text tells people.
func (w *world) event(kind, member int, a, b uint64, text func() string) {
	t := &w.trace
	t.events++
	t.mix(uint64(w.now))
	t.mix(uint64(kind)<<32 | uint64(member))
	t.mix(a)
	t.mix(b)
	if t.listen != nil {
		t.listen(Line{time.Duration(w.now), t.events, t.hash, eventNames[kind], member, text()})
	}
}
