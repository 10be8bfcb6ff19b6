package v2

import "strings"

// Action is what a command asks for and what an event did. The numbers are in the log.
type Action byte

// The actions. An in-order creation is a Create.
const (
	Set              Action = 1
	Create           Action = 2
	Update           Action = 3
	CompareAndSwap   Action = 4
	Delete           Action = 5
	CompareAndDelete Action = 6
	Expire           Action = 7
)

// String is etcd's name.
func (a Action) String() string {
	names := [...]string{"", "set", "create", "update", "compareAndSwap", "delete",
		"compareAndDelete", "expire"}
	if int(a) < len(names) {
		return names[a]
	}
	return ""
}

// Record is a node as an event tells of it.
type Record struct {
	Node
	Valued bool  // it tells the value: not of a directory, nor of what has gone
	TTL    int64 // seconds that were left; 0: it stayed
}

// recordOf tells of a node as it was at a time.
func recordOf(n *Node, now Time) Record {
	return Record{Node: *n, Valued: !n.Dir, TTL: n.remaining(now)}
}

// Event is one change. It never changes. Its index is that at which its node was modified.
type Event struct {
	Action  Action
	Node    Record
	Prev    *Record // what was there; nil: nothing
	Refresh bool    // only the time to live was changed, and nobody who waits is told
}

// Index is that of the change.
func (e *Event) Index() Index { return e.Node.Modified }

// Created tells whether something is there that was not.
func (e *Event) Created() bool {
	return e.Action == Create || e.Action == Set && e.Prev == nil
}

// bytes is what an event takes: an estimate that is equal on all members.
func (e *Event) bytes() int64 {
	size := e.Node.bytes()
	if e.Prev != nil {
		size += e.Prev.bytes()
	}
	return size
}

// Removed tells whether a directory went, with all that was in it.
func (e *Event) Removed() bool {
	return (e.Action == Delete || e.Action == Expire) && e.Prev != nil && e.Prev.Dir
}

// Concerns tells whether an event that happens is told to who waits at a key, or, if recursive, for
// all below it. When a directory goes, who waits inside of it is told.
func (e *Event) Concerns(key string, recursive bool) bool {
	switch at := e.Node.Key; {
	case e.Refresh:
		return false
	case at == key:
		return true
	case under(at, key):
		return recursive && !hidden(at, key)
	default:
		return e.Removed() && under(key, at)
	}
}

// Concerned tells the same for an event that had happened when the wait began. It is less strict,
// as in etcd: hidden nodes are told of, and who waits at /ab is told that directory /a has gone.
func (e *Event) Concerned(key string, recursive bool) bool {
	at := e.Node.Key
	return !e.Refresh && (at == key || recursive && under(at, key) ||
		e.Removed() && strings.HasPrefix(key, at))
}
