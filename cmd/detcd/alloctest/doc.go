// Package alloctest guards what the hot paths allocate.
//
// # Problem
//
// A put that allocates twice as often is slower, and no test sees it: times differ from run to run
// by more than that. Counts of allocations do not.
//
// # How
//
// Each path runs some thousand times on one processor, and the allocations are counted, also those
// that happen once in a hundred turns. The count may not be above the one in baseline.txt by more
// than half an allocation, or two in a hundred where there are many.
//
//	go test ./cmd/detcd/alloctest            # is every path within its baseline?
//	go test ./cmd/detcd/alloctest -update    # writes the baseline; the diff is the price or the gain
//	go test ./cmd/detcd/alloctest -run '^$' -bench . -benchmem -cpuprofile cpu.out
//
// # The paths
//
//	rpc/put      ── kv/rpc ── kv ── replica of one member ── log in memory ── mvcc ── answer
//	rpc/range    ── kv/rpc ── kv ── view
//	replica/put, /100     replica, proposed until applied, log in memory; one put and a hundred
//	kv/apply                          one put in the state machine
//	kv/range/1, /100                  of a view
//	watch/1, /100                     one put, told to so many watchers of a stream
//	wal/append            one batch of 16 records
//
// # What it does not do
//
// gRPC's own allocations, and those of goroutines that hand requests over in consensus/node, are
// not in it: they depend on what happens at the same time.
package alloctest
