// Package gateway serves HTTP for one member: what people, probes and scrapers ask it with curl,
// and etcd's v3 services as JSON.
//
// # The problem
//
// Not everyone speaks gRPC. A load balancer asks whether the member is healthy, Kubernetes whether
// it is alive or ready, Prometheus for numbers, a shell script for a key. etcd answers all of them
// on the port of its clients, and each answer (the text, the status, what counts as healthy) is
// relied on by somebody's alert.
//
// # The picture
//
//	          access.go: is the Host welcome, which origins may read, OPTIONS
//	              │
//	/v3/…  ───────┼──► json.go ── gRPC, by way of memory ──► kv/rpc
//	/health       ├──► health.go ──┐
//	/livez        ├──► checks.go ──┼──► rpc.Node: Status, View, Barrier
//	/readyz       │                │
//	/version      ├──► version.go ─┘
//	/metrics      └──► metrics.go: what kv/server collects
//
// # An example
//
//	$ curl localhost:2379/readyz?verbose
//	[+]data_corruption ok
//	[+]serializable_read ok
//	[+]linearizable_read ok
//	[+]non_learner ok
//	ok
//
// A member that has lost its quorum answers /livez with ok (to restart it would not help), and
// /readyz and /health with 503.
//
// # What it does not do
//
// It opens no listener and decides nothing about TLS (kv/server does). A request in JSON has no
// rights of its own: it passes the same gate as any request of gRPC.
package gateway
