package server

import (
	"log/slog"
	"math"
	"net"

	"golang.org/x/sys/unix"

	"detcd/consensus/transport"
)

// A process may open so many files, and a connection is one, so whoever may connect could take what
// the log needs. Some are therefore not given to connections:
//
//	what the process may open
//	├── the reserve: log, archive (a file for each segment), checkpoints, members, certificates
//	├── connections at the peer listener that are not of members
//	└── connections of clients
//
// Storage tries again where it is short of them all the same.
const (
	// reservedFiles is for everything but the archive; as many as etcd reserves.
	reservedFiles = 150
	// segmentBytes is about what a file of the archive holds.
	segmentBytes = 16 << 20
	// clientConnectionsMax and peerConnectionsMax bound the connections where files are plenty: each
	// costs some 50 KB of memory.
	clientConnectionsMax = 16384
	peerConnectionsMax   = 256
)

// connectionsMax divides what the process may open. A reserve that would take more than half does
// not: the archive then grows into what connections leave.
func connectionsMax(files uint64, quotaBytes int64) (clients, peers int) {
	if quotaBytes <= 0 {
		quotaBytes = Default().QuotaBytes
	}
	limit := int(min(files, math.MaxInt32))
	reserve := min(reservedFiles+2*int(min(quotaBytes/segmentBytes, math.MaxInt16)), limit/2)
	peers = max(1, min((limit-reserve)/4, peerConnectionsMax))
	return max(1, min(limit-reserve-peers, clientConnectionsMax)), peers
}

// divideFiles tells how many connections clients and strangers at the peer listener may have.
func (c *Config) divideFiles() (clients, peers int) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		limit.Cur = reservedFiles
	}
	clients, peers = connectionsMax(limit.Cur, c.QuotaBytes)
	c.Log.Info("connections are bounded by the files that may be open",
		slog.Uint64("open-files-max", limit.Cur), slog.Int("client-connections-max", clients),
		slog.Int("peer-connections-max", peers))
	return clients, peers
}

// newClientPlaces makes the places of clients, and logs when they have run out.
func (c *Config) newClientPlaces(max int) *transport.Places {
	return transport.NewPlaces(max, func(times uint64, remote net.Addr) {
		if times&(times-1) == 0 {
			c.Log.Warn("rejected connection on client endpoint",
				slog.String("error", "too many connections; who was silent or quiet gives way"),
				slog.Int("client-connections-max", max), slog.Uint64("times", times),
				slog.String("remote-addr", remote.String()))
		}
	})
}
