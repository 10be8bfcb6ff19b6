package sim

import (
	"strings"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"detcd/consensus/replica"
	"detcd/kv"
)

// watched is what is remembered of a member to see states.
type watched struct {
	role      string
	ledIn     replica.Term
	last      replica.Index // of its log, when it last wrote
	behindTo  replica.Index // where it is to catch up to, after it was away
	receiving bool          // a snapshot
	voters    int           // of its membership
	learners  int
}

// This file watches a run for the states of stateInfos. It only looks: it draws nothing and changes
// nothing, so a run is the same without it.

// deposed says whether a member believes that it leads, and another leads in a later term.
func (m *member) deposed() bool {
	s := m.replica.Status()
	if !s.Leading {
		return false
	}
	for _, other := range m.world.members {
		if other != m && other.up() {
			if o := other.replica.Status(); o.Leading && o.Term > s.Term {
				return true
			}
		}
	}
	return false
}

// sawMessage looks at what a member sends.
func (w *world) sawMessage(from *member, m *replica.Message) {
	if m.Kind == replica.MessageOffer {
		w.saw("snapshot-offered")
		members := from.replica.Members()
		if peer, ok := members.Find(m.To); ok {
			w.sawIf(peer.Learner, "snapshot-learner")
		}
	}
	switch r := m.Raft; r.GetType() {
	case raftpb.MsgVoteResp:
		w.sawIf(r.GetReject(), "vote-refused")
	case raftpb.MsgPreVoteResp:
		w.sawIf(r.GetReject(), "prevote-refused")
	case raftpb.MsgAppResp:
		w.sawIf(r.GetReject(), "append-refused")
	case raftpb.MsgTimeoutNow:
		w.saw("transfer")
	}
}

// sawArrival looks at what a member is about to receive.
func (w *world) sawArrival(to *member, m *replica.Message) {
	if t := m.Raft.GetType(); m.Raft == nil || t != raftpb.MsgVote && t != raftpb.MsgPreVote {
		return
	}
	s := to.replica.Status()
	w.sawIf(s.Durable < s.Last, "vote-beside-entries")
	w.sawIf(to.receiving, "snapshot-beside-vote")
}

// sawEvent looks at what a replica reports.
func (m *member) sawEvent(e replica.Event) {
	w := m.world
	switch e.Kind {
	case replica.EventRole:
		m.sawRole(e)
	case replica.EventLeader:
		w.sawIf(m.receiving && e.Member != 0, "snapshot-beside-election")
	case replica.EventTorn:
		w.saw("torn-tail")
	case replica.EventSnapshotRecv:
		w.sawIf(m.receiving, "snapshot-restarts")
		m.receiving = true
		for _, other := range w.members {
			w.sawIf(other != m && other.up() && other.receiving, "snapshot-two-receivers")
		}
	case replica.EventInstalled:
		m.receiving = false
		w.saw("snapshot-installed")
	case replica.EventSnapshotFailed:
		m.receiving = false
		w.saw("snapshot-given-up")
	case replica.EventCheckpoint:
		w.sawIf(m.replica.Status().Leading && w.someoneReceives(m), "checkpoint-while-sending")
	case replica.EventMembers:
		w.changedAt[m.number] = w.now
		m.sawMembers()
	case replica.EventRefused:
		w.saw("refused-incarnation")
	case replica.EventRemoved:
		w.saw("member-removed")
	case replica.EventSpace:
		w.sawIf(e.Index == 1, "disk-full")
		w.sawIf(e.Index == 0, "disk-room-again")
	}
}

func (w *world) someoneReceives(not *member) bool {
	for _, other := range w.members {
		if other != not && other.up() && other.receiving {
			return true
		}
	}
	return false
}

func (m *member) sawRole(e replica.Event) {
	w, s := m.world, m.replica.Status()
	was := m.role
	m.role = e.Text
	switch {
	case e.Text == "leader":
		w.sawIf(s.Last > s.Committed+1, "new-leader-old-tail")
		for _, other := range w.members {
			w.sawIf(other != m && other.up() && other.replica.Status().Leading, "two-leaders")
		}
		members := m.replica.Members()
		_, in := members.Find(m.id())
		w.sawIf(!in, "leads-though-removed")
	case strings.Contains(e.Text, "candidate"):
		w.sawIf(w.options.NoPreVote, "no-pre-vote")
		if e.Text == "candidate" {
			other := w.campaigns[e.Term]
			w.sawIf(other != 0 && other != m.number, "split-vote")
			w.campaigns[e.Term] = m.number
		}
	case was == "leader" && e.Term == m.ledIn:
		w.saw("steps-down")
	case was == "candidate":
		w.saw("campaign-fails")
	}
	if e.Text == "leader" {
		m.ledIn, w.term = e.Term, max(w.term, e.Term)
	}
}

