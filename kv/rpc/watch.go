package rpc

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"detcd/kv/watch"
)

// gatheredBytesMax bounds what all streams together gather for watches that catch up, so that each
// gets it in one response. Beyond it the responses become smaller.
const gatheredBytesMax = 256 << 20

// A watchService is etcd's Watch service.
type watchService struct {
	*carrier
	pb.UnimplementedWatchServer
	options watch.Options
	bounds  Bounds
	meter   *Meter
	birth   time.Time // when the clock of all streams was at 0
	board   switchboard
}

func newWatchService(c *carrier, options Options) *watchService {
	return &watchService{
		carrier: c,
		bounds:  options.Bounds,
		meter:   options.Meter,
		birth:   time.Now(),
		board:   switchboard{history: c.history, changed: c.node.Changed},
		options: watch.Options{
			ProgressInterval: options.ProgressInterval,
			FragmentBytes:    options.messageBytesMax(),
			Budget:           watch.NewBudget(gatheredBytesMax),
		},
	}
}

// Watch serves a stream until the client leaves it. A client that has sent its last request goes on
// to get events.
func (s *watchService) Watch(stream pb.Watch_WatchServer) error {
	ctx := stream.Context()
	options := s.options
	// Clients that come back together, as after a restart, are not to be notified together, too.
	options.ProgressInterval += rand.N(options.ProgressInterval / 10)
	w := &watching{
		watchService: s,
		client:       stream,
		requests:     receive(ctx, stream.Recv),
		stream:       watch.NewStream(options),
		alarm:        time.NewTimer(0),
	}
	defer w.alarm.Stop()
	err := w.run(ctx)
	if errors.Is(ctx.Err(), context.Canceled) {
		return canceled(ctx, rpctypes.ErrGRPCWatchCanceled)
	}
	return err
}

// A watching is one stream that is served. Its memory is bounded however slowly the client reads:
// gRPC takes a response only when there is room for it, until then the stream goes no further, and
// its watches are no more than places in history.
type watching struct {
	*watchService
	client   pb.Watch_WatchServer
	requests <-chan received[*pb.WatchRequest] // nil: there are no more
	woken    *received[*pb.WatchRequest]       // was taken out of requests already
	stream   *watch.Stream
	alarm    *time.Timer
	watches  int64   // that the client knows of
	waiting  waiting // what the meter was told
}

// run goes from step to step while there is something to do, and sleeps until there is again.
func (w *watching) run(ctx context.Context) error {
	called, err := w.board.enter(ctx, w.stream)
	if err != nil {
		return err
	}
	defer func() {
		w.board.leave(w.stream)
		w.stream.Close()
		w.meter.watches.Add(-w.watches)
		w.meter.waiting(w.waiting, waiting{})
	}()
	for {
		more, err := w.step(ctx)
		if err != nil {
			return err
		}
		if err := w.send(); err != nil {
			return err
		}
		if more {
			continue
		}
		if next := w.stream.NextWake(); next != 0 {
			w.alarm.Reset(time.Duration(next) - time.Since(w.birth))
		}
		select {
		case r := <-w.requests:
			w.woken = &r
		case <-called:
		case <-w.alarm.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// step takes in the requests that are there and goes one step through history. It leaves the view
// behind: a client that does not read must not keep an old one alive.
func (w *watching) step(ctx context.Context) (more bool, err error) {
	for range requestsMax {
		r := w.nextRequest()
		if r == nil {
			break
		}
		if err := w.request(ctx, r); err != nil {
			return false, err
		}
	}
	w.board.sync(w.stream)
	view, err := w.history(ctx)
	if err != nil {
		return false, err
	}
	more, err = w.stream.Step(view, w.now())
	w.count()
	if err != nil {
		return false, w.failure(ctx, err, w.birth)
	}
	return more && ctx.Err() == nil, nil
}

// count tells the meter what waits now.
func (w *watching) count() {
	before := w.waiting
	w.waiting.watches, w.waiting.events = w.stream.Waiting()
	if w.waiting != before {
		w.meter.waiting(before, w.waiting)
	}
}

func (w *watching) request(ctx context.Context, r *received[*pb.WatchRequest]) error {
	if errors.Is(r.err, io.EOF) {
		w.requests = nil
		return nil
	}
	if r.err != nil {
		return r.err
	}
	view, err := w.history(ctx)
	if err != nil {
		return err
	}
	if r.message.GetCreateRequest() != nil {
		reason := w.bounds.refusal(int64(w.stream.Watches()), w.meter.watches.Load())
		if reason != "" {
			w.stream.Refuse(view, reason)
			return nil
		}
	}
	if create := r.message.GetCreateRequest(); create != nil && create.StartRevision >= 0 {
		if err := w.permit(ctx, create); err != nil {
			w.incidents.observe(ctx, guest{w.carrier, ctx}, pb.Watch_Watch_FullMethodName, create, err)
			w.stream.Refuse(view, err.Error())
			return nil
		}
	}
	w.stream.Request(r.message, view, w.now())
	return nil
}

// now is the time on the clock of the streams, in nanoseconds.
func (s *watchService) now() int64 { return int64(time.Since(s.birth)) }

// nextRequest is a request that waits; nil: none does.
func (w *watching) nextRequest() *received[*pb.WatchRequest] {
	if r := w.woken; r != nil {
		w.woken = nil
		return r
	}
	select {
	case r := <-w.requests:
		return &r
	default:
		return nil
	}
}

func (w *watching) send() error {
	for _, r := range w.stream.Take() {
		w.sign(r.Header)
		w.meter.saw(r, &w.watches)
		if err := w.meter.sending(r, w.client.Send); err != nil {
			return err
		}
	}
	return nil
}
