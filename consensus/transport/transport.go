package transport

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"sync"
)

// Transport exchanges messages with the other members. Its methods may be called by any goroutine.
type Transport struct {
	options Options
	group   sync.WaitGroup // every goroutine of the transport
	ctx     context.Context
	cancel  context.CancelFunc

	mu        sync.RWMutex
	places    *Places // of accepted connections
	peers     map[uint64]*peer
	accepted  map[net.Conn]struct{}
	strangers []*place                 // whose senders are not known here, the oldest first
	latest    map[incomingKey]net.Conn // the newest connection of a sender replaces its older one
	refusals  map[refusalKey]int       // how often each was refused; the log gets the powers of two
}

type incomingKey struct {
	from    uint64
	purpose purpose
}

type refusalKey struct {
	from    uint64
	verdict Verdict
}

// New starts to accept connections. There are no peers until SetPeers names them.
func New(options Options) *Transport {
	options.Bounds.setDefaults()
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	t := &Transport{
		options:  options,
		peers:    make(map[uint64]*peer),
		accepted: make(map[net.Conn]struct{}),
		latest:   make(map[incomingKey]net.Conn),
		refusals: make(map[refusalKey]int),
	}
	t.places = NewPlaces(options.Bounds.Connections, t.noPlace)
	t.ctx, t.cancel = context.WithCancel(context.Background())
	for _, listener := range options.Listeners {
		t.group.Go(func() { t.accept(listener) })
	}
	return t
}

// SetPeers names the members to be connected to and where they listen ("host:port" or URLs; each is
// tried in turn). Connections to others are closed; this member itself is passed over.
func (t *Transport) SetPeers(addresses map[uint64][]string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ctx.Err() != nil {
		return
	}
	for id, p := range t.peers {
		if wanted, ok := addresses[id]; !ok || !slices.Equal(wanted, p.addresses) {
			p.cancel()
			delete(t.peers, id)
			t.dropAccepted(id)
		}
	}
	for id, wanted := range addresses {
		if t.peers[id] == nil && id != t.options.Self {
			t.peers[id] = newPeer(t, id, wanted)
			t.peers[id].start(t.ctx, &t.group)
		}
	}
}

// dropAccepted closes what a former peer has connected: it dials again and hears what became of it.
func (t *Transport) dropAccepted(id uint64) {
	for _, p := range []purpose{purposeConsensus, purposeBulk} {
		if conn := t.latest[incomingKey{id, p}]; conn != nil {
			conn.Close()
		}
	}
}

// Send queues a message for a member and says whether it did. It never blocks; the payload is
// copied. False means that the message was dropped: the member is not a peer or cannot be reached,
// the lane's queue is full, or the message is larger than Bounds.MessageBytes. True promises
// nothing.
func (t *Transport) Send(to uint64, lane Lane, payload []byte) bool {
	p := t.peer(to)
	if p == nil || !p.put(lane, payload, &t.options.Bounds) {
		return false
	}
	p.senders[lane-1].queue.ring()
	return true
}

// Queue is Send, but the message may wait until Flush: who has several to send saves a system call
// for each but the first.
func (t *Transport) Queue(to uint64, lane Lane, payload []byte) bool {
	p := t.peer(to)
	return p != nil && p.put(lane, payload, &t.options.Bounds)
}

// Flush lets everything leave that was queued before.
func (t *Transport) Flush() {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, p := range t.peers {
		for _, s := range p.senders {
			s.queue.ring()
		}
	}
}

func (t *Transport) peer(id uint64) *peer {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.peers[id]
}

// Stats tells what was exchanged with each peer.
func (t *Transport) Stats() Stats {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var stats Stats
	for _, p := range t.peers {
		stats.Peers = append(stats.Peers, p.stats())
	}
	slices.SortFunc(stats.Peers, func(a, b PeerStats) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return stats
}

// Close closes the listeners and all connections and waits until no callback runs any more; so no
// callback may call it. What was queued is lost. A second call does nothing.
func (t *Transport) Close() {
	t.mu.Lock()
	t.cancel()
	for _, listener := range t.options.Listeners {
		listener.Close()
	}
	for conn := range t.accepted {
		conn.Close()
	}
	t.mu.Unlock()
	t.group.Wait()
}
