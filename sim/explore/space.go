package explore

import (
	"fmt"
	"slices"

	"go.etcd.io/raft/v3/raftpb"

	"detcd/consensus/replica"
)

// A local is one state of one member. Members hear of each other only by messages, and the same
// inputs lead to the same effects; so a step of a member is executed once, and afterwards looked
// up, whatever the others are at. That is what makes the search fast: there are a thousand times as
// many states of the cluster as there are of its members.
type local struct {
	number  int // of the member, from 0
	parent  localID
	via     input     // led here from parent, perhaps one way of several
	renamed []localID // the same state with the members permuted; 0: not known yet

	term    replica.Term
	leading bool
	leader  bool // it knows a leader
	leased  bool // and follows it, and would not vote for another one now
	writing bool
	entries []entry // of its log, from index 2
	prefix  []sum   // of the first so many of them
	applied int     // of them
	journal string
	life    uint64
}

// entry is one of a log.
type entry struct {
	term replica.Term
	sum  sum // of all that is in it
}

// localID and packetID number the states of members and the messages, from 1.
type (
	localID  int32
	packetID int32
)

// A packet is a message between members, as bytes. Two with the same bytes are one.
type packet struct {
	from, to int
	bytes    string
	term     replica.Term // 0: it has none
	vote     bool         // it asks for one
	step     step         // sent it first
	place    int          // among those that step sent to this receiver
	renamed  []packetID
}

// A step is an input in a state.
type step struct {
	from localID
	in   input
}

// An outcome is what a step leads to.
type outcome struct {
	to      localID
	sent    []packetID
	answers []answer
	wrote   bool   // it began a write
	broken  string // a promise that the member broke by itself
}

// An answer is what a client was told: how many commands were applied then.
type answer struct {
	operation byte
	count     int
	failed    bool
}

// space is all that is known of the members' states.
type space struct {
	options  *Options
	renaming [][]int // the permutations of the members but for the identity
	locals   []local
	known    []map[sum]localID // of each member
	packets  []packet
	sent     map[packetKey]packetID
	outcomes map[step]*outcome
	steps    int // that were executed
}

type packetKey struct {
	from, to int
	bytes    string
}

func newSpace(o *Options) *space {
	s := &space{options: o, locals: make([]local, 1), packets: make([]packet, 1),
		sent: map[packetKey]packetID{}, outcomes: map[step]*outcome{}}
	if !o.Asymmetric {
		s.renaming = permutations(o.Members)[1:]
	}
	for range o.Members {
		s.known = append(s.known, map[sum]localID{})
	}
	return s
}

// permutations returns those of the numbers below n, the identity first.
func permutations(n int) [][]int {
	if n == 0 {
		return [][]int{nil}
	}
	var all [][]int
	for _, rest := range permutations(n - 1) {
		for at := n - 1; at >= 0; at-- {
			all = append(all, slices.Insert(slices.Clone(rest), at, n-1))
		}
	}
	return all
}

// roots returns the members' first states.
func (s *space) roots() []localID {
	var list []localID
	for i := range s.options.Members {
		list = append(list, s.intern(newMember(s.options, i), 0, input{}))
	}
	return list
}

// live executes a member up to a state.
func (s *space) live(id localID) *member {
	l := &s.locals[id]
	if l.parent == 0 {
		return newMember(s.options, l.number)
	}
	m := s.live(l.parent)
	s.execute(m, l.via)
	return m
}

func (s *space) execute(m *member, in input) {
	var message *replica.Message
	if in.kind.delivers() {
		message = s.message(packetID(in.arg))
	}
	m.do(in, message)
	s.steps++
}

// message decodes a packet.
func (s *space) message(id packetID) *replica.Message {
	p := &s.packets[id]
	message, err := replica.DecodeMessage([]byte(p.bytes))
	if err != nil {
		panic(err)
	}
	message.From, message.To = replica.MemberID(p.from+1), replica.MemberID(p.to+1)
	return &message
}

