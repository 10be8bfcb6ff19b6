package sim

import (
	"fmt"
	"time"

	"detcd/consensus/replica"
	"detcd/faults"
)

// planWake sets the timer of the member to a moment on its clock.
func (m *member) planWake(at replica.Time) {
	if at == m.timer {
		return
	}
	m.timer = at
	life, wait := m.life, time.Duration(at)-time.Duration(m.clock.read(m.world.now))
	m.world.after(m.clock.wait(wait), func() {
		if m.life == life && m.timer == at {
			m.timer = 0
			m.turnAfter(0)
		}
	})
}

// awake does something in the process of the member: at once, or when it is no longer paused.
func (m *member) awake(do func()) {
	switch {
	case !m.up():
	case !m.paused:
		do()
	case len(m.backlog) < backlogMax:
		m.backlog = append(m.backlog, do)
	}
}

// receive puts a message into the inbox of the member.
func (m *member) receive(message replica.Message) {
	if m.up() && len(m.inbox.Messages) < messagesMax {
		m.inbox.Messages = append(m.inbox.Messages, message)
		m.gather()
	}
}

// tell puts an input into its inbox.
func (m *member) tell(in replica.Input) {
	if m.up() {
		m.inbox.Requests = append(m.inbox.Requests, in)
		m.gather()
	}
}

// backlogMax and messagesMax bound what a paused member finds in its queues when it wakes.
const (
	backlogMax  = 2000
	messagesMax = 2000
)

// gather lets the member look into its inbox soon. Its loop is mostly idle, and looks as soon as
// something is there; at times it is busy, or does not get the processor, and then finds all that
// has come meanwhile. When that is, is drawn for each span of time, so that it does not depend on
// what comes.
func (m *member) gather() {
	if m.turning {
		return
	}
	now := m.world.now + int64(m.number)*int64(time.Microsecond) // they do not look in step
	drawn := trace{hash: m.world.options.Seed}
	drawn.mix(uint64(m.number))
	v := &m.world.options.World
	span := v.duration(LoopSpan)
	drawn.mix(uint64(now / int64(span)))
	every := 50 * time.Microsecond
	switch n := drawn.hash % 64; {
	case n < uint64(v[LoopBusy]):
		every = span
	case n < 4:
		every = max(every, span/8)
	case n < 12:
		every = max(every, span/64)
	}
	m.turnAfter(every - time.Duration(now)%every)
}

// turnAfter plans a turn, unless one is planned.
func (m *member) turnAfter(delay time.Duration) {
	if m.turning || !m.up() {
		return
	}
	m.turning = true
	m.world.after(delay, m.look)
}

// looks returns what a planned turn of this life of the member does.
func (m *member) looks() func() {
	life := m.life
	return func() {
		if m.life == life {
			m.turning = false
			m.turn()
		}
	}
}

// turn tells the replica all that has gathered, and carries out what it owes the world.
func (m *member) turn() {
	if !m.up() || m.paused {
		return
	}
	defer m.catch()
	m.world.raft.source = m.random
	in := m.inbox
	m.inbox = m.spare
	in.Now = replica.Time(m.clock.read(m.world.now))
	if in.Written != nil {
		m.write = nil
		if len(in.Written.Records) == 1 { // a term and a vote, no entries
			m.reached(faults.FailAfterVote)
		}
	}
	if in.BackgroundDone != nil {
		m.bulk = nil
	}
	m.world.gathered[gathered(len(in.Messages)+len(in.Requests))]++
	m.world.sawIf(len(in.Messages)+len(in.Requests) >= 100, "queue-long")
	m.ears.hear(m, &in)
	effects := m.replica.Turn(&in)
	m.ears.judge(m)
	clear(in.Messages)
	clear(in.Requests)
	m.spare = replica.Inputs{Messages: in.Messages[:0], Requests: in.Requests[:0]}
	m.sees(m.replica.Durable())
	m.carry(&effects)
}

// carry does what the replica wants done.
func (m *member) carry(effects *replica.Effects) {
	life := m.life
	if effects.Write != nil {
		m.startWrite(effects.Write)
	}
	for i := range effects.Send {
		m.world.network.send(m, effects.Send[i])
	}
	if effects.Background != nil {
		m.startBulk(effects.Background)
	}
	for i := range effects.Events {
		if m.note(effects.Events[i]); m.life != life {
			return
		}
	}
	for _, answer := range effects.Answers {
		if m.life != life {
			return
		}
		m.world.judge.answered(m, answer)
		m.world.sawIf(answer.Err == replica.ErrTimeout, "server-forgot")
		if done := m.waiting[answer.ID]; done != nil {
			delete(m.waiting, answer.ID)
			done(answer)
		}
	}
	if effects.More {
		m.turnAfter(0)
	}
	m.planWake(effects.Wake)
	m.wakeStreams()
}

func (m *member) startWrite(write *replica.Write) {
	m.sawWrite(write)
	m.write = write
	life := m.life
	m.plantVote(write)
	m.world.after(m.disk.writeTime(write), func() {
		if m.life != life || !m.up() {
			return
		}
		err := m.driver.Do(write)
		if m.stopped(err) {
			return
		}
		m.wouldRecover()
		m.world.event(eventWrite, m.number, uint64(len(write.Records)), 0, func() string {
			return fmt.Sprintf("%d records are durable", len(write.Records))
		})
		m.inbox.Written = write
		m.gather()
	})
}

func (m *member) startBulk(bulk *replica.BackgroundTask) {
	m.world.sawIf(m.write != nil, "lanes-both")
	m.bulk = bulk
	life := m.life
	m.world.after(m.disk.bulkTime(bulk), func() {
		if m.life != life || !m.up() {
			return
		}
		err := m.driver.DoBackground(bulk)
		if m.stopped(err) {
			return
		}
		m.wouldRecover()
		m.world.event(eventBulk, m.number, bulk.Number, 0, func() string { return bulkText(bulk) })
		m.inbox.BackgroundDone = bulk
		m.gather()
	})
}

func bulkText(b *replica.BackgroundTask) string {
	switch {
	case b.Checkpoint != nil:
		return fmt.Sprintf("checkpoint %d is durable", b.Number)
	case b.Stage != nil:
		return fmt.Sprintf("%d chunks of %s are staged", len(b.Stage.Data), b.Stage.Name)
	case b.Verify != nil:
		return b.Verify[0].Name + " is audited"
	case b.Order != nil:
		return fmt.Sprintf("the order of %d segments is audited", len(b.Order))
	}
	return "a step of the archive"
}

// gathered tells how many messages and requests a turn has: none, up to 9, up to 99, or more.
func gathered(count int) int {
	class := 0
	for ; count > 0 && class < gatheredClasses-1; count /= 10 {
		class++
	}
	return class
}

const gatheredClasses = 4
