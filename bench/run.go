package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// A carrier is one connection and the clients on it.
type carrier interface {
	// run sends requests until the stage is over, and returns when every answer is there.
	run(st *stage, clients []*client, into *recorder) error
	close() error
}

// Run puts the load on the endpoints and reports what came back. An operation that fails is
// counted in the report; an error is returned when a connection cannot be made or breaks, when no
// answer comes for ten seconds, or when ctx ends.
func Run(ctx context.Context, options Options) (*Report, error) {
	if err := options.normalize(); err != nil {
		return nil, err
	}
	if err := prepare(ctx, &options); err != nil {
		return nil, err
	}
	r, err := newRun(ctx, &options, options.Workload, options.Sequential)
	if err != nil {
		return nil, err
	}
	defer r.close()
	if options.WarmUp > 0 {
		st := newStage(0, options.WarmUp, options.Rate, options.Clients)
		if _, err := r.stage(ctx, "warm-up", st); err != nil {
			return nil, err
		}
	}
	before, err := readUse(ctx, &options)
	if err != nil {
		return nil, err
	}
	ownBefore := ownCPU()
	st := newStage(options.Total, options.Duration, options.Rate, options.Clients)
	outcome, err := r.stage(ctx, "measure", st)
	if err != nil {
		return nil, err
	}
	elapsed, own := time.Since(st.begin), ownCPU()-ownBefore
	after, err := readUse(ctx, &options)
	if err != nil {
		return nil, err
	}
	return newReport(&options, outcome, elapsed, own, before, after), nil
}

// prepare makes the keys or the leases that a workload needs.
func prepare(ctx context.Context, options *Options) error {
	switch {
	case options.SkipLoad:
	case options.Workload == Range || options.Workload == Txn:
		if err := load(ctx, options, Put); err != nil {
			return fmt.Errorf("bench: load of the keys: %w", err)
		}
	case options.Workload == KeepAlive:
		if err := load(ctx, options, Grant); err != nil {
			return fmt.Errorf("bench: grant of the leases: %w", err)
		}
	}
	return nil
}

// load writes every key, or grants every lease, once, over as many connections as the run will use.
func load(ctx context.Context, options *Options, workload Workload) error {
	fill := *options
	fill.Clients = max(options.Clients, loadClients)
	fill.Workload, fill.Rate = workload, 0
	r, err := newRun(ctx, &fill, workload, true)
	if err != nil {
		return err
	}
	defer r.close()
	outcome, err := r.stage(ctx, "load", newStage(int64(fill.Keys), 0, 0, fill.Clients))
	if err != nil {
		return err
	}
	for problem, count := range outcome.errors {
		return fmt.Errorf("%d of %d puts failed: %s", count, fill.Keys, problem)
	}
	return nil
}

// loadClients is the least number of puts under way while keys are loaded.
const loadClients = 200

// A run is the connections of a workload with their clients.
type run struct {
	carriers []carrier
	clients  [][]*client // by connection
	audience *audience   // of the workload Watch; else nil
	progress func(Progress)
}

func newRun(ctx context.Context, o *Options, workload Workload, sequential bool) (*run, error) {
	r := &run{clients: make([][]*client, o.Connections), progress: o.Progress}
	var order *atomic.Int64
	if sequential {
		order = new(atomic.Int64)
	}
	for i := range o.Clients {
		c := &client{number: i, source: newSource(o, workload, i, order)}
		r.clients[i%o.Connections] = append(r.clients[i%o.Connections], c)
	}
	for i := range o.Connections {
		endpoint := o.Endpoints[i%len(o.Endpoints)]
		c, err := dial(ctx, o.Transport, workload, endpoint, r.clients[i][0].source.method)
		if err != nil {
			r.close()
			return nil, err
		}
		r.carriers = append(r.carriers, c)
	}
	if workload == Watch {
		var err error
		if r.audience, err = listen(ctx, o); err != nil {
			r.close()
			return nil, err
		}
	}
	return r, nil
}

func dial(
	ctx context.Context, transport Transport, workload Workload, endpoint, method string,
) (carrier, error) {
	switch {
	case workload == KeepAlive:
		return dialKeepAlive(ctx, endpoint)
	case workload == STM:
		return dialSTM(ctx, endpoint)
	case transport == GRPC:
		return dialGRPC(ctx, endpoint)
	}
	return dialWire(ctx, endpoint, method)
}

// close closes the connections. What that may find wrong, the run has found before.
func (r *run) close() {
	for _, c := range r.carriers {
		_ = c.close()
	}
	if r.audience != nil {
		r.audience.close()
	}
}

// stage runs one stage on all connections and returns all outcomes together.
func (r *run) stage(ctx context.Context, phase string, st *stage) (*recorder, error) {
	if r.audience != nil {
		r.audience.begin(st)
	}
	var recorders []*recorder
	for range r.carriers {
		recorders = append(recorders, newRecorder())
	}
	var first sync.Once // of the connections that break: its error says why, and it ends the others
	var broken error
	var group sync.WaitGroup
	for i, c := range r.carriers {
		group.Go(func() {
			if err := c.run(st, r.clients[i], recorders[i]); err != nil {
				first.Do(func() { broken = err })
				r.close()
			}
		})
	}
	finished := make(chan struct{})
	watched := make(chan error, 1)
	go func() {
		watched <- r.watch(ctx, phase, st, recorders, finished)
	}()
	if st.period > 0 {
		go r.pace(st, finished)
	}
	group.Wait()
	close(finished)
	// What made the watcher close the connections says more than that they were closed.
	if err := cmp.Or(ctx.Err(), <-watched, broken); err != nil {
		return nil, fmt.Errorf("bench: %s: %w", phase, err)
	}
	all := newRecorder()
	for _, one := range recorders {
		all.merge(one)
	}
	if r.audience == nil || len(all.errors) > 0 {
		return all, nil
	}
	return r.audience.finish(ctx, st)
}

var errStalled = errors.New("no answer came for 10 s")

// The times of the watcher.
const (
	stallTimeout     = 10 * time.Second
	progressInterval = 200 * time.Millisecond
)

// watch reports progress, and ends the stage by closing its connections when ctx ends or no answer
// comes any more.
func (r *run) watch(
	ctx context.Context, phase string, st *stage, recorders []*recorder, finished chan struct{},
) error {
	ticker := time.NewTicker(progressInterval)
	defer ticker.Stop()
	var before int64
	last, moved := st.begin, st.begin
	for {
		select {
		case <-finished:
			return nil
		case <-ctx.Done():
			r.close()
			return nil
		case now := <-ticker.C:
			done := total(recorders)
			if done != before {
				moved = now
			} else if now.Sub(moved) > stallTimeout+st.period {
				r.close()
				return errStalled
			}
			if r.progress != nil {
				r.progress(Progress{
					Phase:      phase,
					Elapsed:    now.Sub(st.begin),
					Operations: done,
					PerSecond:  float64(done-before) / now.Sub(last).Seconds(),
					Fraction:   st.fraction(now, done),
				})
			}
			before, last = done, now
		}
	}
}

func total(recorders []*recorder) int64 {
	var sum int64
	for _, one := range recorders {
		sum += one.done.Load()
	}
	return sum
}
