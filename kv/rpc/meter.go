package rpc

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"detcd/kv"
)

// A Meter counts what clients ask and what they get, by method. The zero Meter is ready.
type Meter struct {
	methods sync.Map // by full name, to *methodMeter
	watches atomic.Int64
	behind  atomic.Int64 // watches
	pending atomic.Int64 // events
	events  atomic.Uint64
	timed   bool
	clients clients
	took    Measures
}

// Measures are how long things took. The Clocks go on.
type Measures struct {
	Hash, HashRev Clock    // hashes of the present, and of a revision; on the HashScale
	ReadOnly      [2]Clock // transactions that only read and failed, and those that did not

	// What was sent to watches, on the QuickScale: responses with events, the same by event,
	// responses that say that a watch was created or cancelled, and how far it is.
	Events, Event, Control, Progress Clock
}

// Measures returns what is measured. It is the Meter's own.
func (m *Meter) Measures() *Measures { return &m.took }

// Time makes the Meter measure how long requests take, too. It must be called before the first one.
func (m *Meter) Time() { m.timed = true }

// Traffic is what a Meter has counted.
type Traffic struct {
	Methods []MethodTraffic // that are served, in the order of their names
	Watches int64           // there are now
	Behind  int64           // of them, that catch up with history
	Pending int64           // events that were read for watches and not sent yet
	Streams int64           // of watches, there are now
	Events  uint64          // sent to watches
}

// MethodTraffic is what was counted of one method.
type MethodTraffic struct {
	Service, Method string // as in "etcdserverpb.KV", "Range"
	Type            string // "unary", "server_stream", "client_stream", "bidi_stream"
	Started         uint64
	Received, Sent  uint64 // messages
	Handled         map[codes.Code]uint64
	Durations       *Durations // nil: they are not measured
	Requests        *[2]Clock  // that failed, that did not; on the QuickScale; not of streams
}

// Durations tell how often something took how long.
type Durations struct {
	Upto []uint64 // by limit of DurationLimits: how often it took at most that
	Sum  time.Duration
}

// DurationLimits are those of Prometheus, in seconds.
func DurationLimits() []float64 {
	return []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
}

// methodMeter is the MethodTraffic that goes on.
type methodMeter struct {
	kind                    string
	durations               [durationLimits]atomic.Uint64
	nanoseconds             atomic.Int64
	started, received, sent atomic.Uint64
	handled                 [codes.Unauthenticated + 1]atomic.Uint64
	requests                [2]Clock
}

// durationLimits is how many DurationLimits there are.
const durationLimits = 11

// ran counts how long a request took.
func (m *methodMeter) ran(took time.Duration) {
	m.nanoseconds.Add(int64(took))
	for i, limit := range DurationLimits() {
		if took.Seconds() <= limit {
			m.durations[i].Add(1)
			return
		}
	}
}

// measured is what ran has counted.
func (m *methodMeter) measured() *Durations {
	d := &Durations{Upto: make([]uint64, durationLimits), Sum: time.Duration(m.nanoseconds.Load())}
	sum := uint64(0)
	for i := range m.durations {
		sum += m.durations[i].Load()
		d.Upto[i] = sum
	}
	return d
}

// of finds the counters of a method.
func (m *Meter) of(method, kind string) *methodMeter {
	if found, ok := m.methods.Load(method); ok {
		return found.(*methodMeter)
	}
	made, _ := m.methods.LoadOrStore(method, &methodMeter{kind: kind})
	return made.(*methodMeter)
}

func (m *methodMeter) ended(err error) {
	m.handled[min(status.Code(err), codes.Unauthenticated)].Add(1)
}

// unary counts around an interceptor.
func (m *Meter) unary(next grpc.UnaryServerInterceptor) grpc.UnaryServerInterceptor {
	return func(
		ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler,
	) (any, error) {
		method := m.of(info.FullMethod, "unary")
		method.started.Add(1)
		method.received.Add(1)
		begun := time.Now()
		response, err := next(ctx, request, info, handle)
		took := time.Since(begun)
		if m.timed {
			method.ran(took)
		}
		requests := &method.requests
		if txn, ok := request.(*pb.TxnRequest); ok && kv.ReadOnly(txn) {
			requests = &m.took.ReadOnly
		}
		requests[success(err)].Add(QuickScale, took)
		if err == nil {
			method.sent.Add(1)
		}
		method.ended(err)
		return response, err
	}
}

