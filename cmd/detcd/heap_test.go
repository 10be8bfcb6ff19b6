package main

import (
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
)

func TestASmallHeapIsNotCollectedAllTheTime(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(math.MaxInt64))
	reserve := reserveHeap()
	runtime.GC()
	goal := []metrics.Sample{{Name: "/gc/heap/goal:bytes"}, {Name: "/gc/gogc:percent"}}
	metrics.Read(goal)
	if got := goal[0].Value.Uint64(); goal[1].Value.Uint64() == 100 && got < 2*heapReserve {
		t.Errorf("it is collected at %d bytes", got)
	}
	runtime.KeepAlive(reserve)
	debug.SetMemoryLimit(1 << 30)
	if reserveHeap() != nil {
		t.Error("a limit of the memory is shared with a reserve")
	}
}
