package replica

import (
	"encoding/binary"
	"slices"

	"go.etcd.io/raft/v3"
)

// reads are requests that wait for a read barrier: proof that no newer leader has committed
// anything that this member's state, once applied up to some index, would not show.
//
// One round of raft's ReadIndex is under way at a time; what arrives meanwhile shares the next. A
// round is never joined late: its index speaks only for what came before it. RequestsMax bounds
// what waits.
type reads struct {
	waiting   []waiter             // join the next round
	round     *round               // under way
	confirmed []*round             // whose index is not applied yet, in order
	rounds    uint64               // counter
	asks      map[RequestID]*asked // questions for the leader of clients of this member
}

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
	context []byte
	started int // tick
	index   Index
	readers []waiter
}

type asked struct {
	question []byte
	sent     int // tick
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
	a.sent = r.ticks
	switch {
	case r.leading():
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

// startReads begins a round for those who wait, unless one is under way.
//
// A leader must have committed an entry of its own term before its commit index says anything.
// raft sees to that, but not where the leader is the only voter: there a fresh leader would answer
// with the commit index that its log on disk happens to mention, and acknowledged writes would seem
// to be gone until its first entry is durable.
func (r *Replica) startReads() {
	if r.reads.round != nil || len(r.reads.waiting) == 0 || r.leader == 0 {
		return
	}
	if r.leading() && r.appliedTerm != r.term {
		return
	}
	r.reads.rounds++
	context := binary.LittleEndian.AppendUint64(nil, r.options.Boot)
	context = binary.LittleEndian.AppendUint64(context, r.reads.rounds)
	r.reads.round = &round{context: context, started: r.ticks, readers: r.reads.waiting}
	r.reads.waiting = nil
	r.node.ReadIndex(context)
}

func (r *Replica) readConfirmed(state raft.ReadState) {
	current := r.reads.round
	if current == nil || string(state.RequestCtx) != string(current.context) {
		return // an earlier round, asked again since
	}
	r.reads.round = nil
	current.index = Index(state.Index)
	r.reads.confirmed = append(r.reads.confirmed, current)
}

// finishReads answers the rounds whose index is applied.
func (r *Replica) finishReads() {
	for len(r.reads.confirmed) > 0 && r.reads.confirmed[0].index <= r.applied {
		done := r.reads.confirmed[0]
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

// retryReads starts a round again that got no answer (messages are lost, leaders change), and asks
// questions again.
func (r *Replica) retryReads() {
	if round := r.reads.round; round != nil && r.ticks-round.started >= r.options.HeartbeatTicks {
		r.restartRound()
	}
	for _, id := range sortedKeys(r.reads.asks) {
		if a := r.reads.asks[id]; r.ticks-a.sent >= r.options.ElectionTicks {
			r.dispatch(id, a)
		}
	}
}

func (r *Replica) restartRound() {
	r.reads.waiting = append(r.reads.round.readers, r.reads.waiting...)
	r.reads.round = nil
}

// leaderChanged turns to the new leader at once.
func (r *Replica) leaderChanged() {
	if r.reads.round != nil {
		r.restartRound()
	}
	for _, id := range sortedKeys(r.reads.asks) {
		r.dispatch(id, r.reads.asks[id])
	}
}

func (q *reads) forget(id RequestID) {
	delete(q.asks, id)
	same := func(other waiter) bool { return other.id == id && other.remote == 0 }
	q.waiting = slices.DeleteFunc(q.waiting, same)
	if q.round != nil {
		q.round.readers = slices.DeleteFunc(q.round.readers, same)
	}
	for _, round := range q.confirmed {
		round.readers = slices.DeleteFunc(round.readers, same)
	}
}