// stream counts around an interceptor.
func (m *Meter) stream(next grpc.StreamServerInterceptor) grpc.StreamServerInterceptor {
	return func(
		service any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler,
	) error {
		method := m.of(info.FullMethod, kindOf(info))
		method.started.Add(1)
		if m.timed {
			defer func(begun time.Time) { method.ran(time.Since(begun)) }(time.Now())
		}
		err := next(service, &metered{stream, method}, info, handle)
		method.ended(err)
		return err
	}
}

// kindOf is what Prometheus calls a kind of stream.
func kindOf(info *grpc.StreamServerInfo) string {
	switch {
	case info.IsClientStream && info.IsServerStream:
		return "bidi_stream"
	case info.IsClientStream:
		return "client_stream"
	}
	return "server_stream"
}

// A metered stream counts its messages.
type metered struct {
	grpc.ServerStream
	method *methodMeter
}

// SendMsg counts what was sent.
func (m *metered) SendMsg(message any) error {
	err := m.ServerStream.SendMsg(message)
	if err == nil {
		m.method.sent.Add(1)
	}
	return err
}

// RecvMsg counts what was received.
func (m *metered) RecvMsg(message any) error {
	err := m.ServerStream.RecvMsg(message)
	if err == nil {
		m.method.received.Add(1)
	}
	return err
}

// expect makes the Meter tell of methods that were not called yet, too: who divides by their
// numbers needs all of them.
func (m *Meter) expect(services map[string]grpc.ServiceInfo) {
	for service, info := range services {
		if strings.HasPrefix(service, "grpc.reflection.") {
			continue
		}
		for _, method := range info.Methods {
			kind := "unary"
			if method.IsClientStream || method.IsServerStream {
				kind = kindOf(&grpc.StreamServerInfo{
					IsClientStream: method.IsClientStream, IsServerStream: method.IsServerStream,
				})
			}
			m.of("/"+service+"/"+method.Name, kind)
		}
	}
}

// sending measures how long it takes to send a response to a watch.
func (m *Meter) sending(r *pb.WatchResponse, send func(*pb.WatchResponse) error) error {
	events := int64(len(r.Events))
	m.pending.Add(events)
	begun := time.Now()
	err := send(r)
	took := time.Since(begun)
	m.pending.Add(-events)
	switch {
	case r.Created || r.Canceled:
		m.took.Control.Add(QuickScale, took)
	case events == 0:
		m.took.Progress.Add(QuickScale, took)
	default:
		m.took.Events.Add(QuickScale, took)
		m.took.Event.Add(QuickScale, took/time.Duration(events))
	}
	return err
}

// hashed measures a hash that was begun then.
func (m *Meter) hashed(clock *Clock, begun time.Time) { clock.Add(HashScale, time.Since(begun)) }

// waiting counts what the watches of a stream wait for now, and no more for what they did before.
func (m *Meter) waiting(before, now waiting) {
	m.behind.Add(int64(now.watches - before.watches))
	m.pending.Add(int64(now.events - before.events))
}

// waiting is how many watches of a stream are behind, and how many events are gathered for them.
type waiting struct{ watches, events int }

// saw counts what a response means to the number of watches of its stream.
func (m *Meter) saw(r *pb.WatchResponse, watches *int64) {
	change := int64(0)
	if r.Created {
		change++
	}
	if r.Canceled {
		change--
	}
	*watches += change
	m.watches.Add(change)
	m.events.Add(uint64(len(r.Events)))
}

// Traffic returns what was counted.
func (m *Meter) Traffic() Traffic {
	t := Traffic{Watches: m.watches.Load(), Events: m.events.Load(), Behind: m.behind.Load(),
		Pending: m.pending.Load()}
	m.methods.Range(func(name, value any) bool {
		counted := value.(*methodMeter)
		service, method, _ := strings.Cut(strings.TrimPrefix(name.(string), "/"), "/")
		one := MethodTraffic{
			Service: service, Method: method, Type: counted.kind,
			Received: counted.received.Load(), Sent: counted.sent.Load(),
			Handled: make(map[codes.Code]uint64),
		}
		ended := uint64(0)
		for code := range counted.handled {
			n := counted.handled[code].Load()
			one.Handled[codes.Code(code)] = n
			ended += n
		}
		if counted.kind == "unary" {
			one.Requests = &counted.requests
		}
		if m.timed {
			one.Durations = counted.measured()
		}
		one.Started = counted.started.Load() // after those that ended: they are among them
		if name == pb.Watch_Watch_FullMethodName {
			t.Streams = int64(one.Started - ended)
		}
		t.Methods = append(t.Methods, one)
		return true
	})
	slices.SortFunc(t.Methods, func(a, b MethodTraffic) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Method, b.Method))
	})
	return t
}
