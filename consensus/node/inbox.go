package node

import (
	"context"
	"sync"
	"sync/atomic"

	"detcd/consensus/replica"
)

// A batch is what has arrived since the loop last looked.
type batch struct {
	replica.Inputs
	waiters  []*waiter // for the answers to those of Asked that are answered
	failure  error     // of a lane of the disk
	bytes    int       // of the data of Asked
	received int       // bytes of messages
}

// An inbox collects what many goroutines tell the loop. The loop takes all of it at once, so the
// lock is held for moments, and a thousand requests wake it once.
type inbox struct {
	wake chan struct{} // holds a token when there may be something to take

	mu     sync.Mutex
	batch  batch
	last   replica.RequestID
	closed error // no further requests are taken; why
}

// The bounds of what waits for the loop. Requests beyond them are answered ErrTooMany, messages
// are dropped.
const (
	inputsMax       = 1 << 16
	inputBytesMax   = 64 << 20
	messagesMax     = 1 << 14
	messageBytesMax = 64 << 20
)

func newInbox() *inbox { return &inbox{wake: make(chan struct{}, 1)} }

func (b *inbox) ring() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// request queues an input on whose answer the waiter waits.
func (b *inbox) request(in replica.Input, w *waiter) error {
	b.mu.Lock()
	if err := b.refuse(len(in.Data)); err != nil {
		b.mu.Unlock()
		return err
	}
	b.last++
	in.ID, w.id = b.last, b.last
	b.batch.bytes += len(in.Data)
	b.batch.Requests = append(b.batch.Requests, in)
	b.batch.waiters = append(b.batch.waiters, w)
	first := len(b.batch.Requests) == 1
	b.mu.Unlock()
	if first {
		b.ring()
	}
	return nil
}

func (b *inbox) refuse(size int) error {
	switch {
	case b.closed != nil:
		return b.closed
	case len(b.batch.Requests) >= inputsMax,
		len(b.batch.Requests) > 0 && b.batch.bytes+size > inputBytesMax:
		return ErrTooMany
	}
	return nil
}

// note queues an input that nobody waits for. There are few of them: one for each request at most,
// and one for each connection that breaks.
func (b *inbox) enqueueNoReply(in replica.Input) {
	b.mu.Lock()
	b.batch.Requests = append(b.batch.Requests, in)
	b.mu.Unlock()
	b.ring()
}

// message queues a message of another member; false: it was dropped.
func (b *inbox) message(m replica.Message, size int) bool {
	b.mu.Lock()
	full := len(b.batch.Messages) >= messagesMax || b.batch.received+size > messageBytesMax
	if full && len(b.batch.Messages) > 0 {
		b.mu.Unlock()
		return false
	}
	b.batch.Messages = append(b.batch.Messages, m)
	b.batch.received += size
	first := len(b.batch.Messages) == 1
	b.mu.Unlock()
	if first {
		b.ring()
	}
	return true
}

// written says that the disk did what it was asked to, or failed.
func (b *inbox) written(w *replica.Write, err error) {
	b.mu.Lock()
	b.batch.Written = w
	if b.batch.failure == nil {
		b.batch.failure = err
	}
	b.mu.Unlock()
	b.ring()
}

func (b *inbox) backgroundDone(bulk *replica.BackgroundTask, err error) {
	b.mu.Lock()
	b.batch.BackgroundDone = bulk
	if b.batch.failure == nil {
		b.batch.failure = err
	}
	b.mu.Unlock()
	b.ring()
}

// take returns what has arrived; the emptied batch takes its place.
func (b *inbox) take(emptied batch) batch {
	b.mu.Lock()
	defer b.mu.Unlock()
	taken := b.batch
	b.batch = emptied
	return taken
}

// keepMax bounds the length of a slice that is kept for further use.
const keepMax = 4096

// emptied returns the batch with nothing in it and its memory kept, unless that is much.
func (b batch) emptied() batch {
	var next batch
	if cap(b.Requests) <= keepMax {
		clear(b.Requests)
		clear(b.waiters)
		next.Requests, next.waiters = b.Requests[:0], b.waiters[:0]
	}
	if cap(b.Messages) <= keepMax {
		clear(b.Messages)
		next.Messages = b.Messages[:0]
	}
	return next
}

// close makes further requests fail.
func (b *inbox) close(err error) {
	b.mu.Lock()
	if b.closed == nil {
		b.closed = err
	}
	b.mu.Unlock()
	b.ring()
}

// The states of a waiter. Whoever moves it out of waiting decides how the request ends.
const (
	waiting int32 = iota
	answered
	abandoned
)

// A waiter waits for one answer. It is used again after an answer; an abandoned one is not.
type waiter struct {
	id    replica.RequestID
	state atomic.Int32
	ready chan struct{}
	value any
	err   error
}

var waiterNew = func() any { return &waiter{ready: make(chan struct{}, 1)} }

// wait returns nil when the answer is there. Its error is that of the context: then the request is
// abandoned.
func (w *waiter) wait(ctx context.Context) error {
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
	}
	if w.state.CompareAndSwap(waiting, abandoned) {
		return ctx.Err()
	}
	<-w.ready
	return nil
}

// answer hands over the answer, unless the request was abandoned.
func (w *waiter) answer(value any, err error) {
	w.value, w.err = value, err
	if w.state.CompareAndSwap(waiting, answered) {
		w.ready <- struct{}{}
	}
}
