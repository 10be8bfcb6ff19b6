package server

import (
	"fmt"
	"math"

	"github.com/prometheus/procfs"

	"detcd/consensus/transport"
	"detcd/kv"
	"detcd/kv/gateway"
	"detcd/kv/rpc"
)

// aboutDurations has how long it took to execute what kinds of commands and to read ranges.
func (f *front) aboutDurations() []gateway.Metric {
	all := []gateway.Metric{counter("etcd_server_slow_apply_total", f.timer.slow.Applies(),
		"Reads and commands that took longer than --warning-apply-duration.")}
	byName := make(map[string]*gateway.Histogram)
	for number := range f.timer.kinds {
		name := kv.KindName(byte(number))
		for outcome := range f.timer.kinds[number] {
			h, key := clocked(rpc.ApplyScale, &f.timer.kinds[number][outcome]), fmt.Sprint(name, outcome)
			if h.Count == 0 {
				continue
			}
			if known := byName[key]; known != nil { // a lease is revoked by two kinds of command
				known.Add(h)
				continue
			}
			byName[key] = h
			m := gateway.Metric{Name: "etcd_server_apply_duration_seconds", Histogram: h,
				Help: "How long the execution of commands took, by what they do."}
			api := "v3"
			if name == "RequestV2" {
				api = "v2"
			}
			m = with(with(m, "version", api), "op", name)
			all = append(all, with(m, "success", fmt.Sprint(outcome == 1)))
		}
	}
	failed, done := f.timer.slow.Ranges()
	for outcome, clock := range map[string]*rpc.Clock{"false": failed, "true": done} {
		all = append(all, with(gateway.Metric{
			Name: "etcd_server_range_duration_seconds", Histogram: clocked(rpc.ApplyScale, clock),
			Help: "How long ranges took.",
		}, "success", outcome))
	}
	return all
}

// clocked is what a clock has counted.
func clocked(s rpc.Scale, c *rpc.Clock) *gateway.Histogram {
	upto, count, sum := c.Read(s)
	return &gateway.Histogram{Upto: upto, Count: count, Sum: sum.Seconds()}
}

// timed is a metric of what a clock has counted.
func timed(name string, s rpc.Scale, c *rpc.Clock, help string) gateway.Metric {
	return gateway.Metric{Name: name, Histogram: clocked(s, c), Help: help}
}

// inMilliseconds is the same where the name says so.
func inMilliseconds(name string, s rpc.Scale, c *rpc.Clock, help string) gateway.Metric {
	seconds := clocked(s, c)
	h := &gateway.Histogram{
		Upto: make(map[float64]uint64), Count: seconds.Count, Sum: seconds.Sum * 1000,
	}
	for limit, n := range seconds.Upto {
		h.Upto[math.Round(limit*1000)] = n
	}
	return gateway.Metric{Name: name, Histogram: h, Help: help}
}

// timesToLive is how long leases live.
func timesToLive(counts *kv.Counts) *gateway.Histogram {
	last := len(counts.LeaseTTLs) - 1
	h := &gateway.Histogram{
		Upto: make(map[float64]uint64), Count: counts.LeaseTTLs[last],
		Sum: float64(counts.LeaseTTLSum),
	}
	for i, n := range counts.LeaseTTLs[:last] {
		h.Upto[float64(int64(1)<<i)] = n
	}
	return h
}

// roundTrips are those of the pulses to a member.
func roundTrips(peer *transport.PeerStats) *gateway.Histogram {
	h := &gateway.Histogram{Upto: make(map[float64]uint64), Sum: peer.RoundTripSum.Seconds()}
	limit := transport.RoundTripLimit
	for i, n := range peer.RoundTrips {
		h.Count += n
		if i < len(peer.RoundTrips)-1 {
			h.Upto[limit.Seconds()] = h.Count
		}
		limit *= 2
	}
	return h
}

// aboutFiles has how many files are open, and may be; where the system tells.
func aboutFiles() []gateway.Metric {
	self, err := procfs.Self()
	if err != nil {
		return nil
	}
	used, errUsed := self.FileDescriptorsLen()
	limits, errLimits := self.Limits()
	if errUsed != nil || errLimits != nil {
		return nil
	}
	return []gateway.Metric{
		gauge("os_fd_used", used, "Files that are open."),
		gauge("os_fd_limit", limits.OpenFiles, "Files that may be."),
	}
}
