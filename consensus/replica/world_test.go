package replica

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	mathrand "math/rand/v2"
	"slices"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"detcd/storage/archive"
	"detcd/storage/vfs"
	"detcd/storage/wal"
)

// ledger is a machine whose state is the list of all commands: the answer to a command is its
// place. A command that is lost, repeated or moved is seen at once. The list is in an archive, so
// snapshots carry real segments.
type ledger struct {
	archive *archive.Archive
	count   uint64
	sum     uint64
	due     [][]byte
	leading bool
	asked   int
	since   int64
}

type ledgerView struct{ count, sum uint64 }

func (l *ledger) Apply(_ uint64, command []byte, _ bool) any {
	l.count++
	l.add(command)
	l.archive.Append(archive.ID{Major: l.count}, nil, command)
	return l.count
}

func (l *ledger) add(command []byte) {
	h := fnv.New64a()
	_ = binary.Write(h, binary.LittleEndian, l.sum)
	h.Write(command)
	l.sum = h.Sum64()
}

func (l *ledger) Due(int64) [][]byte {
	due := l.due
	l.due = nil
	return due
}

func (l *ledger) Lead(_ int64, leading bool) { l.leading = leading }
func (l *ledger) Query(since int64, q []byte) []byte {
	l.asked++
	l.since = since
	return append([]byte("re:"), q...)
}
func (l *ledger) View() any                       { return ledgerView{l.count, l.sum} }
func (l *ledger) StorageStep() *archive.Step      { return l.archive.Step() }
func (l *ledger) StorageStepDone(s *archive.Step) { l.archive.Done(s) }
func (l *ledger) Saved(s []archive.Segment)       { l.archive.Saved(s) }
func (l *ledger) Defragment()                     { l.archive.Defragment() }
func (l *ledger) Defragmenting() archive.Progress { return l.archive.Defragmenting() }
func (l *ledger) Restore(fs vfs.FS, dir string, state []byte, s []archive.Segment) error {
	options := archive.Options{SegmentSize: 4 << 10, StepSize: 1 << 10, FlushSize: 512}
	a, err := archive.Open(fs, dir, s, options, func(archive.ID, []byte, int) error { return nil })
	if err != nil {
		return err
	}
	l.archive, l.count, l.sum = a, 0, 0
	if len(state) > 0 {
		l.count, l.sum = binary.LittleEndian.Uint64(state), binary.LittleEndian.Uint64(state[8:])
	}
	return nil
}

func (l *ledger) Checkpoint() ([]byte, []archive.Segment, *archive.Step) {
	state := binary.LittleEndian.AppendUint64(nil, l.count)
	state = binary.LittleEndian.AppendUint64(state, l.sum)
	segments, step := l.archive.Flush()
	return state, segments, step
}

// commands reads the whole ledger back from the archive.
func (l *ledger) commands(t *testing.T) []string {
	var list []string
	err := l.archive.View().Scan(archive.ID{}, archive.ID{Major: l.count + 1},
		func(r archive.Record) bool {
			list = append(list, string(r.Body))
			return true
		})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// world is a cluster in one loop: messages and disk operations take a random time, are lost when
// the test says so, and members crash with what their disks then hold. It is the simulator's little
// sister, just enough to test this package from below.
//
// Many fields: each way in which a test makes the world rough is one.
type world struct {
	t       *testing.T
	random  *mathrand.Rand
	seed    uint64
	now     Time
	members []*actor
	events  []happening // in order
	order   int
	loss    int  // percent of messages
	twice   bool // every message arrives twice
	cut     func(from, to MemberID) bool
	request RequestID

	acked  map[string]uint64 // command to place
	sent   map[string]bool
	sums   map[Index]uint64 // applied state at an index
	leader map[Term]MemberID
	slow   time.Duration // of a disk operation at most

	refuses func(vfs.Op) bool // to open a file
	lack    error             // what refuses says; nil: that too many are open

	tick   time.Duration // of the members; 0: the default
	link   time.Duration // what a message takes; 0: anything up to 5 ms
	wire   *wire         // what messages travel along instead
	sync   time.Duration // what a Write takes; 0: anything up to slow
	drops  func(m Message) bool
	bounds Options // of members that start from now on
}

type actor struct {
	id          MemberID
	fs          *vfs.Memory
	machine     *ledger
	replica     *Replica
	disk        *Disk
	life        int
	incarnation uint64
	members     []Member
	random      *mathrand.ChaCha8
	unasked     bool // it campaigns without asking first
	answers     map[RequestID]func(Answer)
	refused     string
	removed     bool
	events      []Event
	timer       Time
	durable     *raftpb.HardState // the last that is on its disk
	turns       time.Duration     // its loop is late: it looks around only so often; 0: at once
	turning     bool
}

type happening struct {
	at    Time
	order int
	do    func()
}

func newWorld(t *testing.T, seed uint64, size int) *world {
	w := emptyWorld(t, seed)
	w.populate(size)
	return w
}

func emptyWorld(t *testing.T, seed uint64) *world {
	w := &world{t: t, random: mathrand.New(mathrand.NewPCG(seed, 1)), seed: seed,
		cut: func(MemberID, MemberID) bool { return false }, acked: map[string]uint64{},
		sent: map[string]bool{}, sums: map[Index]uint64{}, leader: map[Term]MemberID{},
		slow: 5 * time.Millisecond, drops: func(Message) bool { return false }}
	original := rand.Reader
	rand.Reader = w
	t.Cleanup(func() { rand.Reader = original })
	return w
}

func (w *world) populate(size int) {
	var members []Member
	for i := range size {
		id := MemberID(i + 1)
		members = append(members, Member{ID: id, PeerURLs: []string{fmt.Sprint("http://", id)}})
	}
	for i := range size {
		w.add(MemberID(i+1), members)
	}
}

// Read serves raft's one hidden input, the choice of election time-outs.
func (w *world) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(w.random.Uint32())
	}
	return len(p), nil
}

