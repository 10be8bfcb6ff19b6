package main

import (
	"math"
	"runtime/debug"
)

// heapReserve is counted as living by the collector and never touched, so it takes no memory but
// lets the heap grow by as much again before it is collected (decision 0511).
const heapReserve = 32 << 20

// reserveHeap returns what must be kept alive for as long as the reserve is to count. Where a limit
// of the memory was set (GOMEMLIMIT) there is none: it would be counted there, too.
func reserveHeap() []byte {
	if debug.SetMemoryLimit(-1) != math.MaxInt64 {
		return nil
	}
	return make([]byte, heapReserve)
}
