package sim

import (
	"math/rand/v2"
	"time"
)

// electionTimeout is how long a follower waits for a leader before it campaigns, at least.
func (v *Surroundings) electionTimeout() time.Duration {
	return time.Duration(v[ElectionTicks] * v[TickInterval])
}

// farthest is how long a message takes from one member to another at most, besides what its bytes
// take.
func (v *Surroundings) farthest() time.Duration {
	return time.Duration(v[LinkDelay]+v[LinkDelay]/100*(v[LinkSpread]+v[LinkJitter])) + v.lateness()
}

// lateness is how long a message waits for who receives it. Loops that are hardly ever busy do not
// count.
func (v *Surroundings) lateness() time.Duration {
	if v[LoopBusy] <= knobInfos[LoopBusy].Default {
		return 0
	}
	return v.duration(LoopSpan)
}

// roundTrip is how long a message and its answer take at most.
func (v *Surroundings) roundTrip() time.Duration { return 2 * v.farthest() }

// syncMax is how long a sync of the log takes at most, besides what its bytes take.
func (v *Surroundings) syncMax() time.Duration { return 10 * v.duration(SyncTime) }

// canElect says whether the time-outs fit the links and disks: a member asks, is voted for, and is
// heard as the leader before others lose their patience. Where they do not fit, nothing is promised
// but safety.
func (v *Surroundings) canElect() bool {
	return v.electionTimeout() >= 3*v.roundTrip()+2*v.syncMax()+v.duration(TickInterval)
}

// serverPatience is how long a member works on a request before it forgets it, as kv/rpc does.
func (v *Surroundings) serverPatience() time.Duration {
	return 5*time.Second + 2*v.electionTimeout()
}

// leaseTTLMin is the shortest lease, in seconds, that a member with this time-out grants.
func (v *Surroundings) leaseTTLMin() int64 {
	return int64((3*v.electionTimeout()/2 + time.Second - 1) / time.Second)
}

// SurroundingsOf draws the surroundings of a seed: from members in one rack to members that talk
// over satellites, from disks that sync in 20 microseconds to such that take seconds, with
// time-outs that fit and time-outs that hardly do. Each part is left at its defaults now and then,
// so that every pair of extremes occurs.
func SurroundingsOf(seed uint64) Surroundings {
	d := surroundingsDraw{random: newRandom(seed, streamSurroundings), values: PlainSurroundings()}
	for _, part := range []func(){d.links, d.disks, d.timeouts, d.bounds, d.load} {
		if d.random.IntN(4) > 0 {
			part()
		}
	}
	d.fit()
	d.rare()
	return d.values
}

// surroundingsDraw is the drawing of one world.
type surroundingsDraw struct {
	random *rand.Rand
	values Surroundings
}

// from draws a value between low and high, of each order of magnitude as often as of any other.
func (d *surroundingsDraw) from(low, high int64) int64 {
	doublings := 0
	for low<<doublings < high {
		doublings++
	}
	if doublings == 0 {
		return low
	}
	at := low << d.random.IntN(doublings)
	return min(high, at+d.random.Int64N(at+1))
}

func (d *surroundingsDraw) links() {
	v := &d.values
	switch n := d.random.IntN(100); {
	case n < 30: // a rack
		v[LinkDelay] = d.from(25*us, 250*us)
	case n < 60: // a region
		v[LinkDelay] = d.from(250*us, 4*ms)
	case n < 82: // a continent
		v[LinkDelay] = d.from(4*ms, 60*ms)
	case n < 94: // the world
		v[LinkDelay] = d.from(60*ms, 250*ms)
	default: // a satellite
		v[LinkDelay] = d.from(250*ms, s)
	}
	v[LinkJitter] = d.from(1, 100)
	if d.random.IntN(3) == 0 {
		v[LinkSpread] = d.from(10, 300)
	}
	if d.random.IntN(3) == 0 {
		v[LinkBandwidth] = d.from(50_000, 100_000_000)
	}
	v[ClientDelay] = d.from(25*us, max(50*us, v[LinkDelay]))
}

func (d *surroundingsDraw) disks() {
	v := &d.values
	v[SyncTime] = d.from(20*us, 20*ms)
	if d.random.IntN(12) == 0 {
		v[SyncTime] = d.from(20*ms, 300*ms)
	}
	v[BulkTime] = d.from(100*us, 50*ms)
	if d.random.IntN(3) == 0 {
		v[DiskBandwidth] = d.from(1<<20, 1<<30)
	}
}