var _ io.Reader = (*world)(nil)

func (w *world) add(id MemberID, members []Member) *actor {
	a := &actor{id: id, fs: vfs.NewMemory(), members: members,
		answers: map[RequestID]func(Answer){}}
	w.members = append(w.members, a)
	a.incarnation = w.random.Uint64()
	w.start(a)
	return a
}

func (w *world) start(a *actor) {
	a.life++
	a.timer = 0
	a.machine = &ledger{}
	options := Options{ID: a.id, Cluster: 7, Incarnation: a.incarnation, SessionID: w.random.Uint64(),
		Self: Member{Name: fmt.Sprint("m", a.id)}, Members: a.members, Machine: a.machine,
		NoPreVote: a.unasked, Tick: w.tick, RequestTimeout: w.bounds.RequestTimeout,
		FS: w.handles(a.fs), EntryBytesMax: 300, LogBytesMax: cmp.Or(w.bounds.LogBytesMax, 1<<10),
		CheckpointBytes: cmp.Or(w.bounds.CheckpointBytes, 4<<10), ChunkBytes: 700,
		FetchBytesMax: w.bounds.FetchBytesMax, WALOptions: wal.Options{SegmentSize: 8 << 10}}
	var err error
	if a.replica, a.disk, err = Open(options); err != nil {
		w.t.Fatalf("seed %d: member %d does not recover: %v", w.seed, a.id, err)
	}
	a.replica.Tick(w.now)
	w.take(a)
}

// handles is a tree that refuses to open files, as a system does where too many are open, or makes
// none, as one without room.
func (w *world) handles(tree vfs.FS) vfs.FS {
	return vfs.Wrap(tree, func(op vfs.Op) vfs.Verdict {
		switch op.Kind {
		case vfs.Open, vfs.List, vfs.Create, vfs.SyncDir:
			if w.refuses != nil && w.refuses(op) {
				return vfs.Verdict{Err: cmp.Or(w.lack, vfs.ErrTooManyFiles)}
			}
		}
		return vfs.Verdict{}
	})
}

// wake tells the member the time when it wants to be told.
func (w *world) wake(a *actor, at Time) {
	if at == a.timer {
		return
	}
	a.timer = at
	life := a.life
	w.input(a, time.Duration(at-w.now), func() {
		if a.life == life && a.timer == at {
			a.timer = 0
			a.replica.Tick(w.now)
			w.take(a)
		}
	})
}

// input plans something that a member is told, as soon as it looks.
func (w *world) input(a *actor, d time.Duration, do func()) {
	w.after(d, func() {
		if a.turns == 0 {
			do()
			return
		}
		w.after(a.turns-time.Duration(w.now)%a.turns, do)
	})
}

func (w *world) after(d time.Duration, do func()) {
	w.order++
	h := happening{w.now + Time(d), w.order, do}
	at, _ := slices.BinarySearchFunc(w.events, h, func(a, b happening) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.order, b.order))
	})
	w.events = slices.Insert(w.events, at, h)
}

// run lets time pass.
func (w *world) run(d time.Duration) {
	w.after(d, func() {})
	for end := w.now + Time(d); w.now < end; {
		next := w.events[0]
		w.events = slices.Delete(w.events, 0, 1)
		w.now = max(w.now, next.at)
		next.do()
	}
}

func (w *world) crash(a *actor) {
	a.life++
	a.replica = nil
	clear(a.answers)
	a.fs = a.fs.CrashClone(w.random)
}

func (w *world) delay(most time.Duration) time.Duration {
	return time.Duration(w.random.Int64N(int64(most)) + 1)
}

func (w *world) take(a *actor) {
	if a.turns == 0 {
		w.takeNow(a)
	} else if !a.turning { // what it is told at this moment is one turn
		a.turning = true
		w.after(0, func() {
			a.turning = false
			w.takeNow(a)
		})
	}
}

