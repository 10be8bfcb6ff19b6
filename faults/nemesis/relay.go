package nemesis

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// A relay stands between the members of a cluster. Each member advertises an address of the relay
// to its peers, and the relay carries every connection on to the member, byte by byte, as the wires
// between the two allow: bytes on a wire that is cut wait, as they do in TCP, which sends them
// again until they get through. A connection over a cut wire is refused after a while.
//
// The addresses are the same for all peers, as etcd wants it, so the relay asks the kernel whose
// connection it is: see owner.
type relay struct {
	members []*Member
	wires   *wires
	closed  chan struct{}
	group   sync.WaitGroup
	mu      sync.Mutex // guards what follows
	ends    []io.Closer
	over    bool
}

// Bounds of a relay.
const (
	refusalDelay = time.Second            // until a connection over a cut wire is refused
	resendDelay  = 200 * time.Millisecond // what TCP waits before it sends a lost packet again
	chunkSize    = 32 << 10
	chunksMax    = 64 // on their way in one direction of one connection; then the sender waits
	relayDial    = time.Second
)

// newRelay listens at the addresses that the members advertise.
func newRelay(members []*Member, wires *wires) (*relay, error) {
	r := &relay{members: members, wires: wires, closed: make(chan struct{})}
	for to, m := range members {
		listener, err := net.Listen("tcp", m.advertised)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("nemesis: relay for %s: %w", m.name, err), r.Close())
		}
		r.keep(listener)
		r.group.Go(func() { r.accept(listener, to) })
	}
	return r, nil
}

// keep notes what Close has to close. It closes it at once when that has happened.
func (r *relay) keep(end io.Closer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		_ = end.Close()
		return
	}
	r.ends = append(r.ends, end)
}

// drop closes connections and forgets them.
func (r *relay) drop(ends ...io.Closer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, end := range ends {
		_ = end.Close()
		for i := range r.ends {
			if r.ends[i] == end {
				r.ends[i] = r.ends[len(r.ends)-1]
				r.ends = r.ends[:len(r.ends)-1]
				break
			}
		}
	}
}

// Close ends all connections and waits until nothing is carried any more. It is idempotent.
func (r *relay) Close() error {
	r.mu.Lock()
	if !r.over {
		r.over = true
		close(r.closed)
	}
	for _, end := range r.ends {
		_ = end.Close()
	}
	r.mu.Unlock()
	r.group.Wait()
	return nil
}

// accept takes the connections to one member.
func (r *relay) accept(listener net.Listener, to int) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		r.group.Go(func() { r.serve(conn.(*net.TCPConn), to) })
	}
}

// serve carries one connection. Nobody but members is let through: else a member whose connection
// was not recognized could talk over a cut wire.
func (r *relay) serve(conn *net.TCPConn, to int) {
	r.keep(conn)
	defer r.drop(conn)
	from := owner(conn, r.members)
	if from < 0 || !r.connects(from, to) {
		_ = conn.SetLinger(0)
		return
	}
	dialed, err := net.DialTimeout("tcp", r.members[to].peer, relayDial)
	if err != nil {
		_ = conn.SetLinger(0)
		return
	}
	onward := dialed.(*net.TCPConn)
	r.keep(onward)
	defer r.drop(onward)
	var both sync.WaitGroup
	both.Go(func() { r.carry(conn, onward, from, to) })
	both.Go(func() { r.carry(onward, conn, to, from) })
	both.Wait()
}

// connects tells whether a connection can be made: for that both directions are needed.
func (r *relay) connects(from, to int) bool {
	limit := time.NewTimer(refusalDelay)
	defer limit.Stop()
	for {
		there, changed := r.wires.look(from, to)
		back, _ := r.wires.look(to, from)
		if there.cuts == 0 && back.cuts == 0 {
			return true
		}
		select {
		case <-changed:
		case <-limit.C:
			return false
		case <-r.closed:
			return false
		}
	}
}

// chunk is some bytes on their way.
type chunk struct {
	bytes []byte
	due   time.Time
}

// carry moves the bytes of one direction until their end, which travels like them.
func (r *relay) carry(in, out *net.TCPConn, from, to int) {
	way := make(chan chunk, chunksMax)
	var reader sync.WaitGroup
	reader.Go(func() {
		defer close(way)
		for {
			bytes := make([]byte, chunkSize)
			n, err := in.Read(bytes)
			if n > 0 {
				select {
				case way <- chunk{bytes[:n], r.due(from, to, n)}:
				case <-r.closed:
					return
				}
			}
			if err != nil {
				return
			}
		}
	})
	defer reader.Wait()
	for c := range way {
		if !r.wait(from, to, c.due) {
			break
		}
		if _, err := out.Write(c.bytes); err != nil {
			_ = in.Close() // the reader ends, and so does the other direction
			break
		}
	}
	for range way { // so that the reader never waits for us
	}
	if r.wait(from, to, time.Time{}) {
		_ = out.CloseWrite()
	}
}

// due returns when bytes that were sent now arrive. One of many is lost and sent again, which holds
// up all behind it.
func (r *relay) due(from, to, bytes int) time.Time {
	arrive, loss := r.wires.send(from, to, bytes)
	if loss > 0 && rand.IntN(100) < loss {
		arrive = arrive.Add(resendDelay)
	}
	return arrive
}

// wait returns true when the time has come and the wire is whole, false when the relay ends.
func (r *relay) wait(from, to int, due time.Time) bool {
	for {
		w, changed := r.wires.look(from, to)
		delay := time.Until(due)
		if w.cuts == 0 && delay <= 0 {
			return true
		}
		if w.cuts > 0 {
			delay = time.Hour
		}
		timer := time.NewTimer(delay)
		select {
		case <-changed:
		case <-timer.C:
		case <-r.closed:
			timer.Stop()
			return false
		}
		timer.Stop()
	}
}
