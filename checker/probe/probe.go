package probe

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync/atomic"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
)

// Options say what a probe does.
type Options struct {
	// Connections lead to the members, one each. The caller closes them.
	Connections []*grpc.ClientConn
	// Workload is one of Workloads.
	Workload string
	// Clients is how many work at the same time; 0 means 10.
	Clients int
	// Rate bounds the requests a second of all clients together; 0 means 500.
	Rate float64
	// Keys is how many keys, or groups of keys, a workload uses; 0 means 10. Fewer are more
	// contended.
	Keys int
	// Timeout is how long a client waits for an answer; 0 means one second.
	Timeout time.Duration
	// Seed fixes what the clients draw.
	Seed uint64
	// Users turns authentication on: see users.go. Settle must be called before Run.
	Users bool
	// Recorder takes the history.
	Recorder *Recorder
}

// A Probe is a set of clients. Run is called once; Compact may be called from any goroutine
// meanwhile, Finish after it.
type Probe struct {
	options   Options
	script    func(*client) script
	observers []*observer
	begin     time.Time
	highest   atomic.Int64 // revision that any answer named
	numbers   atomic.Int64 // of watches
	clients   atomic.Int64 // that were made so far
	people    *people      // nil: there are no users
}

// Limits of options.
const (
	clientsMax = 1000
	keysMax    = 10_000
)

// New checks the options.
func New(options Options) (*Probe, error) {
	o := &options
	if o.Clients == 0 {
		o.Clients = 10
	}
	if o.Rate == 0 {
		o.Rate = 500
	}
	if o.Keys == 0 {
		o.Keys = 10
	}
	if o.Timeout == 0 {
		o.Timeout = time.Second
	}
	script, known := scripts()[o.Workload]
	switch {
	case !known:
		return nil, fmt.Errorf("probe: %q is no workload; there are %v", o.Workload, Workloads())
	case len(o.Connections) == 0 || o.Recorder == nil:
		return nil, errors.New("probe: connections and a recorder are needed")
	case o.Clients < 1 || o.Clients > clientsMax || o.Keys < 1 || o.Keys > keysMax:
		return nil, fmt.Errorf("probe: 1 to %d clients and 1 to %d keys", clientsMax, keysMax)
	case o.Rate < 0 || o.Timeout < 0:
		return nil, errors.New("probe: rate and timeout must be positive")
	}
	p := &Probe{options: options, script: script, begin: time.Now()}
	if options.Users {
		p.people = newPeople()
	}
	return p, nil
}

// now is the time since the probe was made.
func (p *Probe) now() int64 { return time.Since(p.begin).Nanoseconds() }

// Begin returns the moment at which the times of the history begin.
func (p *Probe) Begin() time.Time { return p.begin }

// Empty returns an error unless the store is empty and was never written: a history that begins
// elsewhere cannot be judged.
func (p *Probe) Empty(ctx context.Context) error {
	kv := pb.NewKVClient(p.options.Connections[0])
	answer, err := kv.Range(ctx, everything())
	switch {
	case err != nil:
		return fmt.Errorf("probe: is the store empty? %w", err)
	case answer.Count > 0 || answer.Header.GetRevision() != 1:
		return fmt.Errorf("probe: the store must be empty and new, but is at revision %d with %d keys",
			answer.Header.GetRevision(), answer.Count)
	}
	return nil
}

// Run lets the clients work until ctx ends. The error is one of the recorder: those of requests are
// part of the history.
func (p *Probe) Run(ctx context.Context) error {
	var group errgroup.Group
	for range observers {
		o := &observer{client: p.newClient(ctx, unhurried), next: 2}
		p.observers = append(p.observers, o)
		group.Go(func() error {
			o.watch(ctx, math.MaxInt64-1)
			return o.client.failure
		})
	}
	for range p.options.Clients {
		c := p.newClient(ctx, p.options.Rate/float64(p.options.Clients))
		if p.people != nil {
			c.login = p.people.workers[c.number%workers]
		}
		script := p.script(c)
		group.Go(func() error {
			for c.ctx.Err() == nil && c.failure == nil {
				script.step()
			}
			return c.failure
		})
	}
	if p.people != nil {
		p.admit(ctx, &group)
	}
	return group.Wait()
}

// Compact makes a compaction that belongs to the history: of all that is older than a revision
// which lies somewhat behind the newest that was seen.
func (p *Probe) Compact(ctx context.Context) error {
	newest := p.highest.Load()
	if newest < 2 {
		return nil
	}
	c := p.newClient(ctx, unhurried)
	c.do(&pb.CompactionRequest{Revision: newest - c.random.Int64N(min(newest-1, compactSlack))})
	return c.failure
}

const (
	compactSlack = 200  // revisions that a compaction leaves at most
	unhurried    = 1e-9 // requests a second of a client that makes one
)

// newClient makes a client that is bound to a member until that fails it. It is root, if there are
// users.
func (p *Probe) newClient(ctx context.Context, rate float64) *client {
	number := p.clients.Add(1)
	return &client{
		probe: p, ctx: ctx, number: number, login: p.root(),
		random:   rand.New(rand.NewPCG(p.options.Seed, uint64(number))),
		at:       int(number) % len(p.options.Connections),
		interval: time.Duration(min(float64(time.Second)/rate, float64(time.Hour))),
	}
}

// saw notes a revision.
func (p *Probe) saw(revision int64) {
	for {
		highest := p.highest.Load()
		if revision <= highest || p.highest.CompareAndSwap(highest, revision) {
			return
		}
	}
}
