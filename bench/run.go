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
	if options.Workload == Range && !options.SkipLoad {
		if err := load(ctx, &options); err != nil {
			return nil, fmt.Errorf("bench: load of the keys: %w", err)
		}
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
	before, err := readProcesses(options.PIDs)
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
	after, err := readProcesses(options.PIDs)
	if err != nil {
		return nil, err
	}
	return newReport(&options, outcome, elapsed, own, before, after), nil
}

// load writes every key once, over the same connections as the run will use.
func load(ctx context.Context, options *Options) error {
	fill := *options
	fill.Clients = max(options.Clients, loadClients)
	fill.Rate = 0
	r, err := newRun(ctx, &fill, Put, true)
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
		c, err := dial(ctx, o.Transport, endpoint, r.clients[i][0].source.method())
		if err != nil {
			r.close()
			return nil, err
		}
		r.carriers = append(r.carriers, c)
	}
	return r, nil
}

func dial(ctx context.Context, transport Transport, endpoint, method string) (carrier, error) {
	if transport == GRPC {
		return dialGRPC(ctx, endpoint)
	}
	return dialWire(ctx, endpoint, method)
}

// close closes the connections. What that may find wrong, the run has found before.
func (r *run) close() {
	for _, c := range r.carriers {
		_ = c.close()
	}
}

// stage runs one stage on all connections and returns all outcomes together.
func (r *run) stage(ctx context.Context, phase string, st *stage) (*recorder, error) {
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
	return all, nil
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

func readProcesses(pids []int) ([]ProcessUse, error) {
	var all []ProcessUse
	for _, pid := range pids {
		use, err := ReadProcess(pid)
		if err != nil {
			return nil, err
		}
		all = append(all, use)
	}
	return all, nil
}
