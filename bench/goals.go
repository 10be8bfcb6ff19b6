package bench

import (
	"fmt"
	"slices"
	"time"
)

// A Case is a workload that two systems are compared under.
type Case struct {
	Name     string // of the goal; no more than a letter and a number, or "+" for what has no goal
	What     string // in a few words
	Members  int
	Distance Distance // between the members
	Load     Options  // Endpoints, PIDs and times are filled in
	Claims   []Claim
	Measure  Measurement   // nil: Run
	Phases   int           // loads one after the other, each as long as the comparison says; 1
	Fixed    time.Duration // about how long the rest takes, for the estimate
	Axis     string        // of the curve of this name that the case is a point of; else empty
	X        float64       // where on it
	Once     bool          // in the first round only: the figures are stable, and the wait is long
}

// A Claim bounds one measure.
type Claim struct {
	Measure Measure `json:"measure"`
	Bound   float64 `json:"bound"`
	AtLeast bool    `json:"at_least"` // else: at most
	Own     bool    `json:"own"`      // it bounds the candidate's figure itself, not the ratio
}

// Measure names a number of a report.
type Measure string

// The measures that every report has.
const (
	Throughput Measure = "operations/s"
	ServerCPU  Measure = "server µs/op"
	P50        Measure = "p50 ms"
	P99        Measure = "p99 ms"
	Resident   Measure = "resident MB" // of all members together, after the load
	Device     Measure = "device B/op" // of the machine's disks, whoever wrote
	Syncs      Measure = "syncs/op"    // of all members together
)

// Of returns the measure of a report; 0 when it has none of that name.
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
	case Device:
		return r.DevicePerOp
	case Syncs:
		return r.SyncsPerOp
	case Resident:
		var sum int64
		for _, s := range r.Servers {
			sum += s.ResidentBytes
		}
		return float64(sum) / 1e6
	}
	return r.Figures[m]
}

// measures are the rows of a case, in order: those that the reports have, then their own.
func measures(r *Report) []Measure {
	var all []Measure
	for _, m := range []Measure{Throughput, ServerCPU, P50, P99, Resident, Device, Syncs} {
		if m.Of(r) != 0 {
			all = append(all, m)
		}
	}
	var own []Measure
	for m := range r.Figures {
		own = append(own, m)
	}
	slices.Sort(own)
	return append(all, own...)
}

// takes estimates how long the case runs on one system.
func (c *Case) takes(duration time.Duration) time.Duration {
	start := time.Duration(c.Members) * 700 * time.Millisecond
	return start + c.Fixed + time.Duration(max(c.Phases, 1))*(duration+c.Load.WarmUp)
}

// standard is a load of 8-byte keys and 256-byte values, as the published figures of etcd have
// them, with connections a tenth of the clients.
func standard(workload Workload, clients int) Options {
	return Options{
		Workload: workload, Clients: clients, Connections: max(clients/10, 1),
		KeySize: 8, ValueSize: 256, Seed: 1, WarmUp: time.Second,
	}
}

// paced is a standard load with a rate.
func paced(workload Workload, clients int, rate float64) Options {
	o := standard(workload, clients)
	o.Rate = rate
	return o
}

// Goals returns all cases: P1 to P11 with what is claimed of them, and more that have no goal.
// Floor is the endpoint of a ServeFloor.
func Goals(floor string) []Case {
	return slices.Concat(writeGoals(), readGoals(), watchGoals(), storeGoals(floor),
		behindGoals(), others())
}

func writeGoals() []Case {
	three := []Claim{{Throughput, 3, true, false}, {ServerCPU, 0.3, false, false}}
	return []Case{
		{Name: "P1", What: "put, 100 clients", Members: 1, Load: standard(Put, 100),
			Claims: []Claim{{Throughput, 2.5, true, false}, {ServerCPU, 0.35, false, false}}},
		{Name: "P2", What: "put, 100 clients", Members: 3, Load: standard(Put, 100), Claims: three},
		{Name: "P2", What: "put, 1000 clients", Members: 3, Load: standard(Put, 1000), Claims: three},
		{Name: "P3", What: "put, 1 client", Members: 1, Load: standard(Put, 1),
			Claims: []Claim{{P50, 0.7, false, false}}},
	}
}

// rangeKeys is the number of keys of a long range.
const rangeKeys = 10_000

func readGoals() []Case {
	reads := standard(Range, 100)
	reads.Keys = 10_000
	serializable := reads
	serializable.Serializable = true
	long := standard(Range, 4)
	long.Connections, long.Keys, long.Span = 4, rangeKeys, rangeKeys
	beside := long
	beside.Clients, beside.Connections, beside.Rate = 2, 2, besideRanges
	return []Case{
		{Name: "P4", What: "linearizable get, 100 clients", Members: 3, Load: reads,
			Claims: []Claim{{Throughput, 1.5, true, false}}},
		{Name: "P5", What: "serializable get, 100 clients", Members: 3, Load: serializable,
			Claims: []Claim{{Throughput, 1.4, true, false}}},
		{Name: "P7", What: "range of 10,000 keys, 4 clients", Members: 1, Load: long,
			Claims: []Claim{{Throughput, 1.5, true, false}}},
		{Name: "P7", What: fmt.Sprintf("500 puts/s beside %d ranges/s of 10,000 keys", besideRanges),
			Members: 1, Load: paced(Put, 50, 500), Measure: Beside(beside),
			Claims: []Claim{{P99, 0.5, false, false}}},
	}
}

