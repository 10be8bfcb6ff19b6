package transport

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// A peer is another member and the connections to it.
type peer struct {
	id        uint64
	addresses []string // never changed: a peer that moves is a new one
	senders   [laneCount]*sender
	cancel    context.CancelFunc
	gone      <-chan struct{} // closed when it is no peer any more

	mu    sync.Mutex
	up    bool
	since time.Time
	error string // of the last attempt; empty while up, and before the first one

	roundTrip      atomic.Int64
	roundTrips     [roundTripLimits + 1]atomic.Uint64 // by limit
	roundTripSum   atomic.Int64
	sentBytes      atomic.Uint64
	sentFrames     atomic.Uint64
	receivedBytes  atomic.Uint64
	receivedFrames atomic.Uint64
	dropped        atomic.Uint64
}

func newPeer(t *Transport, id uint64, addresses []string) *peer {
	p := &peer{id: id, addresses: slices.Clone(addresses), since: time.Now()}
	for i := range p.senders {
		p.senders[i] = newSender(t, p, Lane(i+1))
	}
	return p
}

func (p *peer) start(ctx context.Context, group *sync.WaitGroup) {
	ctx, p.cancel = context.WithCancel(ctx)
	p.gone = ctx.Done()
	for _, s := range p.senders {
		group.Go(func() { s.run(ctx) })
		group.Go(func() { s.lendWhenUnheard(ctx) })
	}
}

// put queues a message, or counts it as dropped.
func (p *peer) put(lane Lane, payload []byte, bounds *Bounds) bool {
	if !p.senders[lane-1].queue.put(payload, bounds) {
		p.dropped.Add(1)
		return false
	}
	return true
}

// kick lets waiting attempts to connect happen now: the peer was just heard of.
func (p *peer) kick() {
	for _, s := range p.senders {
		select {
		case s.kick <- struct{}{}:
		default:
		}
	}
}

func (p *peer) setUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.up, p.since, p.error = true, time.Now(), ""
}

// setDown notes why the peer cannot be reached.
func (p *peer) setDown(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.up {
		p.up, p.since = false, time.Now()
	}
	p.error = text
}

func (p *peer) isUp() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.up
}

func (p *peer) stats() PeerStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	stats := PeerStats{
		ID: p.id, Up: p.up, Since: p.since, Addresses: p.addresses, Error: p.error,
		RoundTrip:      time.Duration(p.roundTrip.Load()),
		SentBytes:      p.sentBytes.Load(),
		SentFrames:     p.sentFrames.Load(),
		ReceivedBytes:  p.receivedBytes.Load(),
		ReceivedFrames: p.receivedFrames.Load(),
		Dropped:        p.dropped.Load(),
		RoundTripSum:   time.Duration(p.roundTripSum.Load()),
	}
	for i := range p.roundTrips {
		stats.RoundTrips[i] = p.roundTrips[i].Load()
	}
	return stats
}

// echoed notes that a pulse was answered.
func (p *peer) echoed(took time.Duration) {
	p.roundTrip.Store(int64(took))
	at := 0
	for at < roundTripLimits && took > RoundTripLimit<<at {
		at++
	}
	p.roundTrips[at].Add(1)
	p.roundTripSum.Add(int64(took))
}

func hex(id uint64) string { return strconv.FormatUint(id, 16) }
