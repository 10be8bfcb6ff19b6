package sim

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Knob is one measure of the surroundings of a run: of its links, its disks, the settings of its
// cluster, or the load of its clients.
type Knob int

// The knobs. knobInfos says what each measures, its default and its range.
const (
	LinkDelay Knob = iota
	LinkJitter
	LinkSpread
	LinkBandwidth
	ClientDelay

	SyncTime
	BulkTime
	DiskBandwidth
	LoopSpan
	LoopBusy

	TickInterval
	HeartbeatTicks
	ElectionTicks
	EntryBytes
	LogBytes
	CheckpointBytes
	ChunkBytes
	FetchBytes
	LogSegment
	ArchiveSegment
	ArchiveStep
	ArchiveFlush

	RateOfClients
	BurstPercent
	Lanes
	Keys
	HotPercent
	ValueBytes
	Preload
	ClientPatience

	knobEnd
)

// KnobInfo describes a knob.
type KnobInfo struct {
	Name    string
	Default int64 // what a run has that nobody drew: one rack, etcd's time-outs, few clients
	Low     int64 // the least and the most that may be asked for
	High    int64
	Meaning string

	isDuration bool // else it counts something
}

const (
	us = int64(time.Microsecond)
	ms = int64(time.Millisecond)
	s  = int64(time.Second)
)

// knobInfos is indexed by Knob.
var knobInfos = [knobEnd]KnobInfo{
	LinkDelay:     {"delay", 200 * us, 10 * us, 2 * s, "between two members, one way", true},
	LinkJitter:    {"jitter", 350, 0, 1000, "percent of delay, added at random", false},
	LinkSpread:    {"spread", 0, 0, 1000, "percent of delay, added by the link", false},
	LinkBandwidth: {"bandwidth", 0, 0, 1 << 40, "bytes a second of a link; 0: no limit", false},
	ClientDelay:   {"client-delay", 100 * us, 10 * us, 2 * s, "the same to a client", true},

	SyncTime:      {"sync", 100 * us, 10 * us, 10 * s, "a sync of the log, at least", true},
	BulkTime:      {"bulk", ms, 10 * us, 10 * s, "a step in the background, at least", true},
	DiskBandwidth: {"disk-bandwidth", 0, 0, 1 << 40, "bytes a second of a disk; 0: no limit", false},
	LoopSpan:      {"loop-span", 64 * ms, ms, 10 * s, "a busy loop does not look so long", true},
	LoopBusy:      {"loop-busy", 1, 0, 64, "of 64 spans in which a loop is", false},

	TickInterval:    {"tick", 100 * ms, ms, 10 * s, "the unit of the two below", true},
	HeartbeatTicks:  {"heartbeat-ticks", 1, 1, 100, "from one heartbeat to the next", false},
	ElectionTicks:   {"election-ticks", 10, 2, 1000, "without a leader until a campaign", false},
	EntryBytes:      {"entry-bytes", 1 << 20, 1, 1 << 20, "of entries in one message", false},
	LogBytes:        {"log-bytes", 4 << 10, 256, 1 << 30, "of entries for followers", false},
	CheckpointBytes: {"checkpoint-bytes", 12 << 10, 1 << 10, 1 << 30, "between checkpoints", false},
	ChunkBytes:      {"chunk-bytes", 3 << 10, 256, 1 << 20, "of a snapshot in one message", false},
	FetchBytes:      {"fetch-bytes", 10 << 10, 512, 1 << 30, "of a snapshot on its way", false},
	LogSegment:      {"log-segment", 32 << 10, 4 << 10, 1 << 30, "of a file of the log", false},
	ArchiveSegment:  {"archive-segment", 16 << 10, 4 << 10, 1 << 30, "of a segment", false},
	ArchiveStep:     {"archive-step", 4 << 10, 1 << 10, 1 << 20, "of a step of the archive", false},
	ArchiveFlush:    {"archive-flush", 2 << 10, 256, 1 << 20, "in memory until written", false},

	RateOfClients:  {"rate", 50, 1, 100_000, "operations a second of all clients", false},
	BurstPercent:   {"burst", 100, 1, 100, "percent of the time in which clients work", false},
	Lanes:          {"lanes", 0, 0, 1000, "clients besides, without watches and leases", false},
	Keys:           {"keys", 12, 1, 100_000, "that clients share", false},
	HotPercent:     {"hot", 0, 0, 100, "percent of operations that go to one key", false},
	ValueBytes:     {"value-bytes", 0, 0, 1 << 20, "of the largest values; 0: small ones", false},
	Preload:        {"preload", 0, 0, 100_000, "keys that are written first", false},
	ClientPatience: {"patience", 2 * s, ms, 600 * s, "until a client gives up", true},
}

// KnobInfos describes every knob, in order.
func KnobInfos() []KnobInfo { return append([]KnobInfo(nil), knobInfos[:]...) }

// Surroundings are the values of all knobs.
type Surroundings [knobEnd]int64

// PlainSurroundings are the defaults: one rack, etcd's time-outs, a few clients, and small bounds,
// so that a short run sees many segments, checkpoints, merges and snapshots.
func PlainSurroundings() (values Surroundings) {
	for k := range values {
		values[k] = knobInfos[k].Default
	}
	return values
}

func (v *Surroundings) duration(k Knob) time.Duration { return time.Duration(v[k]) }

// String writes the knobs that are not at their defaults, as parseSurroundings reads them: empty
// when all are.
func (v Surroundings) String() string {
	var words []string
	for k, info := range knobInfos {
		switch {
		case v[k] == info.Default:
		case info.isDuration:
			words = append(words, fmt.Sprintf("%s=%v", info.Name, time.Duration(v[k])))
		default:
			words = append(words, fmt.Sprintf("%s=%d", info.Name, v[k]))
		}
	}
	return strings.Join(words, " ")
}

// ParseSurroundings reads words of the form name=value; what is not named keeps its default, and
// the word plain alone names nothing. An error names the word and the range.
func ParseSurroundings(text string) (Surroundings, error) {
	values := PlainSurroundings()
	if text == "plain" {
		return values, nil
	}
	for word := range strings.FieldsSeq(text) {
		name, value, _ := strings.Cut(word, "=")
		k := knobNamed(name)
		if k == knobEnd {
			return values, fmt.Errorf("%q: there is no %q in the world", word, name)
		}
		n, err := knobInfos[k].parse(value)
		if err != nil {
			return values, fmt.Errorf("%q: %w", word, err)
		}
		values[k] = n
	}
	return values, values.check()
}

func knobNamed(name string) Knob {
	for k, info := range knobInfos {
		if info.Name == name {
			return Knob(k)
		}
	}
	return knobEnd
}

func (info *KnobInfo) parse(value string) (n int64, err error) {
	if info.isDuration {
		var d time.Duration
		d, err = time.ParseDuration(value)
		n = int64(d)
	} else {
		n, err = strconv.ParseInt(value, 10, 64)
	}
	if err == nil && (n < info.Low || n > info.High) {
		err = fmt.Errorf("want %s to %s", info.text(info.Low), info.text(info.High))
	}
	return n, err
}

func (info *KnobInfo) text(n int64) string {
	if info.isDuration {
		return time.Duration(n).String()
	}
	return strconv.FormatInt(n, 10)
}

// check refuses what no cluster can be configured to.
func (v *Surroundings) check() error {
	if v[ElectionTicks] <= v[HeartbeatTicks] {
		return fmt.Errorf("election-ticks=%d: want more than heartbeat-ticks=%d",
			v[ElectionTicks], v[HeartbeatTicks])
	}
	return nil
}