// besideRanges is the rate of long ranges beside puts: about half of what etcd can do on two
// processors.
const besideRanges = 30

func watchGoals() []Case {
	one, each := standard(Watch, 10), standard(Watch, 100)
	one.Keys, one.Watchers, one.Connections = 1, 1000, 10
	each.Keys, each.Watchers, each.Connections = 1000, 1000, 10
	oneRate, eachRate := one, each
	oneRate.Rate, eachRate.Rate = 50, 4000
	events := []Claim{{Throughput, 2, true, false}}
	late := []Claim{{P99, 0.5, false, false}}
	return []Case{
		{Name: "P6", What: "events, 1 key with 1,000 watchers", Members: 1, Load: one, Claims: events},
		{Name: "P6", What: "events, 1,000 keys with a watcher each", Members: 1, Load: each,
			Claims: events},
		{Name: "P6", What: "latency, 1 key with 1,000 watchers, 50 puts/s", Members: 1, Load: oneRate,
			Claims: late},
		{Name: "P6", What: "latency, 1,000 keys with a watcher each, 4,000 puts/s", Members: 1,
			Load: eachRate, Claims: late},
	}
}

func storeGoals(floor string) []Case {
	million := standard(Put, 200)
	million.Keys, million.WarmUp = 1_000_000, 0
	disturbed := paced(Put, 50, 1000)
	disturbed.Keys = 50_000
	alone := standard(Put, 1)
	company := standard(Put, 1)
	return []Case{
		{Name: "P8", What: "1,000,000 keys of 256 random bytes", Members: 1, Load: million,
			Measure: Population(time.Minute), Fixed: 2 * time.Minute, Once: true,
			Claims: []Claim{{Resident, 0.6, false, false}, {DiskUse, 0.5, false, false},
				{FirstRead, 0.5, false, false}}},
		{Name: "P9", What: "1,000 puts/s while compacting, while defragmenting", Members: 1,
			Load: disturbed, Measure: Disturbed, Phases: 3, Fixed: 5 * time.Second,
			Claims: []Claim{{CompactingRatio, 2, false, true}, {DefragmentRatio, 2, false, true}}},
		{Name: "P10", What: "put, 1 client, against call and fdatasync", Members: 1, Load: alone,
			Measure: OneClient(floor), Phases: 3,
			Claims: []Claim{{OverMachine, 1.3, false, true}}},
		{Name: "P10", What: "puts for each sync, 1 to 1,000 clients", Members: 1, Load: company,
			Measure: Company(1, 10, 100, 1000), Phases: 4,
			Claims: []Claim{{LeastGrowth, 1, true, true}}},
	}
}

// behindGoals are followers that have everything to fetch while others go on to write.
func behindGoals() []Case {
	far := Distance{OneWay: 20 * time.Millisecond, Rate: 50e6}
	behind := func(what string, puts int, rate float64) Case {
		fill := standard(Put, 400)
		fill.ValueSize, fill.Keys, fill.Total, fill.WarmUp = 4096, puts, int64(puts), 0
		return Case{Name: "P11", What: what, Members: 3, Distance: far, Load: fill, Once: true,
			Measure: Behind(Absence{Rate: rate, Link: far.Rate}), Fixed: 4 * time.Minute,
			Claims: []Claim{{LevelOverLink, 2, false, true}, {BesideOverQuiet, 2, false, true},
				{CatchUpSeconds, 1, false, false}}}
	}
	return []Case{
		behind("follower without 250 MB, 3.6 MB/s of puts, 40 ms away", 60_000, 900),
		behind("follower without 2 GB, 10 MB/s of puts, 40 ms away", 500_000, 2500),
	}
}

// others are workloads without a goal. They are measured once: they are there to be looked at.
func others() []Case {
	all := otherLoads()
	for i := range all {
		all[i].Name, all[i].Once = "+", true
	}
	return all
}

func otherLoads() []Case {
	txn, stm := standard(Txn, 100), standard(STM, 20)
	txn.Keys, stm.Keys = 10_000, 1000
	renewals := standard(KeepAlive, 100)
	renewals.Keys = 10_000
	storm := standard(Put, 100)
	storm.Keys, storm.WarmUp = 5000, 0
	large, huge := standard(Put, 20), standard(Put, 8)
	large.ValueSize, large.Keys = 64<<10, 200
	huge.ValueSize, huge.Connections, huge.Keys = 1<<20, 4, 50
	behind := standard(Put, 100)
	behind.Total, behind.WarmUp = 100_000, 0
	return []Case{
		{What: "txn, half read and half write, 100 clients", Members: 1, Load: txn},
		{What: "STM over 2 of 1,000 keys, 20 clients of etcd's", Members: 1, Load: stm},
		{What: "lease grant, 100 clients", Members: 1, Load: standard(Grant, 100)},
		{What: "lease keep-alive, 10 streams", Members: 1, Load: renewals},
		{What: "5,000 leases that end at once: how late", Members: 1, Load: storm,
			Measure: Expire, Fixed: 9 * time.Second},
		{What: "put of 64 KiB, 20 clients", Members: 1, Load: large},
		{What: "put of 1 MiB, 8 clients", Members: 1, Load: huge},
		{What: "follower that missed 100,000 puts", Members: 3, Load: behind,
			Measure: CatchUp, Fixed: 10 * time.Second},
	}
}
