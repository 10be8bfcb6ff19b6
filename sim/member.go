package sim

import (
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"runtime"
	"time"

	"detcd/consensus/replica"
	"detcd/faults"
	"detcd/kv"
	"detcd/storage/archive"
	"detcd/storage/vfs"
	"detcd/storage/wal"
)

// member is one member of the cluster: a real replica with a real store on a disk that can crash,
// driven in virtual time. What happens to it gathers in an inbox until its next turn, and what it
// owes the world is carried out after a delay, as consensus/node does it with goroutines.
//
// Many fields: it is everything that a member is in a run, besides its disk.
type member struct {
	world  *world
	number int // its member ID is the same
	disk   disk
	clock  clock
	random *mathrand.PCG // of its raft

	replica *replica.Replica // nil while it is down
	driver  *replica.Disk
	store   *kv.Store
	life    int    // counts starts; what belongs to an earlier life is void
	fate    string // why it is down for good; empty: it may be started again
	joined  bool   // it was added to a running cluster
	first   []replica.Member
	durable replica.Index // of its log, when last seen
	kept    replica.Index // the most that it ever was

	paused  bool
	backlog []func() // what its process does when it is no longer paused
	inbox   replica.Inputs
	spare   replica.Inputs // its slices are those of the next inbox
	look    func()         // takes a turn, in this life
	turning bool           // a turn is planned

	write   *replica.Write // under way
	bulk    *replica.BackgroundTask
	next    replica.RequestID
	waiting map[replica.RequestID]func(replica.Answer)
	streams []*stream
	timer   replica.Time // when it is to be told the time; 0: nothing is planned
	waking  bool         // a wake of its streams is planned
	seen    int64
	ledAt   int64 // on its clock, when it began to lead

	hard []byte // the term and vote that a planted bug keeps writing

	watched // what is looked at to count states
	ears    ears

	armed  faults.Kind // where in its own work it is to crash
	sprung func()      // when it does
}

// claim is a leader's word that the time of a lease is over.
type claim struct {
	now   int64 // on the leader's clock
	ledAt int64 // the same, when it began to lead
}

// claimed is whose word it is: that of the leader of a term, and about which lease.
type claimed struct {
	term  replica.Term
	lease int64
}

func (w *world) newMember(number int, first []replica.Member) *member {
	m := &member{world: w, number: number, first: first, joined: len(first) == 0,
		random: mathrand.NewPCG(w.options.Seed, streamMember+uint64(number))}
	m.clock.rate = 1_000_000
	m.disk.format(w, m)
	w.members = append(w.members, m)
	return m
}

func (m *member) id() replica.MemberID { return replica.MemberID(m.number) }

func (m *member) up() bool { return m.replica != nil }

// start recovers the member from its disk.
func (m *member) start() {
	w := m.world
	m.life++
	m.waiting = map[replica.RequestID]func(replica.Answer){}
	m.write, m.bulk, m.paused, m.backlog, m.streams = nil, nil, false, nil, nil
	m.inbox, m.turning, m.look = replica.Inputs{}, false, m.looks()
	m.seen, m.timer, m.waking, m.ears = 0, 0, false, ears{}
	m.hard = nil
	m.store = m.newStore()
	w.raft.source = m.random
	options := m.options(&observed{m.store, m}, m.disk.fs)
	options.SessionID = m.random.Uint64()
	r, driver, err := replica.Open(options)
	if err != nil {
		m.recoveryFailed(err)
		return
	}
	m.replica, m.driver = r, driver
	w.event(eventStart, m.number, uint64(m.life), uint64(r.Status().Last), func() string {
		return fmt.Sprintf("recovers with a log up to %d", r.Status().Last)
	})
	m.sees(r.Durable())
	m.sawRecovery()
	w.judge.keepsItsWord(m, r.Status())
	w.judge.audit(m)
	m.turn()
}

// newStore makes an empty state machine.
func (m *member) newStore() *kv.Store {
	v := &m.world.options.World
	return kv.New(kv.Options{ElectionTimeout: v.electionTimeout(), Archive: archive.Options{
		SegmentSize: v[ArchiveSegment], StepSize: int(v[ArchiveStep]),
		FlushSize: int(v[ArchiveFlush])}})
}

