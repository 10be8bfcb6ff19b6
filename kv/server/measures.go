package server

import (
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/status"

	"detcd/kv/rpc"
)

// The scales of etcd's durations of what takes long.
var (
	defragmentScale = rpc.Scale{First: 100 * time.Millisecond, Limits: 13}
	snapshotScale   = rpc.Scale{First: 10 * time.Millisecond, Limits: 17}
	receivedScale   = rpc.Scale{First: 100 * time.Millisecond, Limits: 10}
)

// measures count what a member does now and then. The zero value is ready.
type measures struct {
	defragments rpc.Clock
	inflight    atomic.Int64 // defragmentations
	snapshots   rpc.Clock    // that were written for clients
	received    rpc.Clock    // that came from other members and were installed
	receiving   atomic.Int64 // since when, in Unix nanoseconds; 0: none is

	promoted atomic.Uint64
	mutex    sync.Mutex
	refused  map[string]uint64 // promotions, by reason
}

// defragmenting counts a defragmentation that begins, until its end is called.
func (m *measures) defragmenting() (end func()) {
	begun := time.Now()
	m.inflight.Add(1)
	return func() {
		m.inflight.Add(-1)
		m.defragments.Add(defragmentScale, time.Since(begun))
	}
}

// receive notes that a snapshot begins to arrive.
func (m *measures) receive() { m.receiving.CompareAndSwap(0, time.Now().UnixNano()) }

// receivedAll notes that no snapshot arrives any more, because it is installed or was given up.
func (m *measures) receivedAll(installed bool) {
	begun := m.receiving.Swap(0)
	if installed && begun != 0 {
		m.received.Add(receivedScale, time.Since(time.Unix(0, begun)))
	}
}

// reasonsMax bounds the reasons for refused promotions that are told apart.
const reasonsMax = 16

// promote counts how a promotion ended.
func (m *measures) promote(err error) {
	if err == nil {
		m.promoted.Add(1)
		return
	}
	m.mutex.Lock()
	defer m.mutex.Unlock()
	reason := status.Convert(err).Message()
	if m.refused == nil {
		m.refused = make(map[string]uint64)
	}
	if _, known := m.refused[reason]; !known && len(m.refused) >= reasonsMax {
		reason = "other"
	}
	m.refused[reason]++
}

// refusals are the counted ones, by reason.
func (m *measures) refusals() map[string]uint64 {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	all := make(map[string]uint64, len(m.refused))
	for reason, n := range m.refused {
		all[reason] = n
	}
	return all
}
