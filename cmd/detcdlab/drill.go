package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"

	"detcd/faults/nemesis"
)

// A drill is a cluster under load while its members are killed: workers that write and read, a
// watcher for each member, an owner of leases, and the ledger to which all of them report.
type drill struct {
	members []*nemesis.Member
	cluster *nemesis.Cluster
	ledger  *ledger
	start   time.Time
	drillOptions

	compacted atomic.Int64
	acks      ackTimes
	fail      chan error    // an error that is no violation but ends the drill; one is kept
	kept      chan struct{} // closed when the leases that are kept alive have their keys
	load      sync.WaitGroup
	stopLoad  context.CancelFunc
	watches   sync.WaitGroup
	stopWatch context.CancelFunc
	kills     atomic.Int64
	resumed   atomic.Int64 // watches, over all watchers
	readBack  atomic.Int64 // values, at the end
}

// An ackTimes keeps when writes were acknowledged.
type ackTimes struct {
	mu     sync.Mutex
	count  int64
	last   time.Time
	gaps   []time.Duration // times without an acknowledgement of gapMin and more
	window time.Duration   // the longest time without one since newWindow
}

// gapMin is how long no write must be acknowledged to be called an interruption; gapsMax bounds how
// many are kept.
const (
	gapMin  = 250 * time.Millisecond
	gapsMax = 100_000
)

// add counts an acknowledgement that came now.
func (a *ackTimes) add() {
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.count > 0 {
		gap := now.Sub(a.last)
		a.window = max(a.window, gap)
		if gap >= gapMin && len(a.gaps) < gapsMax {
			a.gaps = append(a.gaps, gap)
		}
	}
	a.count++
	a.last = now
}

// get returns how many there were and when the last came.
func (a *ackTimes) get() (count int64, last time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.count, a.last
}

// interruptions returns how many there were, the median and the longest.
func (a *ackTimes) interruptions() (count int, median, longest time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.gaps) == 0 {
		return 0, 0, 0
	}
	sorted := slices.Sorted(slices.Values(a.gaps))
	return len(sorted), sorted[len(sorted)/2], sorted[len(sorted)-1]
}

// newWindow begins a new search for the longest time without an acknowledgement.
func (a *ackTimes) newWindow() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.window = 0
}

// inWindow returns the longest time without an acknowledgement since newWindow.
func (a *ackTimes) inWindow() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.window
}

// drillOptions say what kind of load there is.
type drillOptions struct {
	workers      int
	rate         float64 // requests a second of all workers together
	size         int     // of values, in bytes
	seed         uint64
	compactEvery time.Duration                         // 0: never
	log          func(format string, arguments ...any) // tells people what happens
}

// newDrill prepares a drill of a cluster that serves and that nothing else writes to.
func newDrill(cluster *nemesis.Cluster, o drillOptions) *drill {
	start := time.Now()
	return &drill{
		cluster: cluster,
		members: cluster.Members(),
		ledger:  newLedger(func() time.Duration { return time.Since(start) }),
		start:   start,
		fail:    make(chan error, 1),
		kept:    make(chan struct{}),

		drillOptions: o,
	}
}

// begin starts the load: from here on, errors come out of fail and violations break the ledger.
func (d *drill) begin() {
	watching, stopWatch := context.WithCancel(context.Background())
	loading, stopLoad := context.WithCancel(context.Background())
	d.stopWatch, d.stopLoad = stopWatch, stopLoad
	for i := range d.members {
		watcher := &watcher{drill: d, name: fmt.Sprintf("w%d", i+1), at: i, last: firstRevision - 1}
		d.watches.Go(func() { watcher.run(watching) })
	}
	for i := range d.workers {
		w := &worker{
			drill: d, number: i, at: i % len(d.members), known: map[string]int64{},
			random: rand.New(rand.NewPCG(d.seed, uint64(i))),
		}
		d.load.Go(func() { w.run(loading) })
	}
	owner := &owner{drill: d, random: rand.New(rand.NewPCG(d.seed, 1<<32))}
	d.load.Go(func() { owner.run(loading, watching) })
	if d.compactEvery > 0 {
		d.load.Go(func() { d.compact(loading) })
	}
}

// compactKeep is how many revisions stay that every watcher has seen.
const compactKeep = 500

// compact drops the history that every watcher has seen, now and then, until ctx ends.
func (d *drill) compact(ctx context.Context) {
	for member := 0; ctx.Err() == nil; member++ {
		pause(ctx, d.compactEvery)
		revision := d.ledger.shown() - compactKeep
		kv, err := d.kv(member % len(d.members))
		if err != nil || revision <= d.compacted.Load() {
			continue
		}
		d.compacted.Store(revision) // whether or not an answer comes
		call, cancel := context.WithTimeout(context.Background(), answerTimeout)
		_, err = kv.Compact(call, &etcdserverpb.CompactionRequest{
			Revision: revision, Physical: member%2 == 1,
		})
		cancel()
		if err != nil {
			d.refused(err)
		}
	}
}

// end stops everything. It may be called again.
func (d *drill) end() {
	d.stopLoad()
	d.load.Wait()
	d.stopWatch()
	d.watches.Wait()
}

// giveUp ends the drill with an error.
func (d *drill) giveUp(err error) {
	select {
	case d.fail <- err:
	default: // one is enough
	}
}

// refused takes the error of a request: those of dying members belong to the drill.
func (d *drill) refused(err error) {
	if !transient(err) {
		d.giveUp(fmt.Errorf("an error that no kill explains: %w", err))
	}
}

func (d *drill) kv(member int) (etcdserverpb.KVClient, error) {
	conn, err := d.members[member].Conn()
	if err != nil {
		return nil, err
	}
	return etcdserverpb.NewKVClient(conn), nil
}

// put sends a write of one key.
func (d *drill) put(ctx context.Context, member int, w *write) error {
	kv, err := d.kv(member)
	if err != nil {
		return err
	}
	floor := d.ledger.begin(w)
	answer, err := kv.Put(ctx, &etcdserverpb.PutRequest{
		Key: []byte(w.puts[0]), Value: []byte(w.value(d.size)), Lease: int64(w.lease),
	})
	if err != nil {
		d.ledger.unanswered(w)
		return err
	}
	d.acks.add()
	d.ledger.acknowledged(w, answer.Header.Revision, floor)
	return nil
}

// txn sends a write that is a transaction, made by build from the value that it puts.
func (d *drill) txn(
	ctx context.Context, member int, w *write, build func(value []byte) *etcdserverpb.TxnRequest,
) (*etcdserverpb.TxnResponse, error) {
	kv, err := d.kv(member)
	if err != nil {
		return nil, err
	}
	floor := d.ledger.begin(w)
	answer, err := kv.Txn(ctx, build([]byte(w.value(d.size))))
	switch {
	case err != nil:
		d.ledger.unanswered(w)
		return nil, err
	case answer.Succeeded:
		d.acks.add()
		d.ledger.acknowledged(w, answer.Header.Revision, floor)
	default:
		d.ledger.notApplied(w, answer.Header.Revision, floor)
	}
	return answer, nil
}