// rare draws what few worlds have: members whose loops are busy, so that what comes to them comes
// together, and logs that are carried entry by entry. Where the time-outs do not fit that, only
// safety is promised.
func (d *surroundingsDraw) rare() {
	const oneIn = 30
	v := &d.values
	if d.random.IntN(oneIn) == 0 {
		v[LoopSpan] = d.from(4*ms, 500*ms)
		v[LoopBusy] = d.from(1, 64)
	}
	if d.random.IntN(oneIn) == 0 {
		v[EntryBytes] = d.from(1, 1<<20)
	}
}

// timeouts draws a heartbeat and an election time-out that fit the links well, or hardly.
func (d *surroundingsDraw) timeouts() {
	v := &d.values
	needed := int64(3*v.roundTrip() + 2*v.syncMax())
	switch n := d.random.IntN(100); {
	case n < 50: // as etcd's guide says: a heartbeat a round trip, elections at ten times that
		v[TickInterval] = max(10*ms, int64(v.roundTrip()))
		v[HeartbeatTicks], v[ElectionTicks] = 1, 10
	case n < 75: // many heartbeats in a round trip, elections as early as can be
		v[TickInterval] = max(10*ms, needed/40)
		v[HeartbeatTicks], v[ElectionTicks] = 1, 44
	case n < 94: // few heartbeats, late elections
		v[TickInterval] = max(20*ms, needed/8)
		v[HeartbeatTicks] = 1 + d.random.Int64N(3)
		v[ElectionTicks] = 10 + d.random.Int64N(20)
	default: // time-outs that are too short
		v[TickInterval] = max(10*ms, needed/30)
		v[HeartbeatTicks], v[ElectionTicks] = 1, 10+d.random.Int64N(15)
	}
}

func (d *surroundingsDraw) bounds() {
	v := &d.values
	v[LogBytes] = d.from(1<<10, 1<<20)
	v[CheckpointBytes] = d.from(4<<10, 1<<20)
	v[ChunkBytes] = d.from(512, 256<<10)
	v[FetchBytes] = d.from(2*v[ChunkBytes], 1<<20)
	v[LogSegment] = d.from(8<<10, 1<<20)
	v[ArchiveSegment] = d.from(8<<10, 1<<20)
	v[ArchiveStep] = d.from(2<<10, 64<<10)
	v[ArchiveFlush] = d.from(512, 64<<10)
}

// operationsMax bounds what the clients of a drawn world do in a minute, and bytesMax what they
// write: more seeds find more than longer ones.
const (
	operationsMax = 6_000
	bytesMax      = 16 << 20
)

func (d *surroundingsDraw) load() {
	v := &d.values
	v[RateOfClients] = d.from(4, 200)
	if d.random.IntN(8) == 0 {
		v[RateOfClients] = d.from(200, 5_000)
	}
	v[Keys] = d.from(2, 500)
	if d.random.IntN(3) == 0 {
		v[HotPercent] = d.from(10, 90)
	}
	if d.random.IntN(4) == 0 {
		v[ValueBytes] = d.from(64, 1<<20)
	}
	switch n := d.random.IntN(400); {
	case n == 0:
		v[Preload] = 20_000
	case n < 30:
		v[Preload] = d.from(100, 4_000)
	}
}

// fit makes the load one that the rest allows: enough clients for the rate, time enough for an
// answer, and no more than a run can afford.
func (d *surroundingsDraw) fit() {
	v := &d.values
	if v[LinkBandwidth] > 0 {
		// A leader that probes a follower sends the same entries again at each heartbeat: a link
		// that cannot carry them meanwhile carries nothing else any more, here as in etcd.
		need := 2 * max(64<<10, v[ValueBytes]) * (s / ms) / (v[TickInterval] * v[HeartbeatTicks] / ms)
		v[LinkBandwidth] = max(v[LinkBandwidth], need)
	}
	v[BurstPercent] = min(100, max(1, 100*operationsMax/(60*v[RateOfClients])))
	answer := 3*int64(v.roundTrip()+v.syncMax()) + 16*v[ClientDelay]
	v[ClientPatience] = max(2*s, 2*answer)
	if d.random.IntN(10) == 0 {
		v[ClientPatience] = max(20*ms, answer/3)
	}
	v[Lanes] = min(100, v[RateOfClients]*answer/s)
	perSecond := max(1, bytesMax/60/v[RateOfClients]*100/v[BurstPercent])
	v[ValueBytes] = min(v[ValueBytes], 16*perSecond)
}
