package wal

// Recovery reads batches until it meets something that is not the next batch. What that is, and
// what stands behind it, decides whether the log ends there, goes on in the next segment, has a
// torn batch, or is damaged. The three things it looks at are bits, so that a row can name
// several.

// here is what stands where the next batch of a segment would begin.
type here uint8

const (
	blank  here = 1 << iota // nothing but zeros, up to the end of the segment
	broken                  // something, but no valid batch
	alien                   // a valid batch header that does not continue the log
	allHere
)

// behind says whether something was written after what stands here: a valid batch header stands
// further on in the segment, or anything behind the end of a batch whose header is valid.
type behind uint8

const (
	nothing behind = 1 << iota
	written
	allBehind
)

// beyond is the segment after this one.
type beyond uint8

const (
	none    beyond = 1 << iota // there is none
	spare                      // it is all zeros: made in advance, not yet begun
	smeared                    // not begun: without a valid header, nor a batch after the first
	begun                      // its header is not valid, but it or another one after it was in use
	follows                    // its header continues the log from here
	strays                     // its header is valid but does not
	allBeyond
)

// A verdict is what recovery makes of the place where the batches of a segment end.
type verdict int

const (
	theEnd      verdict = iota // the log ends here
	onward                     // it goes on in the next segment
	cutHere                    // a torn batch ends the log: cut it
	cutNext                    // the same, it was to be the first of the next segment
	damagedHere                // synced bytes of this segment are not what was written
	damagedNext                // the same of the next segment
)

type row struct {
	here    here
	behind  behind
	beyond  beyond
	verdict verdict
	reason  string
}

// The table rests on three facts. A batch is written only after the batch before it was synced: so
// what stands behind a bad batch proves that the bad one was whole once. A segment is blank before
// it is used: so nothing that is not zero is there by chance. And the header of a segment is
// written together with its first batch: so a bad one proves nothing by itself.
func table() []row {
	return []row{
		{blank, nothing, none | spare, theEnd, "the log ends"},
		{blank, nothing, follows, onward, "the next segment continues the log"},
		{blank, nothing, smeared, cutNext, "the first batch of a segment was torn"},
		{broken, nothing, none | spare, cutHere, "the batch was torn"},

		{alien, nothing | written, anyBeyond, damagedHere,
			"the batch does not continue the log"},
		{blank | broken, written, anyBeyond, damagedHere,
			"the batch is not what was written, for another one was written behind it"},
		{broken, nothing, smeared | begun | follows | strays, damagedHere,
			"the batch is not what was written, for the next segment was begun behind it"},
		{blank, nothing, strays, damagedHere,
			"the next segment does not continue the log: batches are missing"},
		{blank, nothing, begun, damagedNext,
			"the header of the segment is not what was written, for batches were written behind it"},
	}
}

const anyBeyond = allBeyond - 1

// decide finds the one row for what was found.
func decide(h here, b behind, n beyond) row {
	for _, row := range table() {
		if row.here&h != 0 && row.behind&b != 0 && row.beyond&n != 0 {
			return row
		}
	}
	panic("wal: the table of recovery has no row for this")
}
