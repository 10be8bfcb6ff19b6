package transport

import "sync"

// A queue holds the frames that wait for one peer and lane. Any goroutine puts; one takes all.
type queue struct {
	wake chan struct{} // holds a token when there may be something to take

	mu     sync.Mutex
	open   bool   // false while the peer cannot be reached: what is put then is dropped
	frames []byte // complete frames, one after the other
	count  int
}

func newQueue() *queue {
	return &queue{wake: make(chan struct{}, 1), open: true}
}

// put appends a message, or says false when it had to be dropped. A message that fits the bound of
// one message is taken by an empty queue even when it exceeds the bound of the queue. The message
// leaves after the next ring.
func (q *queue) put(payload []byte, bounds *Bounds) bool {
	if len(payload) > bounds.MessageBytes {
		return false
	}
	q.mu.Lock()
	full := q.count >= bounds.QueueCount ||
		q.count > 0 && len(q.frames)+len(payload) > bounds.QueueBytes
	if !q.open || full {
		q.mu.Unlock()
		return false
	}
	q.frames = appendFrame(q.frames, frameMessage, payload)
	q.count++
	q.mu.Unlock()
	return true
}

// ring wakes who takes, if there is something to take.
func (q *queue) ring() {
	q.mu.Lock()
	waiting := q.count > 0
	q.mu.Unlock()
	if waiting {
		select {
		case q.wake <- struct{}{}:
		default:
		}
	}
}

// take returns everything that waits and leaves the spare buffer in its place.
func (q *queue) take(spare []byte) (frames []byte, count int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	frames, count = q.frames, q.count
	q.frames, q.count = spare[:0], 0
	return frames, count
}

// setOpen opens the queue, or closes it and returns how many messages it dropped.
func (q *queue) setOpen(open bool) (dropped int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.open = open
	if !open {
		dropped = q.count
		q.frames, q.count = nil, 0
	}
	return dropped
}
