package transport

import (
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Places bound the connections that are open at a time on one or more listeners, and decide who
// gives way when there is no place left. A bound alone would be a weapon: who opens as many
// connections as there may be, and says nothing, would keep everybody else out.
//
// For one more, at the bound, this one ends:
//
//  1. the one that has never said a byte, and of those the one that was listened to for longest,
//     once that is silenceMin. Who connects in order to speak does so at once, so all that come
//     get that long; nobody is let in before somebody has had it. A flood of connections thus
//     waits at the door, and so do others behind it, but not for long.
//  2. Where all have spoken: of the address that holds the most places the one that was quiet for
//     longest, if the newcomer's address holds fewer, or if that was quiet for quietMin.
//  3. Where there is none of either, the newcomer.
//
// Connections of members are kept: they have their places beyond the bound.
type Places struct {
	max  int
	full func(times uint64, remote net.Addr)
	born time.Time // all times are since then: whoever sets the clock of the machine changes none

	mu        sync.Mutex
	taken     map[*place]struct{}
	addresses map[string]int // places that are taken, by address

	times atomic.Uint64 // that one had to end
}

// silenceMin is for how long a connection is listened to at least. First bytes come with the end of
// the handshake of TCP, from however far away; the rest is for busy machines. All who come at the
// same time wait for so long once for each time that they would fill all places.
const silenceMin = 50 * time.Millisecond

// quietMin is for how long a connection must have said nothing to give way to another one of the
// same address.
const quietMin = time.Minute

// NewPlaces makes places for at most max connections. full is told whenever a connection had to end
// for want of them, how often that happened so far, and whose it was; it may be nil.
func NewPlaces(max int, full func(times uint64, remote net.Addr)) *Places {
	if full == nil {
		full = func(uint64, net.Addr) {}
	}
	return &Places{
		max: max, full: full, born: time.Now(),
		taken: make(map[*place]struct{}), addresses: make(map[string]int),
	}
}

// Open tells how many connections are open that have no place of their own.
func (p *Places) Open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.taken)
}

// Listen lets the connections of a listener in while there are places; Accept closes the others and
// waits on.
func (p *Places) Listen(listener net.Listener) net.Listener {
	return &placedListener{listener, p}
}

// listen is Listen for a listener that may be of Secure: what is bounded is below TLS, and who has
// begun a handshake has spoken.
func (p *Places) listen(listener net.Listener) net.Listener {
	if s, ok := listener.(*secureListener); ok {
		return tls.NewListener(p.Listen(s.Listener), s.config)
	}
	return p.Listen(listener)
}

// Secure makes a listener over which TLS is spoken, for [Options].
func Secure(listener net.Listener, config *tls.Config) net.Listener {
	return &secureListener{listener, config}
}

// A secureListener is one before its connections are bounded.
type secureListener struct {
	net.Listener
	config *tls.Config
}

// placeOf is the place that a connection has taken.
func placeOf(conn net.Conn) *place {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	return conn.(*place)
}

type placedListener struct {
	net.Listener
	places *Places
}

// Accept waits for a connection for which there is a place.
func (l *placedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		placed, wait := l.places.take(conn, time.Now())
		for wait > 0 {
			time.Sleep(wait)
			placed, wait = l.places.take(conn, time.Now())
		}
		if placed != nil {
			return placed, nil
		}
		closeNow(conn)
	}
}

// A place is a connection that counts.
type place struct {
	net.Conn
	places  *Places
	address string
	asked   atomic.Int64 // since when it is listened to, in nanoseconds; 0: not yet
	heard   atomic.Int64 // when it last said something; 0: never
}

// Read notes that the connection speaks.
func (c *place) Read(b []byte) (int, error) {
	if c.asked.Load() == 0 {
		c.asked.Store(int64(time.Since(c.places.born)))
	}
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.heard.Store(int64(time.Since(c.places.born)))
	}
	return n, err
}

// Close gives the place back.
func (c *place) Close() error {
	c.leave()
	return c.Conn.Close()
}

// keep gives the connection a place of its own: it counts no more.
func (c *place) keep() { c.leave() }

func (c *place) leave() {
	c.places.mu.Lock()
	defer c.places.mu.Unlock()
	c.places.remove(c)
}

func (p *Places) remove(c *place) {
	if _, ok := p.taken[c]; !ok {
		return
	}
	delete(p.taken, c)
	if p.addresses[c.address]--; p.addresses[c.address] == 0 {
		delete(p.addresses, c.address)
	}
}

// take gives a connection a place; nil: there is none, but may be after so long, or never if that
// is 0.
func (p *Places) take(conn net.Conn, now time.Time) (*place, time.Duration) {
	c := &place{Conn: conn, places: p, address: hostOf(conn)}
	p.mu.Lock()
	var gone *place
	if len(p.taken) >= p.max {
		var wait time.Duration
		if gone, wait = p.choose(c.address, now); gone == nil {
			p.mu.Unlock()
			if wait == 0 {
				p.full(p.times.Add(1), conn.RemoteAddr())
			}
			return nil, wait
		}
		p.remove(gone)
	}
	p.taken[c] = struct{}{}
	p.addresses[c.address]++
	p.mu.Unlock()
	if gone != nil {
		closeNow(gone.Conn)
		p.full(p.times.Add(1), gone.RemoteAddr())
	}
	return c, 0
}

// choose decides who gives way to a newcomer; nil: nobody, but perhaps after so long.
func (p *Places) choose(address string, now time.Time) (*place, time.Duration) {
	most := 0
	// order-free: the largest
	for _, n := range p.addresses {
		most = max(most, n)
	}
	var silent, quiet *place
	var wait time.Duration // for those whom nobody has listened to yet
	// order-free: no two are equal, or either may go
	for c := range p.taken {
		asked, heard := c.asked.Load(), c.heard.Load()
		switch {
		case asked == 0:
			wait = silenceMin
		case heard == 0:
			if silent == nil || asked < silent.asked.Load() {
				silent = c
			}
		case p.addresses[c.address] < most:
		case quiet == nil || heard < quiet.heard.Load():
			quiet = c
		}
	}
	switch {
	case silent != nil:
		if left := silenceMin - (now.Sub(p.born) - time.Duration(silent.asked.Load())); left > 0 {
			return nil, left
		}
		return silent, 0
	case quiet == nil:
		return nil, wait
	case p.addresses[address]+1 < most, now.Sub(p.born)-time.Duration(quiet.heard.Load()) >= quietMin:
		return quiet, 0
	}
	return nil, wait
}

// hostOf is the address of who connected, without a port; all who come by a Unix socket share one.
func hostOf(conn net.Conn) string {
	if tcp, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		return tcp.IP.String()
	}
	return ""
}

// closeNow ends a connection without any farewell: that of TLS could wait for the other side, and
// after that of TCP the system would remember the connection for a minute. Who connects thousands
// of times would use up the ports of everybody behind the same address.
func closeNow(conn net.Conn) {
	if secure, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = secure.NetConn()
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // what fails is only that it is remembered
	}
	conn.Close()
}