func (m *member) sawMembers() {
	w, voters, learners := m.world, 0, 0
	members := m.replica.Members()
	for _, peer := range members.Members {
		if peer.Learner {
			learners++
		} else {
			voters++
		}
	}
	w.sawIf(voters > m.voters && m.voters > 0, "voter-added")
	w.sawIf(learners > m.learners, "learner-added")
	w.sawIf(voters == 1, "one-voter")
	w.sawIf(voters > 1 && voters%2 == 0, "even-voters")
	m.voters, m.learners = voters, learners
	_, in := members.Find(m.id())
	w.sawIf(!in && m.replica.Status().Leading, "leads-though-removed")
}

// sawWrite looks at a write that begins.
func (m *member) sawWrite(write *replica.Write) {
	w, n := m.world, len(write.Records)
	w.sawIf(m.bulk != nil, "lanes-both")
	w.sawIf(n >= 10, "write-of-ten")
	w.sawIf(n >= 100, "write-of-hundred")
	w.sawIf(m.receiving, "snapshot-beside-write")
	last := m.replica.Status().Last
	w.sawIf(last < m.last, "tail-overwritten")
	m.last = last
}

// sawCrash looks at a member that is about to crash.
func (m *member) sawCrash() {
	w, s := m.world, m.replica.Status()
	w.sawIf(m.write != nil, "crash-in-write")
	w.sawIf(m.write != nil && m.bulk != nil, "crash-in-both")
	w.sawIf(s.Leading, "crash-leading")
	w.sawIf(m.voters == 1, "crash-alone")
	last, changed := w.changedAt[m.number]
	soon := int64(w.options.World.roundTrip()) + 100*ms
	w.sawIf(changed && w.now-last < soon, "change-beside-crash")
	if b := m.bulk; b != nil {
		w.saw("crash-in-bulk")
		w.sawIf(b.Checkpoint != nil, "crash-in-checkpoint")
		w.sawIf(b.Stage != nil, "crash-in-stage")
		w.sawIf(b.Verify != nil, "crash-in-verify")
	}
}

// sawRecovery looks at a member that has recovered.
func (m *member) sawRecovery() {
	w, s := m.world, m.replica.Status()
	w.sawIf(s.Last > s.Applied+50, "replay-long")
	w.sawIf(s.Last > s.Committed && s.Last > 1, "recovers-uncommitted")
	m.last, m.role, m.receiving = s.Last, "", false
	if leader := w.leader(); leader != nil && leader != m {
		if l := leader.replica.Status(); l.Last > s.Last+20 {
			m.behindTo = l.Last
		}
	}
}

// sawApplied looks at a command that a member has applied, the nth of its entry.
func (m *member) sawApplied(index replica.Index, nth int) {
	w := m.world
	w.sawIf(nth == 3, "entry-of-three")
	w.sawIf(nth == 30, "entry-of-thirty")
	if m.behindTo != 0 && index >= m.behindTo {
		w.sawIf(!m.receiving, "caught-up-by-log")
		m.behindTo = 0
	}
}

// sawRequest looks at a request that a member is about to work on.
func (m *member) sawRequest(request proto.Message) {
	w, s := m.world, m.replica.Status()
	deposed := m.deposed()
	switch r := request.(type) {
	case *pb.RangeRequest:
		if r.Serializable {
			return
		}
		w.sawIf(deposed, "deposed-read")
		w.sawIf(!s.Leading && s.Leader != 0, "read-at-follower")
		w.sawIf(s.Leader == 0, "read-without-leader")
	case *pb.LeaseKeepAliveRequest:
		w.sawIf(deposed, "deposed-renewal")
		w.sawIf(!s.Leading && s.Leader != 0, "lease-renewed-at-follower")
	case *pb.PutRequest, *pb.DeleteRangeRequest, *pb.TxnRequest:
		w.sawIf(deposed, "deposed-write")
	case *pb.CompactionRequest:
		w.sawIf(w.someoneReceives(m), "compacts-while-sending")
	}
}

