package rpc

import (
	"sync"
	"sync/atomic"
)

// clientVersionsMax bounds how many versions of clients are told apart; a client may call itself
// what it likes. All others are "other".
const clientVersionsMax = 32

// A ClientKind is what is counted as one: what clients say that they are, and what they ask for.
type ClientKind struct {
	Version string // of their library, as in "3.7"; "unknown": they do not say
	Type    string // "unary" or "stream"
}

// clients count requests by kind of client.
type clients struct {
	mutex  sync.RWMutex
	counts map[ClientKind]*atomic.Uint64
}

// add counts a request.
func (c *clients) add(kind ClientKind) {
	c.mutex.RLock()
	count := c.counts[kind]
	c.mutex.RUnlock()
	if count == nil {
		count = c.enter(kind)
	}
	count.Add(1)
}

// enter makes room for another kind.
func (c *clients) enter(kind ClientKind) *atomic.Uint64 {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.counts == nil {
		c.counts = make(map[ClientKind]*atomic.Uint64)
	}
	if c.counts[kind] == nil && len(c.counts) >= clientVersionsMax {
		kind.Version = "other"
	}
	if c.counts[kind] == nil {
		c.counts[kind] = new(atomic.Uint64)
	}
	return c.counts[kind]
}

// Clients is how many requests there were of each kind of client.
func (m *Meter) Clients() map[ClientKind]uint64 {
	m.clients.mutex.RLock()
	defer m.clients.mutex.RUnlock()
	all := make(map[ClientKind]uint64, len(m.clients.counts))
	for kind, count := range m.clients.counts {
		all[kind] = count.Load()
	}
	return all
}
