package rpc

import (
	"cmp"
	"math"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	_ "google.golang.org/grpc/encoding/gzip" // a client may compress what it sends
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	"detcd/kv"
)

// What etcd does unless it is told otherwise (server/v3/embed/config.go).
const (
	requestBytesMax  = 3 << 19
	txnOpsMax        = 128
	electionTimeout  = time.Second
	progressInterval = 10 * time.Minute

	keepaliveMinTime  = 5 * time.Second
	keepaliveInterval = 2 * time.Hour
	keepaliveTimeout  = 20 * time.Second
)

const (
	// progressIntervalMin is the shortest interval that etcd lets an operator choose.
	progressIntervalMin = 100 * time.Millisecond
	// overheadBytes is by how much a gRPC message may exceed what a command may have, so that a
	// request which is somewhat too large gets etcd's error and not gRPC's.
	overheadBytes = 512 << 10
	// concurrentStreamsMax bounds what one connection asks at a time, where the operator does not. At
	// the bound a client of HTTP/2 waits.
	concurrentStreamsMax = 65_536
	// streamWorkers is how many goroutines wait for requests, with stacks that have grown already. A
	// new goroutine for each request was measured to cost 10% of the CPU of a put and its client.
	// When all are busy or serve streams, the next request gets a new one.
	streamWorkers = 128
)

// Options are the settings of the services. A zero means what etcd does by default.
type Options struct {
	Limits           kv.Limits
	Bounds           Bounds
	ElectionTimeout  time.Duration // of the cluster; the time limit of a request derives from it
	ProgressInterval time.Duration // between progress notifications of a watch

	Auth      *Auth      // how users are known; nil: by simple tokens, unknown to its store
	Meter     *Meter     // counts; nil: nobody will ask it
	Slow      *Slow      // tells of what takes long; nil: nobody does
	Incidents *Incidents // tells of refusals and damage; nil: nobody does
	Recipes   *Recipes   // Lock and Election; nil: they are not served

	ConcurrentStreamsMax uint32        // on one connection; math.MaxUint32: as many as it can
	KeepaliveMinTime     time.Duration // a client that pings more often is disconnected
	KeepaliveInterval    time.Duration // a silent client is pinged after it; negative: never
	KeepaliveTimeout     time.Duration // and disconnected when it does not answer within it
}

func (o Options) withDefaults() Options {
	o.Limits.RequestBytesMax = cmp.Or(o.Limits.RequestBytesMax, requestBytesMax)
	o.Limits.TxnOpsMax = cmp.Or(o.Limits.TxnOpsMax, txnOpsMax)
	o.ElectionTimeout = cmp.Or(o.ElectionTimeout, electionTimeout)
	leaseMin := (o.ElectionTimeout*3/2 + time.Second - 1) / time.Second
	o.Limits.LeaseTTLMin = cmp.Or(o.Limits.LeaseTTLMin, int64(leaseMin))
	o.ProgressInterval = max(cmp.Or(o.ProgressInterval, progressInterval), progressIntervalMin)
	o.Bounds = o.Bounds.withDefaults()
	if o.ConcurrentStreamsMax == 0 || o.ConcurrentStreamsMax == math.MaxUint32 {
		o.ConcurrentStreamsMax = concurrentStreamsMax
	}
	if o.Meter == nil {
		o.Meter = new(Meter)
	}
	if o.Auth == nil {
		o.Auth, _ = NewAuth(AuthOptions{Token: TokenSimple}) // nothing can be wrong with them
	}
	o.KeepaliveMinTime = cmp.Or(o.KeepaliveMinTime, keepaliveMinTime)
	o.KeepaliveInterval = cmp.Or(o.KeepaliveInterval, keepaliveInterval)
	o.KeepaliveTimeout = cmp.Or(o.KeepaliveTimeout, keepaliveTimeout)
	return o
}

// messageBytesMax is the largest message that a client may send.
func (o Options) messageBytesMax() int { return o.Limits.RequestBytesMax + overheadBytes }

// ServerOptions are what a gRPC server must be made with to serve node as etcd would.
func ServerOptions(node Node, options Options) []grpc.ServerOption {
	options = options.withDefaults()
	c := newCarrier(node, options)
	gate := newGate(node, options)
	all := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(options.messageBytesMax()),
		grpc.MaxSendMsgSize(math.MaxInt32),
		grpc.MaxConcurrentStreams(options.ConcurrentStreamsMax),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{
			MinTime: options.KeepaliveMinTime,
		}),
		grpc.NumStreamWorkers(streamWorkers),
		grpc.ChainUnaryInterceptor(options.Slow.unary(options.Meter.unary(c.observed(gate.unary)))),
		grpc.ChainStreamInterceptor(options.Meter.stream(c.observedStream(gate.stream))),
	}
	if options.KeepaliveInterval > 0 {
		all = append(all, grpc.KeepaliveParams(keepalive.ServerParameters{
			Time:    options.KeepaliveInterval,
			Timeout: options.KeepaliveTimeout,
		}))
	}
	return all
}

// Register adds the services to a server, which was made with ServerOptions of the same arguments.
// A method that no file here serves answers codes.Unimplemented and its name.
func Register(server reflection.GRPCServer, node Node, options Options) {
	options = options.withDefaults()
	c := newCarrier(node, options)
	pb.RegisterKVServer(server, &kvService{carrier: c})
	pb.RegisterWatchServer(server, newWatchService(c, options))
	pb.RegisterLeaseServer(server, &leaseService{carrier: c})
	pb.RegisterClusterServer(server, &clusterService{carrier: c})
	pb.RegisterMaintenanceServer(server, &maintenanceService{carrier: c, meter: options.Meter})
	pb.RegisterAuthServer(server, &authService{carrier: c})
	if options.Recipes != nil {
		options.Recipes.register(server)
	}
	reflect(server, options.Recipes)
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	options.Meter.expect(server.GetServiceInfo())
}