// take returns what an input leads to.
func (s *space) take(from localID, in input) *outcome {
	at := step{from, in}
	if known := s.outcomes[at]; known != nil {
		return known
	}
	m := s.live(from)
	s.execute(m, in)
	out := &outcome{wrote: m.wrote, broken: m.broken}
	s.outcomes[at] = out
	if m.broken != "" {
		out.to = from
		return out
	}
	out.to = s.intern(m, from, in)
	places := make([]int, s.options.Members)
	for i := range m.sent {
		to := int(m.sent[i].To) - 1
		out.sent = append(out.sent, s.packet(at, &m.sent[i], places[to]))
		places[to]++
	}
	for _, a := range m.answers {
		count, _ := a.Value.(int)
		out.answers = append(out.answers, answer{byte(a.ID), count, a.Err != nil})
	}
	return out
}

func (s *space) packet(at step, m *replica.Message, place int) packetID {
	data, err := m.Encode(nil)
	if err != nil {
		panic(err)
	}
	key := packetKey{int(m.From) - 1, int(m.To) - 1, string(data)}
	id := s.sent[key]
	if id == 0 {
		id = packetID(len(s.packets))
		s.sent[key] = id
		kind := m.Raft.GetType()
		s.packets = append(s.packets, packet{from: key.from, to: key.to, bytes: key.bytes, step: at,
			term:  replica.Term(m.Raft.GetTerm()),
			vote:  kind == raftpb.MsgVote || kind == raftpb.MsgPreVote,
			place: place, renamed: make([]packetID, len(s.renaming))})
	}
	return id
}

// intern returns the number of the state that a member is in.
func (s *space) intern(m *member, parent localID, via input) localID {
	number := int(m.id) - 1
	d := digest(m.replica)
	d.mix(m.life)
	d.text(string(m.journal.commands))
	d.mix(uint64(m.promise.term))
	d.mix(uint64(m.promise.vote))
	d.mix(uint64(m.promise.last))
	if id := s.known[number][d]; id != 0 {
		return id
	}
	id := localID(len(s.locals))
	s.known[number][d] = id
	status := m.replica.Status()
	l := local{number: number, parent: parent, via: via, term: status.Term,
		leading: status.Leading, leader: status.Leader != 0, writing: m.write != nil,
		applied: int(status.Applied) - 1, journal: string(m.journal.commands), life: m.life,
		renamed: make([]localID, len(s.renaming))}
	l.leased = l.leader && !l.leading && elapsed(m.replica) < electionTicks
	var all sum
	l.prefix = append(l.prefix, all)
	for _, e := range m.replica.Log() {
		one := entry{term: replica.Term(e.GetTerm())}
		one.sum.mix(e.GetTerm())
		one.sum.mix(uint64(e.GetType()))
		one.sum.text(string(e.GetData()))
		l.entries = append(l.entries, one)
		all.mix(uint64(one.sum))
		l.prefix = append(l.prefix, all)
	}
	s.locals = append(s.locals, l)
	return id
}

// rename returns the state that a member would be in if the members had been given other numbers
// from the start: that of the member whose number it would have, after the same steps under these
// names. So it is a state of the real code, not an idea of what one would look like.
func (s *space) rename(id localID, by int) localID {
	l := &s.locals[id]
	if known := l.renamed[by]; known != 0 {
		return known
	}
	var renamed localID
	if l.parent == 0 {
		renamed = localID(1 + s.renaming[by][l.number])
	} else {
		renamed = s.take(s.rename(l.parent, by), s.renameInput(s.locals[id].via, by)).to
	}
	s.locals[id].renamed[by] = renamed
	return renamed
}

func (s *space) renameInput(in input, by int) input {
	if in.kind.delivers() {
		in.arg = int32(s.renamePacket(packetID(in.arg), by))
	}
	return in
}

// renamePacket finds the message among those that the renamed sender sends in the renamed step.
func (s *space) renamePacket(id packetID, by int) packetID {
	p := s.packets[id]
	if known := p.renamed[by]; known != 0 {
		return known
	}
	out := s.take(s.rename(p.step.from, by), s.renameInput(p.step.in, by))
	place := 0
	for _, sent := range out.sent {
		if s.packets[sent].to != s.renaming[by][p.to] {
			continue
		}
		if place == p.place {
			s.packets[id].renamed[by] = sent
			return sent
		}
		place++
	}
	panic(fmt.Sprintf("explore: under other names, a member does not send message %d", id))
}
