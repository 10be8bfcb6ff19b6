package bench

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Workload names the kind of request that is sent.
type Workload string

// The workloads.
const (
	// Put writes a value to a key.
	Put Workload = "put"
	// Range reads one key, or as many as Span says.
	Range Workload = "range"
	// Txn reads a key in every second transaction and writes it in the others, if it exists.
	Txn Workload = "txn"
	// Grant makes leases.
	Grant Workload = "grant"
	// KeepAlive renews leases, on one stream a connection.
	KeepAlive Workload = "keep-alive"
	// Watch counts events: a put is one operation for each watcher that is told of it.
	Watch Workload = "watch"
	// STM moves an amount between two keys in software transactional memory, as clients do it.
	STM Workload = "stm"
	// Empty asks for the status with an empty request: on a floor server, what a call itself costs.
	Empty Workload = "empty"
)

// workloads are all of them, in the order in which they are listed.
func workloads() []Workload {
	return []Workload{Put, Range, Txn, Grant, KeepAlive, Watch, STM, Empty}
}

// Transport names the client that carries the requests.
type Transport string

// The transports.
const (
	// Wire is HTTP/2 written and read by this package: the cheapest client.
	Wire Transport = "wire"
	// GRPC is the ordinary stub of gRPC.
	GRPC Transport = "grpc"
)

// Options says what to measure. The zero values of numbers mean the defaults that are named.
//
// Many fields: they are the flags of the command, and each changes what is measured.
type Options struct {
	Endpoints []string // host:port; connections are spread over them in turn
	Workload  Workload
	Transport Transport // Wire

	Clients      int  // requests under way at once; 1
	Connections  int  // TCP connections that the clients share; 1, at most Clients
	KeySize      int  // bytes; 8
	ValueSize    int  // bytes; 0 is an empty value
	Keys         int  // distinct keys; 100,000
	Sequential   bool // keys in order instead of at random
	Serializable bool // reads from the member asked, without asking the others
	SkipLoad     bool // Range: the keys are there already
	Span         int  // Range: keys that one request reads; 1
	Watchers     int  // Watch: of all connections, spread over the keys; 1

	Total    int64         // operations; or
	Duration time.Duration // how long to send; exactly one of both
	WarmUp   time.Duration // load before the measurement
	Rate     float64       // operations a second over all clients; 0 is as fast as answers come
	Seed     uint64        // of keys and values

	PIDs     []int          // server processes whose use of the machine is read
	Progress func(Progress) // called several times a second, from one goroutine; may be nil

	epoch time.Time // of the times in values; set when a run begins
}

// Progress is how far a run is.
type Progress struct {
	Phase      string        // load, warm-up or measure
	Elapsed    time.Duration // since the phase began
	Operations int64         // done in this phase
	PerSecond  float64       // since the last call
	Fraction   float64       // of the phase; 0..1
}

// ErrOptions is wrapped by every error about an option.
var ErrOptions = errors.New("bench: bad option")

// normalize fills in the defaults and returns what cannot be run.
func (o *Options) normalize() error {
	if min(o.Clients, o.Connections, o.Span, o.Watchers) < 0 {
		return fmt.Errorf("%w: clients, connections, spans and watchers must not be negative",
			ErrOptions)
	}
	o.Clients = max(o.Clients, 1)
	o.Connections = min(max(o.Connections, 1), o.Clients)
	if o.Transport == "" {
		o.Transport = Wire
	}
	if o.KeySize == 0 {
		o.KeySize = 8
	}
	if o.Keys == 0 {
		o.Keys = 100_000
	}
	o.Span = max(o.Span, 1)
	if o.Workload == STM {
		o.Transport = GRPC
	}
	o.epoch = time.Now()
	o.Watchers = max(o.Watchers, 1)
	return o.check()
}

// check returns what cannot be run.
func (o *Options) check() error {
	switch {
	case len(o.Endpoints) == 0:
		return fmt.Errorf("%w: no endpoint", ErrOptions)
	case !slices.Contains(workloads(), o.Workload):
		return fmt.Errorf("%w: workload %q is none of %v", ErrOptions, o.Workload, workloads())
	case o.Transport != Wire && o.Transport != GRPC:
		return fmt.Errorf("%w: transport %q is none of wire, grpc", ErrOptions, o.Transport)
	case o.KeySize < 1 || o.ValueSize < 0 || o.Keys < 1 || o.Rate < 0:
		return fmt.Errorf("%w: sizes, keys and rate must not be negative", ErrOptions)
	case len(fmt.Sprint(o.Keys-1+min(o.Span-1, 1))) > o.KeySize:
		return fmt.Errorf("%w: %d keys need more than %d bytes each", ErrOptions, o.Keys, o.KeySize)
	case o.Span > o.Keys:
		return fmt.Errorf("%w: a range of %d of %d keys", ErrOptions, o.Span, o.Keys)
	case o.Workload == Watch && o.Watchers%o.Keys != 0:
		return fmt.Errorf("%w: %d watchers cannot be shared by %d keys", ErrOptions, o.Watchers, o.Keys)
	case o.Workload == KeepAlive && (o.Rate > 0 || o.Transport == GRPC):
		return fmt.Errorf("%w: keep-alives have no rate and go by wire", ErrOptions)
	case o.Workload == Watch && o.ValueSize < stampSize:
		return fmt.Errorf("%w: events tell their time in %d bytes of value", ErrOptions, stampSize)
	case (o.Total > 0) == (o.Duration > 0):
		return fmt.Errorf("%w: give either a total or a duration", ErrOptions)
	}
	return nil
}
