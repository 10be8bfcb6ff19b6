package rpc

import (
	"time"

	"google.golang.org/grpc"
)

// Options are the settings of the services. Zero values mean etcd's defaults.
type Options struct {
	RequestBytesMax  int           // largest command: 1.5 MiB
	TxnOpsMax        int           // operations in a transaction: 128
	ElectionTimeout  time.Duration // of the cluster, for the time limits that derive from it: 1 s
	ProgressInterval time.Duration // between progress notifications of a watch: 10 min, at least 100 ms

	ConcurrentStreamsMax uint32        // of one connection: no limit
	KeepaliveMinTime     time.Duration // a client that pings more often is disconnected: 5 s
	KeepaliveInterval    time.Duration // a silent client is pinged after it: 2 h; negative: never
	KeepaliveTimeout     time.Duration // and disconnected when it does not answer in it: 20 s
}

// ServerOptions are what a gRPC server must be made with to serve node as etcd would.
func ServerOptions(node Node, options Options) []grpc.ServerOption {
	panic("not written yet")
}

// Register adds every service to a server that was made with ServerOptions of the same arguments.
func Register(server *grpc.Server, node Node, options Options) {
	panic("not written yet")
}