// sawDue looks at leases that a member wants to end.
func (m *member) sawDue(count int) {
	m.world.sawIf(count > 0 && m.deposed(), "deposed-due")
	m.world.sawIf(count >= 20, "lease-storm")
}

// sawOutcome looks at what a client was told.
func (w *world) sawOutcome(o *operation) {
	if o.undecided {
		w.saw("client-gave-up")
		return
	}
	if o.err != nil {
		w.sawError(o.request, o.err)
		return
	}
	took := o.finished - o.call
	switch r := o.response.(type) {
	case *pb.RangeResponse:
		request := o.request.(*pb.RangeRequest)
		heartbeat := w.options.World[TickInterval] * w.options.World[HeartbeatTicks]
		w.sawIf(!request.Serializable && took > heartbeat, "read-longer-than-heartbeat")
		w.sawIf(request.Serializable && r.Header.Revision < o.least, "serializable-stale")
		w.sawIf(!request.Serializable && replica.Term(r.Header.RaftTerm) > o.term && o.term > 0,
			"read-across-leaders")
		w.sawIf(r.More, "range-more")
	case *pb.DeleteRangeResponse:
		w.sawIf(r.Deleted == 0, "delete-nothing")
	case *pb.TxnResponse:
		w.sawIf(!r.Succeeded, "txn-else")
		for _, op := range r.Responses {
			w.sawIf(op.GetResponseTxn() != nil, "txn-nested")
		}
	case *pb.LeaseRevokeResponse:
		w.saw("lease-revoked")
	case *pb.LeaseKeepAliveResponse:
		w.sawIf(r.TTL <= 0, "lease-gone")
		granted := w.grantedIn[r.ID]
		w.sawIf(r.TTL > 0 && granted > 0 && r.Header.RaftTerm > granted, "lease-renewed-across-leaders")
	case *pb.LeaseGrantResponse:
		w.grantedIn[r.ID] = r.Header.RaftTerm
	}
}

func (w *world) sawError(request proto.Message, err error) {
	if err == rpctypes.ErrGRPCCompacted {
		if _, compact := request.(*pb.CompactionRequest); compact {
			w.saw("compact-twice")
		} else {
			w.saw("revision-compacted")
		}
	}
	names := map[error]string{
		rpctypes.ErrGRPCNoSpace: "alarm-space", rpctypes.ErrGRPCCorrupt: "alarm-corrupt",
		rpctypes.ErrGRPCPermissionDenied: "permission-denied",
		rpctypes.ErrGRPCAuthOldRevision:  "auth-revision-old",
		rpctypes.ErrGRPCFutureRev:        "revision-future",
		rpctypes.ErrGRPCLeaseExist:       "lease-id-taken",
		rpctypes.ErrGRPCLeaseNotFound:    "lease-missing",
		replica.ErrTooMany:               "request-refused-busy",
	}
	if name, ok := names[err]; ok {
		w.saw(name)
	}
}

// sawWatch looks at what a watch was told.
func (v *watcher) sawWatch(r *pb.WatchResponse) {
	w := v.client.world
	w.sawIf(r.Fragment, "watch-fragment")
	w.sawIf(len(r.Events) >= 20, "watch-many-events")
	w.sawIf(len(r.Events) == 0 && !r.Created && !r.Canceled, "watch-progress")
	w.sawIf(r.Canceled && r.CompactRevision > 0, "watch-compacted")
	for _, e := range r.Events {
		if e.PrevKv != nil {
			w.saw("watch-previous")
			break
		}
	}
}

// sawOpened looks at a watch that is opened at a member.
func (v *watcher) sawOpened(m *member) {
	w, view := v.client.world, m.store
	w.sawIf(v.at != nil && v.at != m, "watch-moved")
	w.sawIf(v.next == view.View().(*kv.View).Compacted() && v.next > 1, "watch-at-compacted")
	w.sawIf(view.Revision()-v.next >= 100, "watch-behind")
	w.sawIf(v.next > view.Revision()+1, "watch-future")
	v.at = m
}

// sawUnknown looks at what became of writes without an answer.
func (w *world) sawUnknown() {
	for _, o := range w.judge.record.calls {
		put, ok := o.request.(*pb.PutRequest)
		if !ok || !o.undecided || len(put.Value) == 0 {
			continue
		}
		_, done := w.judge.history.written[string(put.Value)]
		w.sawIf(done, "write-unknown-done")
		w.sawIf(!done, "write-unknown-undone")
	}
}
