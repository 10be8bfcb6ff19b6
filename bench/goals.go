package bench

import "time"

// A Case is a workload that two systems are compared under.
type Case struct {
	Name    string // of the goals
	What    string // in a few words
	Members int
	Load    Options // Endpoints, PIDs and times are filled in
	Claims  []Claim
}

// A Claim bounds the ratio of one measure: the candidate's to the peer's.
type Claim struct {
	Measure Measure
	Bound   float64
	AtLeast bool // else: at most
}

// Measure names a number of a report.
type Measure string

// The measures.
const (
	Throughput Measure = "operations/s"
	ServerCPU  Measure = "server µs/op"
	P50        Measure = "p50 ms"
	P99        Measure = "p99 ms"
	Resident   Measure = "resident MB" // of all members together, after the load
)

// Of returns the measure of a report.
func (m Measure) Of(r *Report) float64 {
	switch m {
	case Throughput:
		return r.PerSecond
	case ServerCPU:
		return r.ServerCPUMicros
	case P50:
		return r.Latency.P50
	case P99:
		return r.Latency.P99
	}
	var sum int64
	for _, s := range r.Servers {
		sum += s.ResidentBytes
	}
	return float64(sum) / 1e6
}

// measures are the rows of a case, in order.
func measures() []Measure {
	return []Measure{Throughput, ServerCPU, P50, P99, Resident}
}

// Goals returns the cases P1 to P5 with what is claimed of them: 8-byte keys and 256-byte values,
// as the published figures of etcd have them, and connections a tenth of the clients.
func Goals() []Case {
	load := func(workload Workload, clients int) Options {
		return Options{
			Workload: workload, Clients: clients, Connections: max(clients/10, 1),
			KeySize: 8, ValueSize: 256, Seed: 1, WarmUp: time.Second,
		}
	}
	writes := load(Put, 100)
	many := load(Put, 1000)
	one := load(Put, 1)
	reads := load(Range, 100)
	reads.Keys = 10_000
	serializable := reads
	serializable.Serializable = true
	writeClaims := []Claim{{Throughput, 3, true}, {ServerCPU, 0.3, false}}
	return []Case{
		{"P1", "put, 100 clients", 1, writes,
			[]Claim{{Throughput, 2.5, true}, {ServerCPU, 0.35, false}}},
		{"P2", "put, 100 clients", 3, writes, writeClaims},
		{"P2", "put, 1000 clients", 3, many, writeClaims},
		{"P3", "put, 1 client", 1, one, []Claim{{P50, 0.7, false}}},
		{"P4", "linearizable get, 100 clients", 3, reads, []Claim{{Throughput, 1.5, true}}},
		{"P5", "serializable get, 100 clients", 3, serializable, []Claim{{Throughput, 1.4, true}}},
	}
}
