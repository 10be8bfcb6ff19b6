package replica

import (
	"encoding/binary"
	"slices"
	"time"

	"go.etcd.io/raft/v3"
)

// reads are requests that wait for a read barrier: proof that no newer leader has committed
// anything that this member's state, once applied up to some index, would not show.
//
// The proof is a round of raft's ReadIndex. A round is never joined late: its index speaks only for
// what came before it. What comes later shares the next round, which begins while others are still
// under way (pace), so that nobody waits for the end of a round that takes a second over a slow
// link. Rounds are numbered, and an answer to one counts for all that began before it: who waited
// then, waited before the answered one began. So no answer is ever in vain, however late it comes,
// and to try again is to begin a further round.
type reads struct {
	waiting   []waiter             // join the next round
	rounds    []round              // under way, the oldest first
	confirmed []round              // whose index is not applied yet, in order
	begun     uint64               // rounds, in this run
	beganAt   Time                 // the latest of them
	again     bool                 // what is under way may be lost: another round is to begin
	asks      map[RequestID]*asked // questions for the leader of clients of this member
}

// The bounds of the rounds that are under way. At paceMin a round in a data centre is mostly over
// before another may begin, and all that wait share it. Where rounds take longer, a read waits at
// most one part in roundsPerTrip of the round for the next to begin. At roundsMax reads wait for an
// answer: when round trips grow from nothing to two seconds at once, 200 begin.
const (
	paceMin       = Time(time.Millisecond)
	roundsPerTrip = 32
	roundsMax     = 256
)

// requestsMax bounds the reads and the questions that wait at one time, each.
const requestsMax = 1 << 16

// waiter is one who waits for a barrier: a client's read, or a question for the leader's machine.
type waiter struct {
	id       RequestID // of a client of this member
	question []byte    // nil: a read
	from     MemberID  // who asked
	remote   uint64    // the ID of the question at the member that asked
	boot     uint64    // and its run
	since    Time
	term     Term
}

type round struct {
	number  uint64
	began   Time
	index   Index // once it is confirmed
	readers []waiter
}

type asked struct {
	question []byte
	sent     int  // tick
	term     Term // in which it waits here for a barrier; 0: it was sent
}

// Read asks for a linearizable view. Its Answer carries what Machine.View returned.
func (r *Replica) Read(id RequestID) {
	if len(r.reads.waiting) >= requestsMax {
		r.answer(Answer{ID: id, Err: ErrTooMany})
		return
	}
	r.reads.waiting = append(r.reads.waiting, waiter{id: id})
}

// Ask asks the leader's machine a question. Its Answer carries the machine's. A question may be
// asked again after a change of leader, so it must do no harm twice.
func (r *Replica) Ask(id RequestID, question []byte) {
	if len(r.reads.asks) >= requestsMax {
		r.answer(Answer{ID: id, Err: ErrTooMany})
		return
	}
	a := &asked{question: question}
	r.reads.asks[id] = a
	r.dispatch(id, a)
}

// dispatch sends a question to the leader, which may be this member.
func (r *Replica) dispatch(id RequestID, a *asked) {
	a.sent, a.term = r.ticks, 0
	switch {
	case r.leading():
		a.term = r.term
		r.reads.waiting = append(r.reads.waiting, waiter{id: id, question: a.question,
			from: r.options.ID, since: r.now, term: r.term})
	case r.leader != 0:
		data := binary.LittleEndian.AppendUint64(nil, r.options.Boot)
		r.send(Message{Kind: MessageAsk, To: r.leader, ID: uint64(id),
			Data: append(data, a.question...)})
	}
}

func (r *Replica) receiveAsk(m Message) {
	if !r.leading() || len(m.Data) < 8 || len(r.reads.waiting) >= requestsMax {
		return // the member asks again
	}
	boot := binary.LittleEndian.Uint64(m.Data)
	r.reads.waiting = append(r.reads.waiting, waiter{question: m.Data[8:], from: m.From,
		remote: m.ID, boot: boot, since: r.now, term: r.term})
}

func (r *Replica) receiveReply(m Message) {
	if len(m.Data) < 8 || binary.LittleEndian.Uint64(m.Data) != r.options.Boot {
		return
	}
	r.replied(RequestID(m.ID), m.Data[8:])
}

func (r *Replica) replied(id RequestID, data []byte) {
	if _, ok := r.reads.asks[id]; ok {
		delete(r.reads.asks, id)
		r.answer(Answer{ID: id, Value: data})
	}
}

// mayRead says whether a round can be begun at all: there is a leader to ask.
//
// A leader must have committed an entry of its own term before its commit index says anything.
// raft sees to that, but not where the leader is the only voter: there a fresh leader would answer
// with the commit index that its log on disk happens to mention, and acknowledged writes would seem
// to be gone until its first entry is durable. The same holds for a learner that asks it.
func (r *Replica) mayRead() bool {
	return r.leader != 0 && (!r.leading() || r.appliedTerm == r.term)
}

