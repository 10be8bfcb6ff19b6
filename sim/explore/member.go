package explore

import (
	"fmt"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"detcd/consensus/replica"
	"detcd/storage/vfs"
	"detcd/storage/wal"
)

// The clock of the members that are explored, in its smallest sizes: a leader's heartbeats are a
// tick apart, a follower hears out a leader for two and campaigns after three.
const (
	tick          = 100 * time.Millisecond
	electionTicks = 2
)

// inputKind tells what happens to a member in one step.
type inputKind uint8

const (
	inputDeliver   inputKind = iota // the message arg arrives
	inputLate                       // the same, when its leader's lease on its vote is over
	inputTimeout                    // its election time-out ends: it campaigns
	inputBeat                       // a tick of a leader: heartbeats, or a look at who answers
	inputPropose                    // a client asks for the operation arg, a command
	inputRead                       // the same, a read
	inputWritten                    // its disk has done what it was slow at
	inputCrash                      // it crashes, without what its disk was at, and starts again
	inputCrashKept                  // the same, but its disk had done it
)

// delivers says that a message arrives.
func (k inputKind) delivers() bool { return k <= inputLate }

// An input is one step of one member. With slow, the write that begins in it is not done until
// inputWritten.
type input struct {
	kind inputKind
	slow bool
	arg  int32
}

// member is one live member: the real replica on a disk in memory.
type member struct {
	id      replica.MemberID
	options *Options
	fs      *vfs.Memory
	journal *journal
	replica *replica.Replica
	disk    *replica.Disk
	now     replica.Time
	life    uint64
	write   *replica.Write // under way
	promise promise

	// What the last step led to:
	sent    []replica.Message
	answers []replica.Answer
	events  []replica.Event
	wrote   bool
	broken  string // a promise that this member broke by itself; empty: none
}

// promise is what a member has said that its disk must remember.
type promise struct {
	term replica.Term
	vote replica.MemberID // given in term
	last replica.Index    // acknowledged in term
}

func newMember(o *Options, number int) *member {
	m := &member{id: replica.MemberID(number + 1), options: o, fs: vfs.NewMemory()}
	m.start()
	m.forget()
	return m
}

// forget empties what the last step led to.
func (m *member) forget() {
	m.sent, m.answers, m.events, m.wrote = nil, nil, nil, false
}

// start opens the member on what its disk holds.
func (m *member) start() {
	m.life++
	m.now, m.write, m.journal = 0, nil, &journal{}
	var members []replica.Member
	for i := range m.options.Members {
		members = append(members, replica.Member{ID: replica.MemberID(i + 1)})
	}
	var disk vfs.FS = m.fs
	if m.options.disk != nil {
		disk = m.options.disk(disk)
	}
	var err error
	m.replica, m.disk, err = replica.Open(replica.Options{
		ID: m.id, Cluster: 1, SessionID: uint64(m.id)<<8 | m.life, Members: members, Machine: m.journal,
		FS: disk, Tick: tick, ElectionTicks: electionTicks, HeartbeatTicks: 1,
		NoPreVote: !m.options.PreVote, EntryBytesMax: 1, // an entry a message, as if they were large
		WALOptions: wal.Options{SegmentSize: 4 << 10},
	})
	if err != nil {
		m.broken = fmt.Sprintf("m%d does not recover from a crash: %v", m.id, err)
		return
	}
	m.turn(replica.Inputs{}, false)
}

