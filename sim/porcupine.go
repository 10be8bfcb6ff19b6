package sim

import (
	"github.com/anishathalye/porcupine"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// interval is what porcupine is told of an operation: when it was, at which revision it was
// answered, and whether it made that revision.
type interval struct {
	client         int
	call, finished int64
	revision       int64
	write          bool
}

// windowRevisions is how much of a run porcupine looks at: its search is costly in long histories.
const windowRevisions = 150

// opinionSteps bounds its search, which grows without measure with the operations that overlap if
// no order explains them. A window that it could not finish is reported, and is neither right nor
// wrong.
const opinionSteps = 300_000

// keep remembers an operation for the second opinion, if it must be linearizable.
func (j *judge) keep(o *operation, revision int64) {
	if stale(o) && !wrote(o) || j.inWindow(revision) == 0 {
		return
	}
	switch o.response.(type) {
	case *pb.RangeResponse, *pb.PutResponse, *pb.DeleteRangeResponse, *pb.TxnResponse:
		j.window = append(j.window,
			interval{o.client, o.call, o.finished, revision, wrote(o)})
	}
}

// inWindow numbers the revisions that the second opinion is about from 1; 0: it is not about this.
func (j *judge) inWindow(revision int64) int64 {
	if n := revision - j.windowFrom; n > 0 && n <= windowRevisions {
		return n
	}
	return 0
}

// wrote says whether an operation made the revision that it was answered at.
func wrote(o *operation) bool {
	switch r := o.response.(type) {
	case *pb.PutResponse:
		return true
	case *pb.DeleteRangeResponse:
		return r.Deleted > 0
	case *pb.TxnResponse:
		return txnWrote(r)
	}
	return false
}

func txnWrote(r *pb.TxnResponse) bool {
	for _, op := range r.Responses {
		switch inner := op.Response.(type) {
		case *pb.ResponseOp_ResponsePut:
			return true
		case *pb.ResponseOp_ResponseDeleteRange:
			if inner.ResponseDeleteRange.Deleted > 0 {
				return true
			}
		case *pb.ResponseOp_ResponseTxn:
			if txnWrote(inner.ResponseTxn) {
				return true
			}
		}
	}
	return false
}

// count is the state that porcupine searches through: a revision, and how often it was read. It
// moves on only when all who read the revision have: whoever has not could never come after.
type count struct {
	revision int64
	reads    int
}

// secondOpinion asks porcupine, which knows nothing of revisions, logs or raft, whether there is an
// order of the operations in the window that explains what clients were told: the store is a
// counter; a write makes the next revision, a read sees the present one. Revisions that no client
// was told it made (its answer was lost, or a lease ended) happened at some time.
func (j *judge) secondOpinion() {
	if len(j.window) == 0 {
		return
	}
	end := j.world.now + 1
	made, reads := map[int64]bool{}, map[int64]int{}
	var history []porcupine.Operation
	add := func(v interval) {
		history = append(history, porcupine.Operation{ClientId: v.client, Input: v, Call: v.call,
			Return: v.finished})
	}
	for _, v := range j.window {
		if v.write {
			made[v.revision] = true
		} else {
			reads[v.revision]++
		}
		add(v)
	}
	for r := j.windowFrom + 1; r <= j.windowFrom+windowRevisions; r++ {
		if !made[r] {
			add(interval{client: int(r), finished: end, revision: r, write: true})
		}
	}
	steps := 0
	model := porcupine.Model{
		Init: func() any { return count{revision: j.windowFrom} },
		Step: func(state, input, _ any) (bool, any) {
			if steps++; steps > opinionSteps {
				return false, state
			}
			v, s := input.(interval), state.(count)
			if v.write {
				return v.revision == s.revision+1 && s.reads == reads[s.revision],
					count{revision: v.revision}
			}
			return v.revision == s.revision, count{s.revision, s.reads + 1}
		},
		Hash: func(state any) uint64 {
			return uint64(state.(count).revision)<<16 + uint64(state.(count).reads)
		},
	}
	switch explained := porcupine.CheckOperations(model, history); {
	case explained:
	case steps > opinionSteps:
		j.noOpinion = true
	default:
		j.fail("porcupine: no order of the operations at revisions %d to %d explains their answers",
			j.windowFrom+1, j.windowFrom+windowRevisions)
	}
}