// startReads begins a round for those who wait, if it is time.
func (r *Replica) startReads() {
	q := &r.reads
	if !r.mayRead() {
		return
	}
	if !q.again && (len(q.waiting) == 0 || len(q.rounds) >= roundsMax || r.now < q.pace()) {
		return
	}
	q.again = false
	q.begun++
	q.beganAt = r.now
	if len(q.waiting) > 0 && len(q.rounds) < roundsMax {
		q.rounds = append(q.rounds, round{number: q.begun, began: r.now, readers: q.waiting})
		q.waiting = nil
	}
	context := binary.LittleEndian.AppendUint64(nil, r.options.Boot)
	r.node.ReadIndex(binary.LittleEndian.AppendUint64(context, q.begun))
}

// pace returns when a further round may begin. How long a round takes is not measured: the time
// between the oldest that is under way and the newest is as long.
func (q *reads) pace() Time {
	if len(q.rounds) == 0 {
		return 0
	}
	return q.beganAt + max(paceMin, (q.beganAt-q.rounds[0].began)/roundsPerTrip)
}

// readsWake returns when startReads is to be called for reads that wait for their pace; 0: none do.
func (r *Replica) readsWake() Time {
	q := &r.reads
	if !r.mayRead() || len(q.waiting) == 0 || len(q.rounds) >= roundsMax {
		return 0
	}
	return q.pace()
}

// readConfirmed takes an answer to a round: the index counts for all rounds up to this one.
func (r *Replica) readConfirmed(state raft.ReadState) {
	q := &r.reads
	if len(state.RequestCtx) != 16 ||
		binary.LittleEndian.Uint64(state.RequestCtx) != r.options.Boot {
		return // an earlier run asked
	}
	number := binary.LittleEndian.Uint64(state.RequestCtx[8:])
	for len(q.rounds) > 0 && q.rounds[0].number <= number {
		done := q.rounds[0]
		done.index = Index(state.Index)
		q.confirmed = append(q.confirmed, done)
		if q.rounds = q.rounds[1:]; len(q.rounds) == 0 {
			q.rounds = nil
		}
	}
}

// finishReads answers the rounds whose index is applied.
func (r *Replica) finishReads() {
	for len(r.reads.confirmed) > 0 && r.reads.confirmed[0].index <= r.applied {
		done := &r.reads.confirmed[0]
		if r.reads.confirmed = r.reads.confirmed[1:]; len(r.reads.confirmed) == 0 {
			r.reads.confirmed = nil
		}
		var view any
		for i := range done.readers {
			reader := &done.readers[i]
			if reader.question != nil {
				r.answerAsk(reader)
				continue
			}
			if view == nil {
				view = r.machine.View()
			}
			r.answer(Answer{ID: reader.id, Value: view})
		}
	}
}

// answerAsk answers a question if this member has led since it was asked. Otherwise the member that
// asked will ask the new leader.
func (r *Replica) answerAsk(reader *waiter) {
	if r.leadTerm != reader.term {
		return
	}
	data := r.machine.Ask(int64(reader.since), reader.question)
	if reader.from == r.options.ID {
		r.replied(reader.id, data)
		return
	}
	head := binary.LittleEndian.AppendUint64(nil, reader.boot)
	r.send(Message{Kind: MessageReply, To: reader.from, ID: reader.remote,
		Data: append(head, data...)})
}

// retryReads makes up for what the network has lost.
//
// A leader's rounds are not lost: raft asks again with each heartbeat. Of a follower's rounds, the
// question or the answer may be. After a heartbeat's time it begins a further one, and whichever
// answer comes first counts. Here was a fault: the new round took the place of the one before,
// whose answer, over a link slower than heartbeats, came later and was for nobody, and so with
// every round after it.
func (r *Replica) retryReads() {
	q := &r.reads
	heartbeat := Time(r.options.HeartbeatTicks) * Time(r.options.Tick)
	if len(q.rounds) > 0 && !r.leading() && r.now-q.beganAt >= heartbeat {
		q.again = true
	}
	for _, id := range sortedKeys(q.asks) {
		a := q.asks[id]
		if a.term == r.leadTerm && a.term != 0 {
			continue // it waits for a round of this leader
		}
		if r.ticks-a.sent >= r.options.ElectionTicks {
			r.dispatch(id, a)
		}
	}
}

// leaderChanged turns to the new leader at once.
func (r *Replica) leaderChanged() {
	r.reads.again = len(r.reads.rounds) > 0
	for _, id := range sortedKeys(r.reads.asks) {
		r.dispatch(id, r.reads.asks[id])
	}
}

func (q *reads) forget(id RequestID) {
	delete(q.asks, id)
	same := func(other waiter) bool { return other.id == id && other.remote == 0 }
	q.waiting = slices.DeleteFunc(q.waiting, same)
	for _, rounds := range [][]round{q.rounds, q.confirmed} {
		for i := range rounds {
			rounds[i].readers = slices.DeleteFunc(rounds[i].readers, same)
		}
	}
}
