package replica

import (
	"slices"

	"go.etcd.io/raft/v3/raftpb"
)

// Member is one member and what is known of it.
type Member struct {
	ID          MemberID
	Name        string   // empty until the member has started
	PeerURLs    []string // where the other members reach it
	ClientURLs  []string // where clients reach it; published by the member itself
	Learner     bool     // receives the log, does not vote
	Incarnation uint64   // of its data directory; 0 until the member has started
}

// Membership is who is in the cluster, and who was.
type Membership struct {
	Members []Member   // ascending by ID
	Removed []MemberID // ascending; never members again
}

// Find returns the member with this ID.
func (m *Membership) Find(id MemberID) (Member, bool) {
	if i, ok := m.search(id); ok {
		return m.Members[i], true
	}
	return Member{}, false
}

// search looks from the start: members are few, and this is asked for each message.
func (m *Membership) search(id MemberID) (int, bool) {
	for i := range m.Members {
		if known := m.Members[i].ID; known >= id {
			return i, known == id
		}
	}
	return len(m.Members), false
}

func (m *Membership) wasRemoved(id MemberID) bool {
	_, ok := slices.BinarySearch(m.Removed, id)
	return ok
}

// clone returns a copy that the caller may keep; members' URL lists are never changed in place.
func (m *Membership) clone() Membership {
	return Membership{slices.Clone(m.Members), slices.Clone(m.Removed)}
}

// ChangeKind tells what a Change does.
type ChangeKind uint8

// The kinds of change. Their numbers are in the log and never change.
const (
	ChangeAdd     ChangeKind = 1 // add Member, as a voter or as a learner
	ChangePromote ChangeKind = 2 // let the learner Member.ID vote
	ChangeRemove  ChangeKind = 3 // remove Member.ID
	ChangeUpdate  ChangeKind = 4 // set the peer URLs of Member.ID
	changePublish ChangeKind = 5 // a member tells its name, client URLs and incarnation

	changeAddOnlyLearner ChangeKind = 6 // of older logs: the next one, with LearnersMax 1
	ChangeAddLearner     ChangeKind = 7 // add Member as a learner, if there are fewer than LearnersMax
)

// Change is one change of the membership. Several in one request are made in one joint step of
// consensus, as section 6 of the Raft paper describes.
type Change struct {
	Kind   ChangeKind
	Member Member

	// LearnersMax is for ChangeAddLearner. Each learner costs the leader a copy of the log that
	// counts for no majority. It is a setting of the member that is asked, but judged where the
	// change is applied: two members that are asked at once do not add one too many.
	LearnersMax uint64
}

// check says why a change cannot be made.
func (m *Membership) check(c Change) error {
	_, known := m.search(c.Member.ID)
	switch c.Kind {
	case ChangeAdd, ChangeAddLearner:
		switch {
		case m.wasRemoved(c.Member.ID):
			return ErrMemberRemoved
		case known:
			return ErrMemberExists
		}
		if err := m.checkURLs(c.Member); err != nil {
			return err
		}
		if c.Kind == ChangeAddLearner && m.learners() >= c.LearnersMax {
			return ErrTooManyLearners
		}
		return nil
	case ChangeUpdate:
		if !known {
			return m.missing(c.Member.ID)
		}
		return m.checkURLs(c.Member)
	case ChangePromote:
		member, ok := m.Find(c.Member.ID)
		switch {
		case !ok:
			return m.missing(c.Member.ID)
		case !member.Learner:
			return ErrNotLearner
		}
		return nil
	}
	if !known {
		return m.missing(c.Member.ID)
	}
	return nil
}

func (m *Membership) learners() (count uint64) {
	for i := range m.Members {
		if m.Members[i].Learner {
			count++
		}
	}
	return count
}

func (m *Membership) missing(id MemberID) error {
	if m.wasRemoved(id) {
		return ErrMemberRemoved
	}
	return ErrMemberUnknown
}

