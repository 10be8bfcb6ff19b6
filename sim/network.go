package sim

import (
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"detcd/consensus/replica"
)

// network carries messages between members. Each link keeps the order of what it carries, as a
// connection does, unless told otherwise.
type network struct {
	world  *world
	random *rand.Rand

	loss, duplicate, corrupt int64 // percent
	reorder, delay, tail     time.Duration
	bandwidth                int64 // bytes a second; 0: no limit

	links [][]*link // by sender and receiver
	idle  []*flight // whose messages have arrived
}

// A flight is a message under way. Flights are used again: in a run there are some hundred messages
// a second, and few at a time.
type flight struct {
	from    int
	to      *member
	message replica.Message
	hash    uint64
	land    func()
}

func (n *network) flight() *flight {
	if last := len(n.idle) - 1; last >= 0 {
		f := n.idle[last]
		n.idle = n.idle[:last]
		return f
	}
	f := &flight{}
	f.land = func() {
		from, to, message, hash := f.from, f.to, f.message, f.hash
		f.message = replica.Message{}
		n.idle = append(n.idle, f)
		n.arrive(from, to, message, hash)
	}
	return f
}

// link is one direction between two members.
type link struct {
	blocked int           // by how many faults
	clogged int           // the same: messages are held, not lost
	slow    time.Duration // on top of everything
	longer  time.Duration // than the shortest link
	held    []func()
	last    int64 // when the latest message arrives
}

func (n *network) link(from, to int) *link {
	for from >= len(n.links) {
		n.links = append(n.links, nil)
	}
	for to >= len(n.links[from]) {
		n.links[from] = append(n.links[from], nil)
	}
	if n.links[from][to] == nil {
		n.links[from][to] = &link{longer: n.longer(from, to)}
	}
	return n.links[from][to]
}

// longer draws how much longer a link is than the shortest. The way back may be another one.
func (n *network) longer(from, to int) time.Duration {
	v := &n.world.options.World
	if v[LinkSpread] == 0 {
		return 0
	}
	percent := newRandom(n.world.options.Seed, streamLinks+uint64(from)<<8+uint64(to)).Int64N(
		v[LinkSpread] + 1)
	return time.Duration(v[LinkDelay] / 100 * percent)
}

// carries is how many bytes a second a link carries.
func (n *network) carries() int64 {
	most := n.world.options.World[LinkBandwidth]
	if most == 0 || n.bandwidth > 0 && n.bandwidth < most {
		return n.bandwidth
	}
	return most
}

// send takes a message out of a member.
func (n *network) send(from *member, m replica.Message) {
	w := n.world
	to := w.memberByID(m.To)
	hash := messageHash(&m)
	w.sawMessage(from, &m)
	w.event(eventSend, from.number, uint64(m.To), hash, func() string {
		return fmt.Sprintf("to m%d: %s", m.To, messageText(&m))
	})
	if m.Raft != nil {
		w.judge.told(from, m.Raft)
	}
	if m.Chunk != nil {
		data, err := from.driver.Read(m.Chunk, append([]byte(nil), m.Data...))
		if err != nil {
			if !from.disk.failing() && !from.disk.damaged {
				w.judge.fail("member %d cannot read a segment it offered: %v", from.number, err)
			}
			return
		}
		m.Data, m.Chunk = data, nil
	}
	if to == nil || n.drops(from.number, to.number) {
		w.event(eventLost, from.number, uint64(m.To), hash, func() string {
			return fmt.Sprintf("the message to m%d is lost", m.To)
		})
		return
	}
	if n.duplicate > 0 && n.random.Int64N(100) < n.duplicate {
		n.carry(from.number, to, copied(m), hash)
	}
	n.carry(from.number, to, m, hash)
}

func (n *network) drops(from, to int) bool {
	if n.link(from, to).blocked > 0 {
		return true
	}
	return n.loss > 0 && n.random.Int64N(100) < n.loss
}

func (n *network) carry(from int, to *member, m replica.Message, hash uint64) {
	l := n.link(from, to.number)
	if l.clogged > 0 && len(l.held) >= heldMax {
		return
	}
	f := n.flight()
	f.from, f.to, f.message, f.hash = from, to, m, hash
	if l.clogged > 0 {
		l.held = append(l.held, f.land)
		return
	}
	n.world.after(n.time(l, &m), f.land)
}

// heldMax bounds what a clogged link holds, as a socket's buffers would.
const heldMax = 500

func (n *network) time(l *link, m *replica.Message) time.Duration {
	now := n.world.now
	v := &n.world.options.World
	low := v.duration(LinkDelay)
	delay := between(n.random, low, low+low*time.Duration(v[LinkJitter])/100) + l.longer +
		n.delay + l.slow
	if n.tail > 0 && n.random.IntN(50) == 0 {
		delay += between(n.random, 0, n.tail)
	}
	if n.reorder > 0 {
		return delay + between(n.random, 0, n.reorder)
	}
	if n.bandwidth > 0 || v[LinkBandwidth] > 0 {
		size := int64(len(m.Data) + 100)
		for _, entry := range m.Raft.GetEntries() {
			size += int64(len(entry.GetData()))
		}
		start := max(l.last, now)
		l.last = start + size*int64(time.Second)/n.carries()
		return time.Duration(l.last-now) + delay
	}
	l.last = max(l.last, now+int64(delay))
	return time.Duration(l.last - now)
}

