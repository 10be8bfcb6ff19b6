// Package bench measures any etcd endpoint: how many operations a second, how long each takes, and
// how much processor time the servers spend on one.
//
// # Problem
//
// Client and servers share the processors of one machine. A load generator that costs as much as
// the server it measures halves every difference: with 40 µs of client and 64 µs of server for a
// put, a server that costs nothing at all would look only 2.6 times as fast. So the client must
// be cheap, the server's own time must be read apart, and two systems must be compared in the
// same run, in turn, because the machine drifts.
//
// # Picture
//
//	Run ── connection 1 ── slots: each sends a request, waits for its answer, sends the next
//	    ├─ connection 2 ── ...            (closed loop; with a rate: at fixed times)
//	    ├─ ...
//	    └─ audience: streams of watchers, whose events are the operations
//	         │ latencies                      /proc/<pid>: processor time, memory, bytes written
//	         ▼                                /metrics: syncs    │
//	    HDR histogram ───────────────► Report ◄──────────────────┘
//	                                     │ of many rounds, cases and both systems
//	                                     ▼
//	                                 Comparison ──► text, JSON, Markdown, a page with plots
//
// Some cases are more than a load: a Measurement stops and starts members, disturbs them, or runs
// several loads, and reports figures of its own.
//
// There are two transports. The wire transport speaks HTTP/2 itself: one goroutine for a
// connection and all of its clients, so that requests and answers travel in batches. It costs a
// tenth of what a gRPC client costs. The grpc transport uses the ordinary stubs and shows what
// such a client sees.
//
// # Example
//
//	report, err := bench.Run(ctx, bench.Options{
//		Endpoints: []string{"127.0.0.1:2379"},
//		Workload:  bench.Put,
//		Clients:   100, Connections: 10,
//		KeySize: 8, ValueSize: 256, Keys: 100_000,
//		Duration: 5 * time.Second, WarmUp: time.Second,
//	})
//	fmt.Println(report)
//
// # Invariants
//
//  1. An operation is counted when its answer was read and says that it succeeded; what was sent
//     and not answered is waited for, and the elapsed time ends with the last answer.
//  2. With a rate, a latency is counted from the time at which the operation should have been sent,
//     so that a server that stalls cannot hide behind a client that waits (coordinated omission).
//  3. Both systems of a comparison get the same workload from the same client, each on a cluster
//     that is made for it.
//
// # What it does not do
//
// It starts no servers but that of empty calls, and checks no history: a wrong answer is found only
// as far as a missing or a short value. The wire transport has no TLS.
package bench
