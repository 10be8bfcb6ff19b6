package server

import (
	"math"
	"testing"
)

// What is left for storage is at least half of the files, or what it needs.
func TestConnectionsLeaveFilesForStorage(t *testing.T) {
	const gib = 1 << 30
	for _, c := range []struct {
		files          uint64
		quota          int64
		clients, peers int
	}{
		{64, 2 * gib, 24, 8},
		{300, 2 * gib, 113, 37},
		{1024, 2 * gib, 464, 154},
		{1024, 8 * gib, 384, 128},
		{65536, 8 * gib, 16384, 256},
		{math.MaxUint64, -1, 16384, 256},
		{1024, math.MaxInt64, 384, 128},
		{0, 2 * gib, 1, 1},
	} {
		clients, peers := connectionsMax(c.files, c.quota)
		if clients != c.clients || peers != c.peers {
			t.Errorf("of %d files with a quota of %d: %d clients, %d peers; want %d and %d",
				c.files, c.quota, clients, peers, c.clients, c.peers)
		}
	}
}