// release lets a link that was clogged carry what it held.
func (n *network) release(l *link) {
	for _, arrive := range l.held {
		n.world.after(between(n.random, 0, 5*time.Millisecond), arrive)
	}
	l.held = nil
}

func (n *network) arrive(from int, to *member, m replica.Message, hash uint64) {
	if !to.up() {
		return
	}
	if n.corrupt > 0 && n.random.Int64N(100) < n.corrupt && n.caught(&m) {
		return
	}
	n.world.event(eventReceive, to.number, uint64(from), hash, func() string {
		return fmt.Sprintf("from m%d: %s", from, messageText(&m))
	})
	n.world.sawArrival(to, &m)
	to.receive(m)
}

// caught flips a bit of the message as it goes over the wire and says whether the checksum of its
// frame notices, as it must.
func (n *network) caught(m *replica.Message) bool {
	bytes, err := m.Encode(nil)
	if err != nil {
		n.world.judge.fail("a message cannot be encoded: %v", err)
		return true
	}
	table := crc32.MakeTable(crc32.Castagnoli)
	sum := crc32.Checksum(bytes, table)
	bit := n.random.IntN(len(bytes) * 8)
	bytes[bit/8] ^= 1 << (bit % 8)
	if crc32.Checksum(bytes, table) == sum {
		n.world.judge.fail("a flipped bit of a message was not noticed")
	}
	return true
}

// copied returns a message that another receiver may have: raft writes into the entries of a
// proposal that it appends, and into messages that it forwards. Entries of appends are never
// written to, and the sender keeps nothing of what it sent.
func copied(m replica.Message) replica.Message {
	if m.Raft == nil {
		return m
	}
	from := m.Raft
	to := &raftpb.Message{Type: from.Type, To: from.To, From: from.From, Term: from.Term,
		LogTerm: from.LogTerm, Index: from.Index, Entries: from.Entries, Commit: from.Commit,
		Vote: from.Vote, Snapshot: from.Snapshot, Reject: from.Reject,
		RejectHint: from.RejectHint, Context: from.Context}
	if from.GetType() == raftpb.MsgProp || from.GetType() == raftpb.MsgReadIndex {
		to.Entries = make([]*raftpb.Entry, len(from.Entries))
		for i, entry := range from.Entries {
			to.Entries[i] = &raftpb.Entry{Type: entry.Type, Data: entry.Data}
		}
	}
	m.Raft = to
	return m
}

// messageHash tells messages apart: by everything that steers raft, not by values.
func messageHash(m *replica.Message) uint64 {
	h := trace{hash: uint64(m.Kind)}
	h.mix(m.ID)
	h.mix(uint64(len(m.Data)))
	if r := m.Raft; r != nil {
		h.mix(uint64(r.GetType()))
		h.mix(r.GetTerm())
		h.mix(r.GetLogTerm())
		h.mix(r.GetIndex())
		h.mix(r.GetCommit())
		h.mix(uint64(len(r.Entries)))
		for _, entry := range r.Entries {
			h.mix(entry.GetTerm())
			h.mix(uint64(crc32.ChecksumIEEE(entry.GetData())))
		}
	}
	return h.hash
}

func messageText(m *replica.Message) string {
	switch m.Kind {
	case replica.MessageRaft:
		return raftText(m.Raft)
	case replica.MessageQuery:
		return fmt.Sprintf("question %d for the leader", m.ID)
	case replica.MessageReply:
		return fmt.Sprintf("answer to question %d", m.ID)
	case replica.MessageOffer:
		return fmt.Sprintf("offers snapshot %d", m.ID)
	case replica.MessageFetch:
		return fmt.Sprintf("wants the next chunk of snapshot %d", m.ID)
	case replica.MessageChunk:
		return fmt.Sprintf("a chunk of snapshot %d, %d bytes", m.ID, len(m.Data))
	}
	return "refuses it: " + string(m.Data)
}

func raftText(r *raftpb.Message) string {
	text := fmt.Sprintf("%s term %d", r.GetType(), r.GetTerm())
	if n := len(r.Entries); n > 0 {
		text += fmt.Sprintf(", entries %d-%d", r.Entries[0].GetIndex(), r.Entries[n-1].GetIndex())
	} else if r.Index != nil {
		text += fmt.Sprintf(", index %d", r.GetIndex())
	}
	if r.Commit != nil {
		text += fmt.Sprintf(", commit %d", r.GetCommit())
	}
	if r.GetReject() {
		text += ", refused"
	}
	return text
}