func (m *Membership) checkURLs(changed Member) error {
	for _, member := range m.Members {
		if member.ID == changed.ID {
			continue
		}
		for _, url := range changed.PeerURLs {
			if slices.Contains(member.PeerURLs, url) {
				return ErrPeerURLExists
			}
		}
	}
	return nil
}

// apply makes a change that check has allowed.
func (m *Membership) apply(c Change) {
	i, known := m.search(c.Member.ID)
	switch c.Kind {
	case ChangeAdd, ChangeAddLearner:
		c.Member.Learner = c.Member.Learner || c.Kind == ChangeAddLearner
		m.Members = slices.Insert(slices.Clone(m.Members), i, c.Member)
		return
	case ChangeRemove:
		m.Members = slices.Delete(slices.Clone(m.Members), i, i+1)
		at, _ := slices.BinarySearch(m.Removed, c.Member.ID)
		m.Removed = slices.Insert(slices.Clone(m.Removed), at, c.Member.ID)
		return
	}
	assert(known, "a change of an unknown member was allowed")
	m.Members = slices.Clone(m.Members)
	member := &m.Members[i]
	switch c.Kind {
	case ChangePromote:
		member.Learner = false
	case ChangeUpdate:
		member.PeerURLs = c.Member.PeerURLs
	case changePublish:
		member.Name, member.ClientURLs = c.Member.Name, c.Member.ClientURLs
		member.Incarnation = c.Member.Incarnation
	}
}

// confState returns the membership as raft wants it at the start of a cluster.
func (m *Membership) confState() *raftpb.ConfState {
	state := &raftpb.ConfState{}
	for _, member := range m.Members {
		if member.Learner {
			state.Learners = append(state.Learners, uint64(member.ID))
		} else {
			state.Voters = append(state.Voters, uint64(member.ID))
		}
	}
	return state
}

// confChange returns the changes as raft wants them; nil when raft need not know.
func confChange(changes []Change) *raftpb.ConfChangeV2 {
	var singles []*raftpb.ConfChangeSingle
	for _, c := range changes {
		kind := raftpb.ConfChangeAddNode
		switch {
		case c.Kind == ChangeRemove:
			kind = raftpb.ConfChangeRemoveNode
		case c.Kind == ChangeAdd && c.Member.Learner, c.Kind == ChangeAddLearner:
			kind = raftpb.ConfChangeAddLearnerNode
		case c.Kind == ChangeUpdate || c.Kind == changePublish:
			continue
		}
		single := &raftpb.ConfChangeSingle{Type: kind.Enum(), NodeId: new(uint64(c.Member.ID))}
		singles = append(singles, single)
	}
	if len(singles) == 0 {
		return nil
	}
	return &raftpb.ConfChangeV2{Changes: singles}
}

func (w *writer) member(m *Member) {
	w.fixed(uint64(m.ID))
	w.string([]byte(m.Name))
	w.strings(m.PeerURLs)
	w.strings(m.ClientURLs)
	w.bool(m.Learner)
	w.fixed(m.Incarnation)
}

func (r *reader) member() Member {
	return Member{
		ID:          MemberID(r.fixed()),
		Name:        string(r.string()),
		PeerURLs:    r.strings(),
		ClientURLs:  r.strings(),
		Learner:     r.bool(),
		Incarnation: r.fixed(),
	}
}

func (w *writer) membership(m *Membership) {
	w.uvarint(uint64(len(m.Members)))
	for i := range m.Members {
		w.member(&m.Members[i])
	}
	w.uvarint(uint64(len(m.Removed)))
	for _, id := range m.Removed {
		w.fixed(uint64(id))
	}
}

func (r *reader) membership() Membership {
	var m Membership
	for range r.count() {
		m.Members = append(m.Members, r.member())
	}
	for range r.count() {
		m.Removed = append(m.Removed, MemberID(r.fixed()))
	}
	return m
}
