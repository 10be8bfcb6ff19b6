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
	waiting   []*request       // join the next round
	rounds    []readIndexRound // under way, the oldest first
	confirmed []readIndexRound // whose index is not applied yet, in order
	begun     uint64           // rounds, in this run
	beganAt   Time             // the latest of them
	retry     bool             // what is under way may be lost: another round is to begin
	held      int              // requests that wait or are of a round
	gone      int              // that were forgotten since held was last looked through
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

type readIndexRound struct {
	number  uint64
	began   Time
	index   Index // once it is confirmed
	readers []*request
}

// Read asks for a linearizable view. Its Answer carries what Machine.View returned.
func (r *Replica) Read(id RequestID) {
	if q := (&request{kind: requestRead, id: id}); r.wait(q) {
		r.reads.join(q)
	}
}

// join lets a request be of the next round.
func (q *reads) join(one *request) {
	q.waiting = append(q.waiting, one)
	q.held++
}

// QueryLeader asks the leader's machine a question. Its Answer carries the machine's. A question
// may be asked again after a change of leader, so it must do no harm twice.
func (r *Replica) QueryLeader(id RequestID, question []byte) {
	q := &request{kind: requestQuery, id: id, data: question}
	if r.wait(q) {
		r.dispatch(q)
		r.requests.queries.list = append(r.requests.queries.list, q)
	}
}

// dispatch sends a question to the leader, which may be this member.
func (r *Replica) dispatch(q *request) {
	q.sent = r.ticks
	switch {
	case r.leading():
		r.heard(&request{kind: requestQuery, id: q.id, data: q.data, from: r.options.ID})
	case r.leader != 0:
		data := binary.LittleEndian.AppendUint64(nil, r.options.SessionID)
		r.send(Message{Kind: MessageQuery, To: r.leader, ID: uint64(q.id),
			Data: append(data, q.data...)})
	}
}

// heard lets a question wait for a barrier.
func (r *Replica) heard(q *request) {
	q.since, q.term = r.now, r.term
	r.reads.join(q)
}

func (r *Replica) receiveQuery(m Message) {
	if !r.leading() || len(m.Data) < 8 || len(r.reads.waiting) >= requestsMax {
		return // the member asks again
	}
	boot := binary.LittleEndian.Uint64(m.Data)
	r.heard(&request{kind: requestQuery, id: RequestID(m.ID), data: m.Data[8:],
		from: m.From, sessionID: boot})
}

func (r *Replica) receiveReply(m Message) {
	if len(m.Data) < 8 || binary.LittleEndian.Uint64(m.Data) != r.options.SessionID {
		return
	}
	r.replied(RequestID(m.ID), m.Data[8:])
}

func (r *Replica) replied(id RequestID, data []byte) {
	if q := r.requests.waiting[id]; q != nil && q.kind == requestQuery {
		r.finish(q, data, nil)
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
	if !q.retry && (len(q.waiting) == 0 || len(q.rounds) >= roundsMax || r.now < q.pace()) {
		return
	}
	q.retry = false
	q.begun++
	q.beganAt = r.now
	if len(q.waiting) > 0 && len(q.rounds) < roundsMax {
		q.rounds = append(q.rounds, readIndexRound{number: q.begun, began: r.now, readers: q.waiting})
		q.waiting = nil
	}
	context := binary.LittleEndian.AppendUint64(nil, r.options.SessionID)
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
		binary.LittleEndian.Uint64(state.RequestCtx) != r.options.SessionID {
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
		r.reads.held -= len(done.readers)
		var view any
		for _, reader := range done.readers {
			switch {
			case reader.kind == requestQuery:
				r.answerQuery(reader)
			case !reader.gone:
				if view == nil {
					view = r.machine.View()
				}
				r.finish(reader, view, nil)
			}
		}
	}
}

// answerAsk answers a question if this member has led since it was asked. Otherwise the member that
// asked will ask the new leader.
func (r *Replica) answerQuery(reader *request) {
	if r.leadTerm != reader.term {
		return
	}
	data := r.machine.Query(int64(reader.since), reader.data)
	if reader.from == r.options.ID {
		r.replied(reader.id, data)
		return
	}
	head := binary.LittleEndian.AppendUint64(nil, reader.sessionID)
	r.send(Message{Kind: MessageReply, To: reader.from, ID: uint64(reader.id),
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
		q.retry = true
	}
	if !r.leading() { // on the leader they wait for a round
		r.repeatQueries(func(one *request) bool { return r.ticks-one.sent >= r.options.ElectionTicks })
	}
}

// repeatQueries sends the oldest questions again, as long as they are due.
func (r *Replica) repeatQueries(due func(*request) bool) {
	questions := &r.requests.queries
	count := 0
	for count < len(questions.list) && due(questions.list[count]) {
		if one := questions.list[count]; !one.gone {
			r.dispatch(one)
			questions.list = append(questions.list, one)
		}
		count++
	}
	questions.drop(count)
}

// leaderChanged turns to the new leader at once.
func (r *Replica) leaderChanged() {
	r.reads.retry = len(r.reads.rounds) > 0
	for _, one := range r.requests.queries.list {
		if !one.gone {
			r.dispatch(one)
		}
	}
}

// forgot says that nobody waits for one of the reads any more. It stays until such may be half of
// all that are held; see queue.
func (q *reads) forgot() {
	if q.gone++; 2*q.gone <= q.held {
		return
	}
	q.waiting, q.gone = slices.DeleteFunc(q.waiting, isGone), 0
	q.held = len(q.waiting)
	for _, rounds := range [][]readIndexRound{q.rounds, q.confirmed} {
		for i := range rounds {
			rounds[i].readers = slices.DeleteFunc(rounds[i].readers, isGone)
			q.held += len(rounds[i].readers)
		}
	}
}
