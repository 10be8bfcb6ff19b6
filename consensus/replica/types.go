package replica

import (
	"time"

	"detcd/storage/archive"
	"detcd/storage/vfs"
	"detcd/storage/wal"
)

// MemberID names a member of the cluster for as long as the cluster lives; it is never given twice.
type MemberID uint64

// Term counts elections, as in figure 2 of the Raft paper.
type Term uint64

// Index is the place of an entry in the log, from 1.
type Index uint64

// RequestID is chosen by the driver for each input that wants an answer. It must be unique in one
// run of the member; the answer carries it back.
type RequestID uint64

// Time is nanoseconds on this member's own monotonic clock. Two members' times are never compared.
type Time int64

// Machine is the state that the log replicates. It must be deterministic: the same commands in the
// same order give the same state and the same answers, bit for bit. All calls come from one
// goroutine at a time.
//
// Many methods: each is one moment in the life of a replicated state, and kv is the only one that
// has to carry them all.
type Machine interface {
	// Apply executes one committed command. When local is false nobody on this member waits for the
	// answer and nil may be returned.
	Apply(index uint64, command []byte, local bool) (answer any)
	// Due returns what a leader proposes on its own at this time: the revocation of expired leases.
	// A command is returned once per leadership; the replica sees to it that it is proposed.
	Due(now int64) (commands [][]byte)
	// Lead says that this member began or ceased to lead.
	Lead(now int64, leading bool)
	// Query answers a question that only the leader can answer (keep-alive, time-to-live), after a
	// read barrier that was begun at since confirmed that this member still led.
	Query(since int64, question []byte) (answer []byte)
	// View returns an immutable view of the applied state, for readers on any goroutine.
	View() any
	// StorageStep returns the next step of background storage work, nil when there is none.
	StorageStep() *archive.Step
	// StorageStepDone says that a StorageStep was executed.
	StorageStepDone(step *archive.Step)
	// Checkpoint returns the state as of the last Apply, the segments that belong to it, and the
	// step that makes those segments durable.
	Checkpoint() (state []byte, segments []archive.Segment, flush *archive.Step)
	// Saved says that a durable checkpoint names exactly these segments.
	Saved(segments []archive.Segment)
	// Defragment has StorageStep rewrite what is partly dead. Defragmenting says how far that is:
	// when it is Naming, a checkpoint lets it go on.
	Defragment()
	Defragmenting() archive.Progress
	// Restore replaces everything by a checkpoint's state; a nil state is that of a new cluster.
	Restore(fs vfs.FS, dir string, state []byte, segments []archive.Segment) error
}

// Options configure one member. The zero value of a bound means its default.
//
// Many fields: they are the identity of a member, its clock and its named bounds, in one place.
type Options struct {
	ID          MemberID
	Cluster     uint64   // identifies the cluster; a data directory of another one is refused
	Incarnation uint64   // random, for a data directory that is made now; a used one keeps its own
	SessionID   uint64   // random in each run; answers to an earlier run's commands are not mistaken
	Self        Member   // the attributes (name, URLs) that this member publishes of itself
	Members     []Member // the first members, for a new data directory; empty: it joins and is told
	Machine     Machine
	FS          vfs.FS // the data directory
	WAL         vfs.FS // where the log is, on a device of its own perhaps; nil: FS
	WALDir      string // its directory there; empty: "wal"

	Tick           time.Duration // of raft's clock, 100 ms
	ElectionTicks  int           // 10
	HeartbeatTicks int           // 1
	NoPreVote      bool          // campaign without asking first whether that could succeed

	RequestTimeout  time.Duration // for a request, then ErrTimeout, to one tick; 0: no end
	EntryBytesMax   int           // commands packed into one raft entry, 1 MiB
	PendingBytesMax int           // commands not yet proposed; more are answered ErrTooMany; 32 MiB
	LogBytesMax     int           // entries kept in memory, 16 MiB; 8 times that for who catches up
	CheckpointBytes int           // of log between two checkpoints, 32 MiB
	ChunkBytes      int           // of one chunk of a snapshot, 512 KiB
	FetchBytesMax   int           // of a snapshot that were asked for and are not stored yet, 16 MiB
	WALOptions      wal.Options   // size of the log's segments

	assumeCommitted bool // every entry of the log counts as committed, see ForceNewCluster
}

// Effects are what the world owes a replica after an input.
type Effects struct {
	Send       []Message       // may leave at once, in any order
	Write      *Write          // for Disk.Do, then Done; one is outstanding at a time
	Background *BackgroundTask // for Disk.DoBackground, then BackgroundDone; beside the Write
	Answers    []Answer        // for the clients of this member
	Events     []Event         // what happened: the one source of logs, metrics and traces
	View       any             // of the machine at the end of the turn, if anybody asked for it
	More       bool            // there is more to take at once; inputs may come in between
	Wake       Time            // when Tick is to be called, if nothing happens earlier
}

// Answer ends one Submit, Read, QueryLeader or Change.
type Answer struct {
	ID    RequestID
	Value any // of Machine.Apply, Machine.View, Machine.Query ([]byte) or the Membership
	Index Index
	Err   error // of this package; nil when the request was carried out
}

// EventKind tells what happened.
type EventKind int

// The kinds of event.
const (
	EventNone             EventKind = iota
	EventRole                       // this member became what Text says, in Term
	EventLeader                     // Member leads in Term, 0: nobody is known to
	EventMembers                    // the membership changed, at Index
	EventCheckpoint                 // a checkpoint at Index is durable
	EventTorn                       // recovery cut a torn end off the log; Text says where
	EventRecovered                  // the member recovered; Index is the last entry of its log
	EventSnapshotSend               // a snapshot at Index is offered to Member
	EventSnapshotRecv               // a snapshot at Index from Member begins to arrive
	EventInstalled                  // a snapshot at Index replaced the state
	EventRefused                    // this data directory may not take part; Text says why. Fatal
	EventRemoved                    // this member was removed from the cluster. Fatal
	EventWrongIncarnation           // a message of Member was dropped: it has another incarnation
	EventSpace                      // no room: device (Index 1), open files (2); there is again (0)
	EventSnapshotFailed             // a snapshot for or of Member was given up; Text says why
	EventFailed                     // the member cannot go on; Text says why. Fatal
)

// Event is something that happened inside the replica.
type Event struct {
	Kind   EventKind
	Term   Term
	Index  Index
	Member MemberID
	Text   string
}

// Status is a look at a member between two inputs.
type Status struct {
	ID          MemberID
	Leader      MemberID // 0: unknown
	Term        Term
	Vote        MemberID // given in Term; 0: none
	Committed   Index
	Applied     Index
	AppliedTerm Term  // of the entry at Applied
	Last        Index // of the log on this member, durable or on its way
	Durable     Index // of the log on this member's disk
	Leading     bool
	Learner     bool // it does not vote, as far as it knows; nor does one that has yet to be told
	Incarnation uint64
	Cluster     uint64
}
