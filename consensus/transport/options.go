package transport

import (
	"crypto/tls"
	"log/slog"
	"net"
	"time"
)

// Lane is one of the connections to a peer. The numbers are on the wire and never change.
type Lane uint8

// The lanes.
const (
	// LaneConsensus is for messages that must not wait behind large ones.
	LaneConsensus Lane = 1
	// LaneBulk is for the chunks of snapshots.
	LaneBulk Lane = 2
)

const laneCount = 2

// String names the lane, for logs.
func (l Lane) String() string {
	if l == LaneBulk {
		return "bulk"
	}
	return "consensus"
}

// Verdict is a listener's answer to a handshake. The numbers are on the wire and never change.
type Verdict uint8

// The verdicts.
const (
	Welcome            Verdict = 0 // the connection may be used
	RefusedVersion     Verdict = 1 // the peer format is not spoken here
	RefusedCluster     Verdict = 2 // this is a member of another cluster
	RefusedMember      Verdict = 3 // this is not the member that was meant
	RefusedRemoved     Verdict = 4 // the sender was removed from the cluster
	RefusedIncarnation Verdict = 5 // the sender is known with another data directory
	RefusedBusy        Verdict = 6 // not now
)

// Options configure a Transport. The zero value of a bound or a time means its default.
type Options struct {
	Cluster     uint64 // a connection of another cluster is refused
	Self        uint64 // this member
	Incarnation uint64 // of this member's data directory

	// Listeners accept the other members' connections; Close closes them. Those of Secure speak TLS.
	Listeners []net.Listener
	// TLS is used to dial addresses whose scheme is https; nil: such an address cannot be dialled.
	TLS *tls.Config

	// Deliver receives each message, on the goroutine that reads the connection. It should not
	// block: while it does, the sender's messages wait, and after Timeout the sender gives the
	// connection up. The payload is valid only during the call.
	Deliver func(from, incarnation uint64, payload []byte)
	// Unreachable is told when the consensus lane to a member broke or could not be connected. May
	// be nil.
	Unreachable func(id uint64)
	// Refused is told when a member refused a connection. May be nil.
	Refused func(id uint64, verdict Verdict, reason string)
	// Admit judges a sender of the right cluster by its ID and incarnation; it runs on many
	// goroutines at once. nil: everyone is welcome.
	Admit func(from, incarnation uint64) (Verdict, string)
	// Name gives the name of a member, for logs. May be nil.
	Name func(id uint64) string
	// Answer answers a question of [Ask]; it runs on many goroutines at once. nil: none is answered.
	Answer func(question []byte) []byte
	// Other takes over a connection whose first bytes are not a handshake; they can still be read
	// from it. nil: it is closed.
	Other func(net.Conn)

	Log    *slog.Logger // nil: nothing is logged
	Bounds Bounds
}

// Bounds are the named bounds of a Transport. The zero value of a field means its default.
type Bounds struct {
	MessageBytes int           // of a payload, 64 MiB; a larger one is dropped, or ends the connection
	QueueBytes   int           // waiting for one peer and lane, 32 MiB; what exceeds it is dropped
	QueueCount   int           // messages waiting for one peer and lane, 16384
	Connections  int           // accepted, open and not of a known member, 256 (Places)
	Timeout      time.Duration // for an echo, a handshake, a connection to be made; 2 s
	BackoffMax   time.Duration // longest pause between two attempts to connect, 1 s
}

func (b *Bounds) setDefaults() {
	setDefault(&b.MessageBytes, 64<<20)
	setDefault(&b.QueueBytes, 32<<20)
	setDefault(&b.QueueCount, 16384)
	setDefault(&b.Connections, 256)
	setDefault(&b.Timeout, 2*time.Second)
	setDefault(&b.BackoffMax, time.Second)
}

func setDefault[T int | time.Duration](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}

// Stats is what a Transport has done so far.
type Stats struct {
	Peers []PeerStats // ascending by ID
}

// PeerStats is what was exchanged with one peer.
type PeerStats struct {
	ID             uint64
	Up             bool          // the consensus lane to it is connected
	Since          time.Time     // when Up last changed
	Addresses      []string      // where it listens; not to be changed
	Error          string        // why it is not Up, as far as that is known
	RoundTrip      time.Duration // of the last pulse on the consensus lane; 0: none yet
	SentBytes      uint64
	ReceivedBytes  uint64
	SentFrames     uint64
	ReceivedFrames uint64
	Dropped        uint64 // messages that Send refused or that were lost with a connection

	// RoundTrips are how many pulses of the consensus lane took at most RoundTripLimit, twice that
	// and more than the one before, and so on; the last ones took longer than any limit.
	RoundTrips   [roundTripLimits + 1]uint64
	RoundTripSum time.Duration // of all of them
}

// The limits by which round trips are told apart are those of etcd: 0.1 ms, and 15 times twice as
// much.
const (
	RoundTripLimit  = 100 * time.Microsecond
	roundTripLimits = 16
)
