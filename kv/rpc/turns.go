package rpc

import (
	"context"
	"net"
	"slices"
	"strings"
	"sync"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
)

// Who guesses passwords keeps a processor busy for each guess. In one line for all, a thousand
// guesses would wait before the next true login. So there are lines:
//
//	address 10.0.0.7 ── user root   guess guess guess …      turns go round among the addresses,
//	                 └─ user ann    guess                    and at an address among its users
//	address 10.0.0.8 ── user root   the true login           is next
//
// Who shares address and user with a guesser shares its line. In a line those come first who have
// missed least over the same connection: a true login is the first attempt, a guess seldom.
type turns struct {
	mutex     sync.Mutex
	free      int // turns that nobody has
	waiting   int
	addresses []*addressLine // that wait, the next one first
	missed    map[string]int // wrong passwords in a row, by connection
}

type addressLine struct {
	address string
	waiting int
	users   []*userLine // that wait, the next one first
}

type userLine struct {
	user  string
	queue []*turn
}

// A turn is waited for. Closed is that it came, or that it will not.
type turn struct {
	decided chan struct{}
	refused bool
	missed  int // before
}

// turnsMax bounds who waits. At the bound the last of the longest line makes room, unless that is
// where the newcomer would stand: then the newcomer is refused. Clients are told to try again.
const turnsMax = 1024

// missedMax bounds the connections of which misses are remembered; beyond it counting starts anew.
const missedMax = 4096

func newTurns(free int) *turns { return &turns{free: free, missed: make(map[string]int)} }

// judge notes whether a password was right that came over a connection.
func (t *turns) judge(connection string, right bool) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if right {
		delete(t.missed, connection)
		return
	}
	if len(t.missed) >= missedMax {
		clear(t.missed)
	}
	t.missed[connection]++
}

// take waits for a turn. Who gets one must give it back.
func (t *turns) take(ctx context.Context, address, user, connection string) error {
	t.mutex.Lock()
	if t.free > 0 {
		t.free--
		t.mutex.Unlock()
		return nil
	}
	mine, ok := t.enter(address, user, t.missed[connection])
	t.mutex.Unlock()
	if !ok {
		return rpctypes.ErrGRPCRequestTooManyRequests
	}
	select {
	case <-mine.decided:
	case <-ctx.Done():
		if !t.abandon(mine, address, user) {
			return ctx.Err()
		}
	}
	if mine.refused {
		return rpctypes.ErrGRPCRequestTooManyRequests
	}
	return nil
}

// give gives a turn back: the next one has it, or it is free.
func (t *turns) give() {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.waiting == 0 {
		t.free++
		return
	}
	a := t.addresses[0]
	u := a.users[0]
	next := u.queue[0]
	t.addresses, a.users = rotated(t.addresses), rotated(a.users)
	t.remove(a, u, 0)
	close(next.decided)
}

func rotated[T any](lines []T) []T { return append(lines[1:], lines[0]) }

// enter puts a newcomer into its line; false: there is no room.
func (t *turns) enter(address, user string, missed int) (*turn, bool) {
	a, u := t.line(address, user)
	if t.waiting >= turnsMax && !t.makeRoom(a, u) {
		return nil, false
	}
	if !slices.Contains(t.addresses, a) {
		t.addresses = append(t.addresses, a)
	}
	if !slices.Contains(a.users, u) {
		a.users = append(a.users, u)
	}
	mine := &turn{decided: make(chan struct{}), missed: missed}
	at, _ := slices.BinarySearchFunc(u.queue, missed+1, func(other *turn, missed int) int {
		return other.missed - missed
	})
	u.queue = slices.Insert(u.queue, at, mine) // behind those who have missed as often
	a.waiting++
	t.waiting++
	return mine, true
}

// line finds the line of a user at an address, or makes one in which nobody waits yet.
func (t *turns) line(address, user string) (*addressLine, *userLine) {
	a, u := &addressLine{address: address}, &userLine{user: user}
	at := slices.IndexFunc(t.addresses, func(l *addressLine) bool { return l.address == address })
	if at >= 0 {
		a = t.addresses[at]
	}
	at = slices.IndexFunc(a.users, func(l *userLine) bool { return l.user == user })
	if at >= 0 {
		u = a.users[at]
	}
	return a, u
}

// makeRoom refuses the last of the longest line at the address with most, if the newcomer would
// stand in a shorter one.
func (t *turns) makeRoom(mine *addressLine, line *userLine) bool {
	a := slices.MaxFunc(t.addresses, func(a, b *addressLine) int { return a.waiting - b.waiting })
	if mine.waiting >= a.waiting {
		a = mine
	}
	u := slices.MaxFunc(a.users, func(a, b *userLine) int { return len(a.queue) - len(b.queue) })
	if a == mine && len(line.queue) >= len(u.queue) {
		return false
	}
	last := u.queue[len(u.queue)-1]
	last.refused = true
	t.remove(a, u, len(u.queue)-1)
	close(last.decided)
	return true
}

// remove takes one out of its line, and lines in which nobody waits away.
func (t *turns) remove(a *addressLine, u *userLine, at int) {
	u.queue = slices.Delete(u.queue, at, at+1)
	a.waiting--
	t.waiting--
	if len(u.queue) == 0 {
		a.users = slices.DeleteFunc(a.users, func(l *userLine) bool { return l == u })
	}
	if a.waiting == 0 {
		t.addresses = slices.DeleteFunc(t.addresses, func(l *addressLine) bool { return l == a })
	}
}

// abandon leaves the line; true: it was decided meanwhile.
func (t *turns) abandon(mine *turn, address, user string) bool {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	a, u := t.line(address, user)
	at := slices.Index(u.queue, mine)
	if at < 0 {
		return true
	}
	t.remove(a, u, at)
	return false
}

// connectionOf tells connections apart by which requests come. Those of JSON have only an address.
func connectionOf(ctx context.Context) string {
	from, ok := peer.FromContext(ctx)
	if !ok || from.Addr == nil || from.Addr.Network() == inMemory {
		return addressOf(ctx)
	}
	return from.Addr.String()
}

// inMemory is the network of the gateway's own connection.
const inMemory = "bufconn"

// addressOf is from where a request comes, without a port. For a request of JSON that is what the
// gateway says, which puts it behind what the client may have said itself.
func addressOf(ctx context.Context) string {
	from, ok := peer.FromContext(ctx)
	if !ok || from.Addr == nil {
		return ""
	}
	address := from.Addr.String()
	if from.Addr.Network() == inMemory {
		if said := metadata.ValueFromIncomingContext(ctx, "x-forwarded-for"); len(said) > 0 {
			all := strings.Split(said[len(said)-1], ",")
			return strings.TrimSpace(all[len(all)-1])
		}
	}
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}
