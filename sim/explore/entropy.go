package explore

import "crypto/rand"

// ones is what raft draws its election time-outs from while an exploration runs: every member takes
// the longest there is. When a time-out ends is a choice of the search, not of raft.
type ones struct{}

// Read fills p with ones.
func (ones) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 0xff
	}
	return len(p), nil
}

// fixTimeouts takes raft's one hidden input away, until the returned function is called. The reader
// belongs to the process: nothing else may run a simulation meanwhile.
func fixTimeouts() (restore func()) {
	before := rand.Reader
	rand.Reader = ones{}
	return func() { rand.Reader = before }
}