// do takes one step. message is what inputDeliver delivers.
func (m *member) do(in input, message *replica.Message) {
	m.forget()
	defer func() {
		if reason := recover(); reason != nil {
			m.broken = fmt.Sprintf("m%d: %v", m.id, reason)
		}
	}()
	switch in.kind {
	case inputDeliver, inputLate:
		for in.kind == inputLate && elapsed(m.replica) < electionTicks {
			m.tick(in.slow)
		}
		m.turn(replica.Inputs{Messages: []replica.Message{*message}}, in.slow)
	case inputTimeout:
		for range 2 * electionTicks {
			if m.tick(in.slow); len(m.sent)+len(m.events) > 0 || m.wrote {
				return
			}
		}
	case inputBeat:
		m.tick(in.slow)
	case inputPropose, inputRead:
		request := replica.Input{Kind: replica.InputRead, ID: replica.RequestID(in.arg)}
		if in.kind == inputPropose {
			request.Kind, request.Data = replica.InputSubmit, []byte{byte(in.arg)}
		}
		m.turn(replica.Inputs{Requests: []replica.Input{request}}, in.slow)
	case inputWritten:
		m.turn(replica.Inputs{Written: m.finishWrite()}, in.slow)
	case inputCrash, inputCrashKept:
		if in.kind == inputCrashKept {
			m.finishWrite()
		}
		m.fs = m.fs.CrashClone(nil)
		if m.start(); m.broken == "" {
			m.keepsItsWord()
		}
	}
}

func (m *member) tick(slow bool) {
	m.now += replica.Time(tick)
	m.turn(replica.Inputs{}, slow)
}

// finishWrite makes the write durable that is under way.
func (m *member) finishWrite() *replica.Write {
	write := m.write
	m.write = nil
	if err := m.disk.Do(write); err != nil {
		panic(err)
	}
	return write
}

// turn tells the member what has come, and lets it go on until it has nothing more to do by itself.
// A write is done at once, unless the disk is slow or one before it is still under way. The
// background lane stands still: there are no checkpoints, so no snapshots.
func (m *member) turn(in replica.Inputs, slow bool) {
	slow = slow || m.write != nil
	for {
		in.Now = m.now
		effects := m.replica.Turn(&in)
		in = replica.Inputs{}
		m.take(&effects)
		switch {
		case m.write != nil && !slow:
			in.Written = m.finishWrite()
		case !effects.More:
			return
		}
	}
}

// take notes what a turn led to.
func (m *member) take(effects *replica.Effects) {
	if effects.Write != nil {
		m.write, m.wrote = effects.Write, true
	}
	for _, message := range effects.Send {
		m.told(message.Raft)
	}
	for _, e := range effects.Events {
		switch e.Kind {
		case replica.EventRole, replica.EventLeader:
			m.events = append(m.events, e)
		case replica.EventFailed, replica.EventRefused:
			m.broken = fmt.Sprintf("m%d gives up: %s", m.id, e.Text)
		}
	}
	m.sent = append(m.sent, effects.Send...)
	m.answers = append(m.answers, effects.Answers...)
}

// told takes what the member says to another.
func (m *member) told(r *raftpb.Message) {
	p, term := &m.promise, replica.Term(r.GetTerm())
	if r.GetReject() || term < p.term {
		return
	}
	switch r.GetType() {
	case raftpb.MsgVoteResp:
		if term > p.term {
			*p = promise{term: term}
		}
		p.vote = replica.MemberID(r.GetTo())
	case raftpb.MsgAppResp:
		if term > p.term {
			*p = promise{term: term}
		}
		p.last = max(p.last, replica.Index(r.GetIndex()))
	}
}

// keepsItsWord judges a member that has started again.
func (m *member) keepsItsWord() {
	p, s := m.promise, m.replica.Status()
	switch {
	case s.Term < p.term:
		m.broken = fmt.Sprintf("m%d spoke in term %d and recovers in term %d", m.id, p.term, s.Term)
	case s.Term > p.term:
	case p.vote != 0 && s.Vote != p.vote:
		m.broken = fmt.Sprintf("m%d gave its vote of term %d to m%d and has forgotten it", m.id, p.term,
			p.vote)
	case s.Durable < p.last:
		m.broken = fmt.Sprintf("m%d acknowledged entry %d in term %d and recovers a log up to %d",
			m.id, p.last, p.term, s.Durable)
	}
}
