package kv

import (
	"encoding/binary"
	"math/bits"
)

// digest is a running hash of all that was done to a store. Two members that have applied the same
// commands have the same digest; when they have not, or one of them did something else, it differs
// with a probability of 1 - 2^-64 from then on. It is no defence against an adversary.
type digest uint64

// word folds a number in: the two halves of a 128-bit product, as wyhash does it.
func (d *digest) word(x uint64) {
	const odd = 0x9e3779b97f4a7c15
	high, low := bits.Mul64(bits.RotateLeft64(uint64(*d), 23)^x^odd, odd|1<<63)
	*d = digest(high ^ low)
}

// bytes folds a string of bytes in, and its length.
func (d *digest) bytes(b []byte) {
	d.word(uint64(len(b)))
	for ; len(b) >= 8; b = b[8:] {
		d.word(binary.LittleEndian.Uint64(b))
	}
	var last uint64
	for i, x := range b {
		last |= uint64(x) << (8 * i)
	}
	d.word(last)
}