// options are those of the member, on a disk.
func (m *member) options(machine replica.Machine, fs vfs.FS) replica.Options {
	v := &m.world.options.World
	return replica.Options{
		ID: m.id(), Cluster: 1, Incarnation: m.disk.incarnation,
		Self: replica.Member{Name: fmt.Sprint("m", m.number)}, Members: m.first,
		Machine: machine, FS: fs, Tick: v.duration(TickInterval),
		ElectionTicks: int(v[ElectionTicks]), HeartbeatTicks: int(v[HeartbeatTicks]),
		NoPreVote:       m.world.options.NoPreVote,
		EntryBytesMax:   int(v[EntryBytes]),
		LogBytesMax:     int(v[LogBytes]),
		CheckpointBytes: int(v[CheckpointBytes]), ChunkBytes: int(v[ChunkBytes]),
		RequestTimeout: v.serverPatience(), FetchBytesMax: int(v[FetchBytes]),
		WALOptions: wal.Options{SegmentSize: v[LogSegment]},
	}
}

// sees notes how far its log is on its disk.
func (m *member) sees(durable replica.Index) {
	m.durable, m.kept = durable, max(m.kept, durable)
}

// recoveryFailed judges a disk that the member refuses to start from: that is right if something
// damaged it, and a bug otherwise.
func (m *member) recoveryFailed(err error) {
	w := m.world
	w.event(eventStop, m.number, 0, 0, func() string { return "does not recover: " + err.Error() })
	switch {
	case m.disk.trapped:
		m.spring("while it recovers")
	case m.disk.failing():
		m.crashed(nil)
		w.restartLater(m, time.Second)
	case m.disk.damaged:
		m.end("its disk is damaged: " + err.Error())
	default:
		w.judge.fail("member %d does not recover from a crash: %v", m.number, err)
	}
}

// ambush is what unwinds a member that crashes in the middle of its own work.
type ambush struct{ life int }

func (m *member) catch() {
	if m.armed == faults.None && !m.disk.failing() && !m.disk.damaged {
		return
	}
	switch caught := recover().(type) {
	case nil:
	case ambush:
		if caught.life != m.life {
			panic(caught)
		}
		m.spring("in the middle of its work")
	case error:
		// A state machine that cannot read its own state ends the member.
		if _, bug := caught.(runtime.Error); bug || !m.up() {
			panic(caught)
		}
		m.diskFailed(caught)
	default:
		panic(caught)
	}
}

// reached is called where the member may be made to crash.
func (m *member) reached(place faults.Kind) {
	if m.armed == place {
		panic(ambush{m.life})
	}
}

// stopped says whether the member does not live to see the end of an operation of its disk.
func (m *member) stopped(err error) bool {
	switch {
	case m.disk.trapped:
		m.spring("in the middle of an operation of its disk")
	case err != nil:
		m.diskFailed(err)
	default:
		return false
	}
	return true
}

// spring is the crash that a trap has waited for.
func (m *member) spring(where string) {
	m.world.event(eventStop, m.number, 4, 0, func() string { return "crashes " + where })
	m.crashed(m.world.diskRandom)
	m.armed = faults.None
	m.sprung()
}

// diskFailed ends a member whose disk returned an error, as a real one ends: after a failed sync
// nothing may be trusted. It starts again with what is on the disk when that works again.
func (m *member) diskFailed(err error) {
	m.world.event(eventStop, m.number, 1, 0, func() string { return "disk: " + err.Error() })
	if !m.disk.failing() && !m.disk.damaged {
		m.world.judge.fail("member %d: the disk failed though no fault was made: %v", m.number, err)
	}
	m.crashed(m.world.diskRandom)
	m.world.restartLater(m, between(m.world.diskRandom, 100*time.Millisecond, 2*time.Second))
}

// crashed stops the member at once. Of what its disk had not synced, choose decides.
func (m *member) crashed(choose *mathrand.Rand) {
	if m.up() {
		m.sawCrash()
	}
	m.life++
	m.replica, m.driver, m.store = nil, nil, nil
	for _, s := range m.streams {
		s.broken()
	}
	m.streams = nil
	m.disk.crash(choose)
}

// end takes the member out for good: its operator must replace it.
func (m *member) end(why string) {
	m.world.event(eventStop, m.number, 2, 0, func() string { return "ends: " + why })
	if m.up() {
		m.crashed(nil)
	}
	m.fate = why
}

// observed is the store as the replica sees it, with the judge looking on.
type observed struct {
	*kv.Store
	member *member
}

// Apply lets the judge compare what each member makes of each command.
func (o *observed) Apply(index uint64, command []byte, local bool) any {
	o.member.reached(faults.FailBeforeApply)
	before := o.Store.Revision()
	answer := o.Store.Apply(index, command, local)
	o.member.world.judge.applied(o.member, index, command)
	if id, ok := kv.ExpiredLease(command); ok {
		o.member.world.saw("lease-expired")
		o.member.world.sawIf(o.Store.Revision() > before, "lease-expired-with-keys")
		o.member.world.judge.expired(o.member, int64(id))
	}
	o.member.reached(faults.FailAfterApply)
	return answer
}

