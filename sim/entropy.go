package sim

import (
	"crypto/rand"
	"io"
	mathrand "math/rand/v2"
	"sync"
	"time"
)

// Raft draws its election time-outs from crypto/rand.Reader, its one hidden input. A run replaces
// the reader by one that serves each member from a generator of its own. The reader belongs to the
// process, so a process runs one world at a time: runs of several goroutines take turns, and seeds
// run in parallel as processes.
type raftRandom struct {
	source *mathrand.PCG // of the member that is being stepped
}

// Read fills p from the generator of the member whose turn it is.
func (r *raftRandom) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(r.source.Uint64() >> 32)
	}
	return len(p), nil
}

// turns lets one run of the process go on at a time.
var turns sync.Mutex

// replaceReader makes reader what raft draws from, until the returned function is called. It waits
// until no other run goes on.
func replaceReader(reader io.Reader) (restore func()) {
	turns.Lock()
	before := rand.Reader
	rand.Reader = reader
	return func() {
		rand.Reader = before
		turns.Unlock()
	}
}

// The streams of randomness of one run. Each purpose has its own, so that taking out a fault or a
// client while shrinking changes as little as possible of the rest.
const (
	streamNetwork = iota + 1
	streamDisk
	streamFaults
	streamMember       // plus the member's number
	streamMembers      = 999
	streamUsers        = 997
	streamPreVote      = 996
	streamSurroundings = 995
	streamImages       = 994
	streamClients      = 1000
	streamLinks        = 1 << 60
)

func newRandom(seed, stream uint64) *mathrand.Rand {
	return mathrand.New(mathrand.NewPCG(seed, stream))
}

// between draws a duration from low to high.
func between(r *mathrand.Rand, low, high time.Duration) time.Duration {
	return low + time.Duration(r.Int64N(int64(high-low)+1))
}