func (w *world) takeNow(a *actor) {
	for more := true; more && a.replica != nil; {
		effects := a.replica.Take()
		more = effects.More
		w.wake(a, effects.Wake)
		w.check(a)
		for _, m := range effects.Send {
			w.send(a, m)
		}
		life := a.life
		if effects.Write != nil {
			w.input(a, cmp.Or(w.sync, w.delay(w.slow)),
				func() { w.write(a, life, effects.Write) })
		}
		if effects.Background != nil {
			w.after(w.delay(3*w.slow), func() { w.bulk(a, life, effects.Background) })
		}
		for _, answer := range effects.Answers {
			if done := a.answers[answer.ID]; done != nil {
				delete(a.answers, answer.ID)
				done(answer)
			}
		}
		for _, e := range effects.Events {
			w.note(a, e)
		}
	}
}

func (w *world) note(a *actor, e Event) {
	a.events = append(a.events, e)
	switch e.Kind {
	case EventRefused:
		a.refused = e.Text
	case EventRemoved:
		a.removed = true
	case EventFailed:
		w.t.Fatalf("seed %d: member %d failed: %s", w.seed, a.id, e.Text)
	case EventRole:
		if e.Text == "leader" {
			if other, ok := w.leader[e.Term]; ok && other != a.id {
				w.t.Fatalf("seed %d: %d and %d both lead in term %d", w.seed, other, a.id, e.Term)
			}
			w.leader[e.Term] = a.id
		}
	}
}

// check compares the applied state of all members at equal index.
func (w *world) check(a *actor) {
	sum, known := w.sums[a.replica.applied]
	if known && sum != a.machine.sum {
		w.t.Fatalf("seed %d: member %d differs at index %d", w.seed, a.id, a.replica.applied)
	}
	w.sums[a.replica.applied] = a.machine.sum
	w.checkPins(a)
}

// checkPins sees to it that the machine still keeps what may be read of older checkpoints.
func (w *world) checkPins(a *actor) {
	r := a.replica
	var used []*checkpointState
	for _, id := range sortedKeys(r.snapshots.senders) {
		used = append(used, r.snapshots.senders[id].checkpoint, r.snapshots.senders[id].before)
	}
	if v := r.snapshots.receiver; v != nil {
		used = append(used, v.own)
	}
	for _, c := range used {
		if c != nil && c.number < r.background.told {
			w.t.Fatalf("seed %d: member %d lets go of checkpoint %d, which is in use", w.seed, a.id,
				c.number)
		}
	}
}

func (w *world) write(a *actor, life int, write *Write) {
	if a.life != life {
		return
	}
	if err := a.disk.Do(write); err != nil {
		w.t.Fatalf("seed %d: %v", w.seed, err)
	}
	if write.hard != nil {
		a.durable = write.hard
	}
	a.replica.Done(write)
	w.take(a)
}

func (w *world) bulk(a *actor, life int, bulk *BackgroundTask) {
	if a.life != life {
		return
	}
	if err := a.disk.DoBackground(bulk); err != nil {
		w.t.Fatalf("seed %d: %v", w.seed, err)
	}
	a.replica.BackgroundDone(bulk)
	w.take(a)
}

// send carries a message as bytes, as a real network would.
func (w *world) send(a *actor, m Message) {
	if m.Chunk != nil {
		w.wire.note(a, m.Chunk)
		data, err := a.disk.Read(m.Chunk, bytes.Clone(m.Data))
		if errors.Is(err, vfs.ErrNoSpace) {
			return // it is fetched again
		}
		if err != nil {
			w.t.Fatalf("seed %d: a chunk that is promised cannot be read: %v", w.seed, err)
		}
		m.Data, m.Chunk = data, nil
	}
	if m.Raft.GetType() == raftpb.MsgVote && (a.durable.GetTerm() != m.Raft.GetTerm() ||
		a.durable.GetVote() != uint64(a.id)) {
		w.t.Fatalf("seed %d: member %d asks for votes in term %d and would forget it: %v", w.seed,
			a.id, m.Raft.GetTerm(), a.durable)
	}
	encoded, err := m.Encode(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if m.Raft != nil && proto.Size(m.Raft) == 0 {
		w.t.Fatalf("seed %d: an empty message", w.seed)
	}
	if w.random.IntN(100) < w.loss || w.cut(m.From, m.To) || w.drops(m) {
		return
	}
	w.deliver(m, encoded)
	if w.twice {
		w.deliver(m, bytes.Clone(encoded))
	}
}

func (w *world) deliver(m Message, encoded []byte) {
	i := slices.IndexFunc(w.members, func(a *actor) bool { return a.id == m.To })
	if i < 0 {
		return
	}
	to := w.members[i]
	takes := cmp.Or(w.link, w.delay(5*time.Millisecond))
	if w.wire != nil {
		takes = w.wire.carry(w.now, &m, len(encoded))
	}
	w.input(to, takes, func() {
		received, err := DecodeMessage(encoded)
		if err != nil {
			w.t.Fatal(err)
		}
		received.From, received.To, received.Incarnation = m.From, m.To, m.Incarnation
		if to.replica != nil && to.refused == "" && !to.removed && slices.Contains(w.members, to) {
			to.replica.Tick(w.now)
			to.replica.Receive(received)
			w.take(to)
		}
	})
}
