package replica

import (
	"slices"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/tracker"

	"detcd/storage/archive"
)

// A BackgroundTask is one piece of background storage work, executed by Disk.DoBackground. It never
// delays a Write. Its parts are executed in the order of the fields.
type BackgroundTask struct {
	Remove     []string          // segments that were received for nothing
	Stage      *Stage            // write a piece of a received snapshot
	Step       *archive.Step     // a step of the archive
	Verify     []archive.Segment // make received segments durable and audit them
	Order      []archive.Segment // audit that these follow one another
	Checkpoint []byte            // save, under Number
	Number     uint64
	Damage     error // set by Disk.DoBackground: what Verify or Order found
	Full       bool  // set by Disk.DoBackground: there was no room; it is to be executed again
	Lack       error // set by Disk.DoBackground: of what, where it is Full

	checkpoint *checkpointState
	receiver   *receiver
	part       *part // of the receiver: what Stage and Verify are about
}

// Stage is a piece of a received segment, as it came: in chunks that follow one another.
type Stage struct {
	Name   string
	Offset int64
	Data   [][]byte
}

// backgroundWork decides what background work is next, one at a time: a received snapshot first,
// then a checkpoint if it is time, then what the machine wants.
type backgroundWork struct {
	current *BackgroundTask
	number  uint64           // of the last checkpoint that was begun
	latest  *checkpointState // the last durable one
	told    uint64           // the number of the last one that the machine was told of

	retry   *BackgroundTask // found no room, and is executed again with the next tick
	retryAt int

	wanted bool // a checkpoint is wanted now
	bytes  int  // of log written since the last checkpoint was begun
	behind int  // of log written since what the last durable checkpoint holds
	dirty  bool // an entry was applied since
	quiet  int  // ticks since an entry was applied

	defragmenting bool  // the machine is
	defragments   queue // the requests that wait for it to be done
}

func (b *backgroundWork) entryApplied(int) {
	b.dirty = true
	b.quiet = 0
}

func (b *backgroundWork) logBytes(records [][]byte) {
	for _, record := range records {
		b.bytes += len(record)
		b.behind += len(record)
	}
}

// behindMax is how many checkpoints' worth of log may be written without a durable checkpoint:
// beyond it the background lane has fallen behind, and new commands are answered ErrTooMany, so
// that neither the log nor what the archive holds in memory grows without bound.
const behindMax = 8

// quietElections is how many election time-outs without an entry ask for a checkpoint, which lets
// the log shrink and a restart replay nothing.
const quietElections = 5

func (r *Replica) tickCheckpoint() {
	b := &r.background
	b.quiet++
	if b.dirty && b.quiet >= quietElections*r.options.ElectionTicks {
		b.wanted = true
	}
}

// Checkpoint asks for a checkpoint as soon as the background lane is free.
func (r *Replica) Checkpoint() { r.background.wanted = true }

func (r *Replica) startTask() {
	b := &r.background
	r.lookAtDefragmentation()
	if b.current != nil {
		return
	}
	if b.retry != nil {
		if r.ticks == b.retryAt {
			return
		}
		b.current, b.retry = b.retry, nil
	} else {
		b.current = r.nextTask()
	}
	r.out.Background = b.current
}

func (r *Replica) nextTask() *BackgroundTask {
	b := &r.background
	if r.snapshots.install != nil {
		return r.installTask()
	}
	if bulk := r.receiverTask(); bulk != nil {
		return bulk
	}
	if b.dirty && (b.wanted || b.bytes >= r.options.CheckpointBytes) {
		return r.checkpointTask()
	}
	if step := r.machine.StorageStep(); step != nil {
		return &BackgroundTask{Step: step}
	}
	return nil
}

// checkpointBulk captures the state as of now. The log is needed from the first entry that is not
// in it.
func (r *Replica) checkpointTask() *BackgroundTask {
	b := &r.background
	b.wanted, b.dirty, b.bytes, b.quiet = false, false, 0, 0
	c := &checkpointState{identity: r.identity, applied: r.applied, term: r.appliedTerm,
		hard: r.writes.durable, conf: r.log.conf, membership: r.membership,
		changedAt: r.log.changedAt, walFrom: r.writes.next, passed: r.writes.at,
		sessions: slices.Clone(r.proposals.sessions)}
	if sequence, ok := r.log.sequence(r.applied + 1); ok {
		c.walFrom = sequence
	}
	bulk := &BackgroundTask{checkpoint: c}
	c.state, c.segments, bulk.Step = r.machine.Checkpoint()
	b.number++
	c.number = b.number
	bulk.Number, bulk.Checkpoint = c.number, c.encode()
	return bulk
}

// BackgroundDone says that a BackgroundTask was executed.
func (r *Replica) BackgroundDone(bulk *BackgroundTask) {
	b := &r.background
	assert(bulk == b.current, "a bulk is done that was not under way")
	b.current = nil
	if bulk.Full {
		b.retry, b.retryAt = bulk, r.ticks
	}
	r.noteSpace()
	if bulk.Full {
		return
	}
	install := r.snapshots.install
	if bulk.Step != nil {
		r.machine.StorageStepDone(bulk.Step)
	}
	switch {
	case install != nil && bulk.checkpoint == install.checkpoint:
		r.installed(bulk)
	case bulk.checkpoint != nil:
		r.checkpointed(bulk.checkpoint)
	case bulk.receiver != nil:
		r.received(bulk)
	}
}

// checkpointed lets go of what only the checkpoint before it needed. The log on disk is released
// with the next Write.
func (r *Replica) checkpointed(c *checkpointState) {
	b := &r.background
	b.latest, b.behind = c, b.bytes
	r.log.snapshot = c.metadata()
	r.writes.release = c.walFrom
	r.event(Event{Kind: EventCheckpoint, Index: c.applied})
	r.log.compact(r.neededFrom(), r.options.LogBytesMax)
	r.log.compact(c.applied, keepLogs*r.options.LogBytesMax)
	r.renewOffers()
	r.releaseSegments()
}

// keepLogs is how many times LogBytesMax is kept in memory at most for followers that catch up. It
// must hold what is written while a snapshot is offered anew, its last part fetched, and installed.
const keepLogs = 8

// neededFrom returns up to where entries may be dropped: all that are in the checkpoint, but none
// that a follower will ask for soon. That is one who receives a snapshot now, or who is being
// served from the log.
func (r *Replica) neededFrom() Index {
	needed := r.background.latest.applied
	if !r.leading() {
		return needed
	}
	// order-free: a minimum
	for _, sender := range r.snapshots.senders {
		needed = min(needed, sender.checkpoint.applied)
	}
	r.node.WithProgress(func(_ uint64, _ raft.ProgressType, progress tracker.Progress) {
		if progress.RecentActive && progress.State != tracker.StateSnapshot {
			needed = min(needed, Index(progress.Match))
		}
	})
	return needed
}

// releaseSegments tells the machine which segments are named: those of the oldest checkpoint that a
// follower may still fetch, or whose segments become part of a snapshot here.
func (r *Replica) releaseSegments() {
	b := &r.background
	oldest := b.latest
	older := func(c *checkpointState) {
		if c != nil && c.number < oldest.number {
			oldest = c
		}
	}
	// order-free: a minimum
	for _, sender := range r.snapshots.senders {
		older(sender.checkpoint)
		older(sender.before)
	}
	if v := r.snapshots.receiver; v != nil {
		older(v.own)
	}
	if oldest.number > b.told && r.snapshots.install == nil {
		b.told = oldest.number
		r.machine.Saved(oldest.segments)
	}
}
