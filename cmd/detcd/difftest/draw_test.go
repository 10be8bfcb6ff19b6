package difftest

import (
	"math"
	"strings"

	"pgregory.net/rapid"
)

// A moment is what a draw needs to know of a session: which revisions are interesting.
type moment struct {
	now  int64 // revision of both stores
	base int64 // revision at which the session began
}

// pick draws one of the choices; the first is the simplest. A choice that is named twice comes
// twice as often.
func pick[T any](t *rapid.T, label string, choices ...T) T {
	return rapid.SampledFrom(choices).Draw(t, label)
}

// seldom draws true in one of n cases.
func seldom(t *rapid.T, label string, n int) bool {
	return rapid.IntRange(0, n-1).Draw(t, label) == n-1
}

// keys are few, so that requests meet, and stand close together in byte order.
func keys() []string {
	return []string{"a", "b", "c", "d", "e", "a/1", "a/2", "b/1", "a\x00", "\x00", "\xff", "\xff\xff",
		"/deep/and/long/" + strings.Repeat("x", 200)}
}

// drawKey draws a key, seldom the empty one, which is refused.
func drawKey(t *rapid.T) []byte {
	if seldom(t, "no key", 40) {
		return nil
	}
	return []byte(pick(t, "key", keys()...))
}

// drawEnd draws the end of a range: none, of a prefix, open, or just a key, before the first or
// not.
func drawEnd(t *rapid.T, key []byte) []byte {
	switch pick(t, "range", "one key", "one key", "prefix", "open", "to a key", "all") {
	case "prefix":
		return prefixEnd(key)
	case "open", "all":
		return []byte{0}
	case "to a key":
		return []byte(pick(t, "end", keys()...))
	}
	return nil
}

// prefixEnd returns the first key behind all those with a prefix.
func prefixEnd(prefix []byte) []byte {
	end := []byte(strings.TrimRight(string(prefix), "\xff"))
	if len(end) == 0 {
		return []byte{0}
	}
	end[len(end)-1]++
	return end
}

// drawRange draws a key and an end; now and then the two that mean everything.
func drawRange(t *rapid.T) (key, end []byte) {
	if seldom(t, "everything", 6) {
		return []byte{0}, []byte{0}
	}
	key = drawKey(t)
	return key, drawEnd(t, key)
}

// drawValue draws a value; seldom one that makes a request or an answer large.
func drawValue(t *rapid.T) []byte {
	switch pick(t, "value", "small", "small", "small", "small", "empty", "number", "number", "large") {
	case "empty":
		return nil
	case "number":
		return []byte(pick(t, "number", "1", "2", "10", "\x00\x01", "\xfe\xff"))
	case "large":
		return []byte(strings.Repeat("v", pick(t, "size", 1000, 3000, 6000, requestBytesMax+500)))
	}
	return []byte(pick(t, "small value", "v", "w", "x"))
}

// drawRevision draws a revision to read at: mostly none, else around the present, the past that may
// be compacted, and the impossible.
func drawRevision(t *rapid.T, at moment) int64 {
	switch pick(t, "revision", "none", "none", "recent", "recent", "past", "future", "odd") {
	case "recent":
		return at.now - rapid.Int64Range(0, 4).Draw(t, "back")
	case "past":
		return at.base + rapid.Int64Range(-1, max(0, at.now-at.base)).Draw(t, "after base")
	case "future":
		return at.now + rapid.Int64Range(1, 3).Draw(t, "ahead")
	case "odd":
		return pick[int64](t, "odd revision", 1, -1, math.MaxInt64, math.MinInt64)
	}
	return 0
}

// drawNumber draws what a counter of a key (version, revision) may be compared with.
func drawNumber(t *rapid.T, label string, at moment) int64 {
	switch pick(t, label, "zero", "small", "small", "revision", "odd") {
	case "small":
		return rapid.Int64Range(1, 4).Draw(t, label+" small")
	case "revision":
		return at.now - rapid.Int64Range(-1, 8).Draw(t, label+" back")
	case "odd":
		return pick[int64](t, label+" odd", -1, math.MaxInt64, math.MinInt64)
	}
	return 0
}

// drawLease draws a lease to name; few, so that they exist now and then.
func drawLease(t *rapid.T) int64 {
	return pick[int64](t, "lease", 1, 2, 3, 1, 2, 3, -4, math.MaxInt64, 99)
}
