package node

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"detcd/consensus/replica"
	"detcd/consensus/transport"
)

// A loop is the one goroutine that touches the replica.
type loop struct {
	node    *Node
	replica *replica.Replica
	waiters map[replica.RequestID]*waiter
	scratch []byte // for encoding messages
	spare   batch

	start          time.Time     // of this run: replica.Time is what has passed since, monotonic
	looked         time.Duration // when this run was last asked who is connected
	timer          *time.Timer
	wake           replica.Time // what the timer is set to; 0: it has fired
	writing        bool
	backgroundBusy bool
	failure        error

	status Status
	beats  heartbeats
}

func newLoop(n *Node, r *replica.Replica) *loop {
	o := &loop{
		node: n, replica: r, waiters: make(map[replica.RequestID]*waiter),
		start: time.Now(), timer: time.NewTimer(n.tickPeriod()), status: n.Status(),
	}
	if n.alone() {
		o.skipElectionTimeout()
	}
	return o
}

// skipElectionTimeout lets the time of an election pass at once. Who is the only voter need not
// wait for a leader who might call.
func (o *loop) skipElectionTimeout() {
	ticks, period := 2*o.node.electionTicks(), o.node.tickPeriod()
	o.start = o.start.Add(-time.Duration(ticks) * period)
	for i := range ticks {
		o.replica.Tick(replica.Time(i+1) * replica.Time(period))
	}
}

// run is the life of the loop, and the end of the node.
func (n *Node) run(o *loop, lanes *sync.WaitGroup) {
	err := o.turns()
	o.timer.Stop()
	if err != nil {
		n.inbox.close(fmt.Errorf("%w: %w", ErrFailed, err))
	} else {
		n.inbox.close(ErrStopped)
	}
	n.view.Store(nil) // nothing keeps it up to date any more
	n.transport.Close()
	close(n.writes)
	close(n.background)
	close(n.chunks)
	o.failPending()
	n.changes.notifyAll(true)
	lanes.Wait()
	if closeErr := n.disk.Close(); err == nil {
		err = closeErr
	}
	n.err = err
	close(n.done)
}

// turns runs until the member is stopped or cannot go on. A panic, of the machine or of an
// assertion, ends the member, not the process: others may live in it.
func (o *loop) turns() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	more := true // what recovery has left to do
	for o.failure == nil {
		if o.node.stop.Load() && !o.writing && !o.backgroundBusy {
			return nil
		}
		if !more {
			select {
			case <-o.node.inbox.wake:
			case <-o.timer.C:
				o.wake = 0
			}
		}
		more = o.step()
	}
	return o.failure
}

// step tells the replica all that has arrived, and does what it wants done. It returns true when
// there is more to do at once.
func (o *loop) step() bool {
	arrived := o.node.inbox.take(o.spare)
	for _, w := range arrived.waiters {
		o.waiters[w.id] = w
	}
	for i := range arrived.Requests {
		if arrived.Requests[i].Kind == replica.InputForget {
			delete(o.waiters, arrived.Requests[i].ID)
		}
	}
	if o.failure = arrived.failure; o.failure != nil {
		return false
	}
	o.writing = o.writing && arrived.Written == nil
	if arrived.BackgroundDone != nil {
		o.backgroundBusy = false
		o.node.view.Store(nil) // a view tells how far a compaction has come
	}
	now := time.Since(o.start)
	arrived.Now = replica.Time(now)
	effects := o.replica.Turn(&arrived.Inputs)
	o.spare = arrived.emptied()
	o.dispatch(&effects)
	if now-o.looked >= o.node.tickPeriod() {
		o.looked = now
		o.connected()
	}
	if effects.Wake != o.wake {
		o.wake = effects.Wake
		o.timer.Reset(time.Duration(o.wake) - time.Since(o.start))
	}
	return effects.More
}

