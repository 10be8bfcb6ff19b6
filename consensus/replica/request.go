package replica

import "slices"

// requestKind tells what a request asks for.
type requestKind int

const (
	requestCommand requestKind = iota
	requestChange
	requestRead
	requestQuery
	requestDefragment
	requestKinds
)

// A request is something that a client of this member waits for, or a question of a client of
// another member.
type request struct {
	kind    requestKind
	id      RequestID
	data    []byte // the command or the question
	changes []Change
	asked   Time // when
	sent    int  // the tick at which a question was sent to the leader
	gone    bool // nobody waits any more

	// Of a question that waits here for a barrier:
	from      MemberID // whose client asks
	sessionID uint64   // in which run of it
	since     Time     // when the question was heard
	term      Term     // which this member led then
}

// requests are those of clients of this member, until they are answered or forgotten.
type requests struct {
	waiting map[RequestID]*request
	count   [requestKinds]int // of them
	asked   queue             // all of them, in order; empty if none runs out of time
	queries queue             // among them, in the order in which they were sent
	block   []request         // what is left of the latest one
}

// requestBlock is how many commands share an allocation: their memory is free when the last of them
// is over, and they run out of time together.
const requestBlock = 16

// make returns an empty request.
func (all *requests) make() *request {
	if len(all.block) == 0 {
		all.block = make([]request, requestBlock)
	}
	q := &all.block[0]
	all.block = all.block[1:]
	return q
}

// requestsMax bounds the requests of each kind that wait at one time; more are answered ErrTooMany.
// Commands are bounded by their bytes besides.
const requestsMax = 1 << 16

// wait adds a request to those that somebody waits for, unless there are too many.
func (r *Replica) wait(q *request) bool {
	if r.requests.count[q.kind] >= requestsMax {
		r.answer(Answer{ID: q.id, Err: ErrTooMany})
		return false
	}
	r.requests.waiting[q.id] = q
	r.requests.count[q.kind]++
	if r.options.RequestTimeout > 0 && q.kind != requestDefragment { // which takes as long as it takes
		q.asked = r.now
		r.requests.asked.list = append(r.requests.asked.list, q)
	}
	return true
}

// finish answers a request.
func (r *Replica) finish(q *request, value any, err error) {
	r.end(q)
	r.answer(Answer{ID: q.id, Value: value, Err: err})
}

// Forget says that nobody waits for the request any more. A command that was handed to raft may
// still be executed; one that was not will not be.
func (r *Replica) Forget(id RequestID) {
	q := r.requests.waiting[id]
	if q == nil {
		return
	}
	r.end(q)
	switch q.kind {
	case requestCommand:
		r.proposals.bytes -= len(q.data)
		q.data = nil
		r.proposals.pending.forgot()
	case requestChange:
		r.proposals.changes.forgot()
	case requestRead:
		r.reads.forgot()
	case requestDefragment:
		r.background.defragments.forgot()
	}
}

func (r *Replica) end(q *request) {
	delete(r.requests.waiting, q.id)
	r.requests.count[q.kind]--
	q.gone = true
	if r.options.RequestTimeout > 0 {
		r.requests.asked.forgot()
	}
	if q.kind == requestQuery {
		r.requests.queries.forgot()
	}
}

// expire ends the requests that have waited for too long.
func (r *Replica) expire() {
	all, count := &r.requests.asked, 0
	for _, q := range all.list {
		if !q.gone && r.now-q.asked < Time(r.options.RequestTimeout) {
			break
		}
		count++
	}
	late := slices.Clone(all.list[:count])
	all.drop(count)
	for _, q := range late {
		if !q.gone {
			r.Forget(q.id)
			r.answer(Answer{ID: q.id, Err: ErrTimeout})
		}
	}
}

// A queue keeps requests in order. One that nobody waits for any more is only marked; when those
// may be half of the queue they are swept out at once. So to forget costs the same however many
// wait, and what is forgotten takes no more room than what is not.
type queue struct {
	list []*request
	gone int // marked since the queue was last swept
}

func isGone(q *request) bool { return q.gone }

// forgot says that one of the queue was marked.
func (q *queue) forgot() {
	if q.gone++; 2*q.gone > len(q.list) {
		q.list, q.gone = slices.DeleteFunc(q.list, isGone), 0
	}
}

// drop takes the first requests out of the queue. What is left, mostly nothing, moves to the front,
// so that the memory is used again.
func (q *queue) drop(count int) {
	q.list = slices.Delete(q.list, 0, count)
	if len(q.list) == 0 && cap(q.list) > queueKeepMax {
		q.list = nil
	}
}

// queueKeepMax bounds the requests for which a queue has memory while none waits.
const queueKeepMax = 4096