// Due is where leases come to their end.
func (o *observed) Due(now int64) [][]byte {
	commands := o.member.plantLease(o.Store.Due(now))
	o.member.sawDue(len(commands))
	for _, command := range commands {
		if id, ok := kv.ExpiredLease(command); ok {
			by := claimed{o.member.replica.Status().Term, int64(id)}
			o.member.world.judge.claims[by] = claim{now, o.member.ledAt}
		}
	}
	return commands
}

// Lead is when a leader's clock begins to count.
func (o *observed) Lead(now int64, leading bool) {
	if leading {
		o.member.ledAt = now
	}
	o.Store.Lead(now, leading)
}

var _ replica.Machine = (*observed)(nil)

// note takes what the replica reports.
func (m *member) note(e replica.Event) {
	w := m.world
	m.sawEvent(e)
	w.event(eventReplica, m.number, uint64(e.Kind), uint64(e.Term)<<32|uint64(e.Index),
		func() string { return eventText(e) })
	switch e.Kind {
	case replica.EventRefused:
		if m.disk.forgot || w.judge.removed[m.number] {
			m.end("refused: " + e.Text)
			return
		}
		w.judge.fail("member %d was refused though it kept its disk: %s", m.number, e.Text)
	case replica.EventRemoved:
		m.end("it was removed from the cluster")
	case replica.EventFailed:
		m.cannotGoOn(e)
	case replica.EventTorn:
		m.disk.torn()
	case replica.EventRole:
		w.judge.role(m, e)
		m.ears.role(m, e)
		if e.Text == "leader" {
			w.fates.reignBegins(m)
		}
	case replica.EventMembers:
		m.ears.excuse()
		w.judge.membersChanged()
	}
}

// cannotGoOn judges a member that gives up by itself: one that was sent what it cannot have
// forgotten, or, where Member is 0, one that could not take over a snapshot from its disk.
func (m *member) cannotGoOn(e replica.Event) {
	switch {
	case m.disk.trapped:
		m.spring("while it installs a snapshot")
	case m.disk.forgot || m.disk.damaged:
		m.end(e.Text)
	case e.Member == 0 && m.disk.failing():
		m.diskFailed(errors.New(e.Text))
	default:
		m.world.judge.fail("member %d cannot go on: %s", m.number, e.Text)
	}
}

func eventText(e replica.Event) string {
	switch e.Kind {
	case replica.EventRole:
		return fmt.Sprintf("becomes %s in term %d", e.Text, e.Term)
	case replica.EventLeader:
		if e.Member == 0 {
			return fmt.Sprintf("knows no leader in term %d", e.Term)
		}
		return fmt.Sprintf("follows m%d in term %d", e.Member, e.Term)
	case replica.EventMembers:
		return fmt.Sprintf("has a new membership at index %d", e.Index)
	case replica.EventCheckpoint:
		return fmt.Sprintf("has a checkpoint at index %d", e.Index)
	case replica.EventSnapshotSend:
		return fmt.Sprintf("offers m%d a snapshot at index %d", e.Member, e.Index)
	case replica.EventSnapshotRecv:
		return fmt.Sprintf("begins to fetch a snapshot at index %d from m%d", e.Index, e.Member)
	case replica.EventInstalled:
		return fmt.Sprintf("installed a snapshot at index %d", e.Index)
	case replica.EventRecovered:
		return fmt.Sprintf("begins in term %d", e.Term)
	case replica.EventRefused:
		return fmt.Sprintf("is refused by m%d: %s", e.Member, e.Text)
	case replica.EventRemoved:
		return "is removed from the cluster"
	case replica.EventTorn:
		return "cuts a torn end: " + e.Text
	case replica.EventFailed:
		return "cannot go on: " + e.Text
	case replica.EventSnapshotFailed:
		return fmt.Sprintf("gives up a snapshot with m%d: %s", e.Member, e.Text)
	case replica.EventSpace:
		if e.Index == 1 {
			return "has a full disk: new commands are refused"
		}
		return "has room again"
	case replica.EventWrongIncarnation:
		return fmt.Sprintf("drops a message of m%d: it has another data directory", e.Member)
	}
	return fmt.Sprintf("event %d, term %d, index %d, m%d: %s", e.Kind, e.Term, e.Index, e.Member,
		e.Text)
}

// check audits the files of the member, as `detcd verify` does.
func (d *disk) check() error {
	_, err := wal.Check(d.memory, "wal")
	return err
}

var _ vfs.FS = (*vfs.Memory)(nil)