// carry does what the replica wants done. The write goes first: it takes longest. A member that is
// being stopped begins no other one, as if it had crashed here; with a new one at every turn it
// would never end.
func (o *loop) dispatch(effects *replica.Effects) {
	n := o.node
	stopping := n.stop.Load()
	if effects.Write != nil && !stopping {
		o.writing = true
		n.writes <- effects.Write
	}
	for i := range effects.Send {
		o.send(&effects.Send[i])
	}
	if len(effects.Send) > 0 {
		n.transport.Flush()
	}
	if effects.Background != nil && !stopping {
		o.backgroundBusy = true
		n.background <- effects.Background
	}
	for _, event := range effects.Events {
		o.onEvent(event)
	}
	o.publish(effects.View)
	for i := range effects.Answers {
		answer := &effects.Answers[i]
		if answer.Err == replica.ErrTimeout {
			answer.Err = context.DeadlineExceeded
		}
		if w, ok := o.waiters[answer.ID]; ok {
			delete(o.waiters, answer.ID)
			w.answer(answer.Value, answer.Err)
		}
	}
}

// publish lets readers see what has changed. It comes before the answers: who has got one must find
// its effect in the next view. The view that was asked for in this turn, if any, serves others too.
func (o *loop) publish(view any) {
	if status := o.replica.Status(); status != o.status.Status {
		o.publishStatus(status)
	}
	if view != nil {
		o.node.view.Store(&viewBox{view})
	}
}

func (o *loop) publishStatus(status replica.Status) {
	n := o.node
	if status.Leading != o.status.Leading {
		o.beats = heartbeats{}
	}
	if status.Leader != o.status.Leader {
		o.status.LeaderSince = time.Now()
		if status.Leader != 0 {
			n.counted.leaderChanges.Add(1)
		}
	}
	moved := status.Applied != o.status.Applied
	o.status.Status = status
	published := o.status
	n.status.Store(&published)
	if moved {
		n.view.Store(nil)
		if n.changes.waited.Load() { // who waits for a change asks for a view next
			n.view.Store(&viewBox{o.replica.View()})
		}
		n.changes.notifyAll(false)
	}
}

// send hands a message to the transport. What cannot be sent is lost: the protocol lives with that,
// but raft sends less to who is known to be unreachable.
func (o *loop) send(m *replica.Message) {
	if m.Chunk != nil {
		select {
		case o.node.chunks <- *m:
		default: // it will be fetched again
		}
		return
	}
	if m.Heartbeat() {
		o.beat(m.To)
	}
	buffer, err := m.Encode(o.scratch[:0])
	if err != nil {
		o.failure = err
		return
	}
	lane := transport.LaneConsensus
	if m.Bulky() {
		lane = transport.LaneBulk
	}
	if !o.node.transport.Queue(uint64(m.To), lane, buffer) {
		o.replica.Unreachable(m.To)
	}
	if o.scratch = buffer; cap(buffer) > scratchMax {
		o.scratch = nil
	}
}

// scratchMax bounds the buffer that is kept for encoding messages.
const scratchMax = 4 << 20

// onEvent acts on what the node itself cares about and passes the event on.
func (o *loop) onEvent(event replica.Event) {
	switch event.Kind {
	case replica.EventMembers:
		members := o.replica.Members()
		before := o.node.members.Swap(&members)
		o.node.setPeers(&members)
		if o.node.options.Membership != nil {
			o.node.options.Membership(*before, members)
		}
	case replica.EventRefused:
		if o.failure = fmt.Errorf("%w: %s", ErrRefused, event.Text); o.node.removed.Load() {
			o.failure = ErrRemoved
		}
	case replica.EventRemoved:
		o.failure = ErrRemoved
	case replica.EventFailed:
		o.failure = fmt.Errorf("node: %s", event.Text)
	}
	if o.node.options.Event != nil {
		o.node.options.Event(event)
	}
}

// failPending ends every request that still waits, wherever the last turn left it; the inbox is
// closed already. None may be answered twice: its waiter may be in use again.
func (o *loop) failPending() {
	arrived := o.node.inbox.take(batch{})
	for _, w := range arrived.waiters {
		w.answer(nil, o.node.inbox.closed)
	}
	// order-free: each gets the same
	for _, w := range o.waiters {
		w.answer(nil, o.node.inbox.closed)
	}
}
