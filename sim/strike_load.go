package sim

import (
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"detcd/faults"
)

// compactNow forgets all history up to what clients know.
func (w *world) compactNow() {
	if leader := w.leader(); leader != nil {
		w.judge.record.compaction(w.now, w.judge.highest)
		leader.serve(w.userOf(holderNumbers), &pb.CompactionRequest{Revision: w.judge.highest},
			func(proto.Message, error) {})
	}
}

// leaseStorm grants many leases that nobody keeps alive, so that they expire together. The checker
// is not told: no client ever hears of them.
func (w *world) leaseStorm(count int) {
	leader := w.leader()
	if leader == nil {
		return
	}
	for range count {
		readings := w.readings()
		request, user := &pb.LeaseGrantRequest{TTL: 2}, w.userOf(holderNumbers)
		leader.serve(user, request, func(response proto.Message, err error) {
			if granted, ok := response.(*pb.LeaseGrantResponse); ok && err == nil {
				w.judge.leases[granted.ID] = &leaseRecord{ttl: granted.TTL, readings: readings}
			}
		})
	}
}

// churn breaks all watches again and again.
func (w *world) churn(fault faults.Fault) bool {
	until := w.now + int64(fault.For)
	var again func()
	again = func() {
		if w.healed || w.now >= until {
			return
		}
		for _, c := range w.clients {
			if c.watcher != nil && c.watcher.stream != nil {
				c.watcher.stream.broken()
			}
		}
		w.after(150*time.Millisecond, again)
	}
	again()
	return true
}
